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

/// Text that came from a host, without what would move the cursor, ring the bell or colour the rest of the terminal.
pub(super) fn harmless(text: &str) -> String {
    let text = anstream::adapter::strip_str(text).to_string();
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn a_host_can_not_play_with_the_terminal() {
        assert_eq!(harmless("\x1b[31mred\x1b[0m\x1b]0;title\x07\r\n\tx\x07"), "red\n\tx");
    }
}
