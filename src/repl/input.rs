//! How lines are read: when an input is complete, and how names are completed.

use rhai::{Engine, LexError, ParseErrorType};
use rustyline::completion::Completer;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Helper, Highlighter, Hinter};

use crate::script::{Catalog, reader};

/// Reads inputs of several lines and completes names.
#[derive(Helper, Highlighter, Hinter)]
pub struct Input {
    reader: Engine,
    catalog: Catalog,
}

impl Input {
    /// Completes the names in `catalog`.
    pub fn new(catalog: &Catalog) -> Self {
        Input { reader: reader(), catalog: catalog.clone() }
    }
}

impl Validator for Input {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let more = !context.input().starts_with(':') && is_unfinished(&self.reader, context.input());
        Ok(if more { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Completer for Input {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _context: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let before = line.get(..position).unwrap_or(line);
        let start = before.rfind(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | ':' | '.')).map_or(0, |i| i + 1);
        let word = &before[start..];
        Ok((start + word.len() - last_part(word).len(), complete(&self.catalog, word)))
    }
}

/// What may follow the last `.` or stand in place of the word: names of methods and properties, or of functions.
pub fn complete(catalog: &Catalog, word: &str) -> Vec<String> {
    let part = last_part(word);
    let method = part.len() < word.len();
    let mut names: Vec<String> = catalog
        .functions()
        .filter(|function| function.is_named() && function.receiver.is_some() == method)
        .map(|function| if method { function.name.clone() } else { function.path() })
        .filter(|name| name.starts_with(part))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// What follows the last dot.
fn last_part(word: &str) -> &str {
    word.rsplit('.').next().unwrap_or(word)
}

/// Whether the text is the beginning of a script that goes on in the next line.
fn is_unfinished(reader: &Engine, text: &str) -> bool {
    let Err(error) = reader.compile(text) else { return false };
    let lines = text.split('\n').count();
    let width = text.rsplit('\n').next().unwrap_or_default().chars().count();
    let at_end = match (error.position().line(), error.position().position()) {
        (None, _) => true,
        (Some(line), column) => line > lines || line == lines && column.unwrap_or(0) > width,
    };
    match error.err_type() {
        ParseErrorType::UnexpectedEOF => true,
        ParseErrorType::BadInput(LexError::UnterminatedString) => text.matches('`').count() % 2 == 1,
        ParseErrorType::MissingToken(..)
        | ParseErrorType::ExprExpected(..)
        | ParseErrorType::MissingSymbol(..)
        | ParseErrorType::VariableExpected
        | ParseErrorType::PropertyExpected
        | ParseErrorType::FnMissingBody(..)
        | ParseErrorType::FnMissingName
        | ParseErrorType::FnMissingParams(..) => at_end,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_inputs_go_on_and_wrong_ones_do_not() {
        let reader = reader();
        for text in ["fn f(x) {", "[1,", "let x =", "if true { 1 } else {", "`a\nb", "f(1,", "let a = #{ b: 1,"] {
            assert!(is_unfinished(&reader, text), "{text}");
        }
        for text in ["1 + 1", "let x = 1;", "let 1", "f(1))", "\"a", "x y", "fn f() { }", "1 +* 2"] {
            assert!(!is_unfinished(&reader, text), "{text}");
        }
    }

    #[test]
    fn names_are_completed() {
        let catalog = crate::bindings::catalog();
        assert_eq!(complete(&catalog, "ssh::co"), ["ssh::connect"]);
        assert_eq!(complete(&catalog, "plan_"), ["plan_mode"]);
        assert_eq!(complete(&catalog, "host.quer"), ["query"]);
        assert!(complete(&catalog, "zzz").is_empty());
    }
}
