//! One mistake in a script.

use miette::{LabeledSpan, MietteDiagnostic, NamedSource};
use rhai::Position;

use crate::script::Sources;
use crate::script::diagnostic::{show, span};

/// What is wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// The script's path.
    pub source: String,
    /// The line, from 1; 0 for the script as a whole.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Mistake {
    pub(super) fn new(source: &str, position: Position, message: String, help: Option<String>) -> Self {
        let (line, column) = (position.line().unwrap_or(0), position.position().unwrap_or(0));
        Mistake { source: source.to_owned(), line, column, message, help }
    }

    /// For a terminal: with the line of the script.
    pub fn render(&self, sources: &Sources, color: bool) -> String {
        let mut diagnostic = MietteDiagnostic::new(&self.message);
        diagnostic.help.clone_from(&self.help);
        let Some(text) = sources.get(&self.source) else { return show(&diagnostic, color) };
        let (start, length) = span(&text, self.line.max(1), self.column.max(1));
        diagnostic = diagnostic.with_label(LabeledSpan::new(None, start, length));
        let source = NamedSource::new(&self.source, text.to_string());
        show(miette::Report::new(diagnostic).with_source_code(source).as_ref(), color)
    }
}
