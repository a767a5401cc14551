//! Colours, for those who want them.

use anstyle::{AnsiColor, Style};

/// Colours text, or leaves it as it is.
#[derive(Debug, Clone, Copy)]
pub struct Paint(pub bool);

impl Paint {
    /// Names of phases.
    pub fn title(self, text: &str) -> String {
        self.with(Style::new().bold(), text)
    }

    /// What is right.
    pub(super) fn good(self, text: &str) -> String {
        self.with(AnsiColor::Green.on_default(), text)
    }

    /// What changes.
    pub(super) fn change(self, text: &str) -> String {
        self.with(AnsiColor::Yellow.on_default(), text)
    }

    /// What is wrong.
    pub fn bad(self, text: &str) -> String {
        self.with(AnsiColor::Red.on_default().bold(), text)
    }

    /// What matters less.
    pub fn aside(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }

    /// A unified diff.
    pub(super) fn diff(self, diff: &str) -> String {
        let line = |line: &str| match line.chars().next() {
            Some('+') => self.good(line),
            Some('-') => self.with(AnsiColor::Red.on_default(), line),
            Some('@') => self.with(AnsiColor::Cyan.on_default(), line),
            _ => line.to_owned(),
        };
        diff.lines().map(line).collect::<Vec<_>>().join("\n")
    }

    fn with(self, style: Style, text: &str) -> String {
        if self.0 { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}
