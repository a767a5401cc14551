//! How lines are read: when an input is complete, and how names are completed.

use std::borrow::Cow;
use std::sync::PoisonError;

use rhai::{Engine, LexError, ParseErrorType};
use rustyline::completion::{Candidate as Shown, Completer};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::complete::{Candidate, Completion};
use super::evaluator::Shared;
use crate::script::{Catalog, parse, reader};

/// Reads entries of several lines, completes names and shows what a call takes.
#[derive(Helper)]
pub struct Input {
    reader: Engine,
    catalog: Catalog,
    known: Shared,
    has_cluster: bool,
}

impl Input {
    /// Completes the names in `catalog` and those that are `known`, and the names of the cluster if there is one.
    pub fn new(catalog: &Catalog, known: Shared, has_cluster: bool) -> Self {
        Input { reader: reader(), catalog: catalog.clone(), known, has_cluster }
    }
}

/// A possibility with what it is about.
pub struct Offer {
    text: String,
    display: String,
}

impl Shown for Offer {
    fn display(&self) -> &str {
        &self.display
    }

    fn replacement(&self) -> &str {
        &self.text
    }
}

impl Validator for Input {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let more = !context.input().starts_with(':') && is_unfinished(&self.reader, context.input());
        Ok(if more { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Completer for Input {
    type Candidate = Offer;

    fn complete(&self, line: &str, position: usize, _context: &Context<'_>) -> rustyline::Result<(usize, Vec<Offer>)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let completion = Completion { catalog: &self.catalog, known: &known, has_cluster: self.has_cluster };
        let (start, found) = completion.candidates(line.get(..position).unwrap_or(line));
        // With few of them there is room to say what each is about.
        let about = found.len() <= 20 && found.iter().any(|candidate| !candidate.about.is_empty());
        let offer = |candidate: Candidate| {
            let display = match about {
                true => format!("{:24} {:.70}", candidate.text, candidate.about),
                false => candidate.text.clone(),
            };
            Offer { text: candidate.text, display }
        };
        Ok((start, found.into_iter().map(offer).collect()))
    }
}

impl Hinter for Input {
    type Hint = String;

    /// In a call, what the function takes.
    fn hint(&self, line: &str, position: usize, _context: &Context<'_>) -> Option<String> {
        let call = line.get(..position).filter(|_| position == line.len())?.strip_suffix('(')?;
        let start = call.rfind(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | ':')).map_or(0, |i| i + 1);
        let name = call.get(start..)?;
        let is_method = call[..start].ends_with('.');
        let mut functions = self.catalog.functions().filter(|function| {
            function.receiver.is_some() == is_method
                && !function.property
                && (if is_method { function.name == name } else { function.path() == name })
        });
        let function = functions.next()?;
        let signature = function.signature();
        Some(signature.split_once('(')?.1.to_owned())
    }
}

impl Highlighter for Input {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[2m{hint}\x1b[0m"))
    }

    fn highlight_char(&self, _line: &str, _position: usize, _kind: CmdKind) -> bool {
        false
    }
}

/// Whether the text is the beginning of a script that goes on in the next line.
fn is_unfinished(reader: &Engine, text: &str) -> bool {
    let Err(error) = parse(reader, text) else { return false };
    let lines = text.split('\n').count();
    let width = text.rsplit('\n').next().unwrap_or_default().chars().count();
    let at_end = match (error.position().line(), error.position().position()) {
        (None, _) => true,
        (Some(line), column) => line > lines || line == lines && column.unwrap_or(0) > width,
    };
    match error.err_type() {
        ParseErrorType::UnexpectedEOF => true,
        // A comment that has no end yet.
        ParseErrorType::BadInput(LexError::ImproperSymbol(symbol, _)) => symbol == "/*",
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
        for text in
            ["fn f(x) {", "[1,", "let x =", "if true { 1 } else {", "`a\nb", "f(1,", "let a = #{ b: 1,", "1 /* one"]
        {
            assert!(is_unfinished(&reader, text), "{text}");
        }
        for text in ["1 + 1", "let x = 1;", "let 1", "f(1))", "\"a", "x y", "fn f() { }", "1 +* 2"] {
            assert!(!is_unfinished(&reader, text), "{text}");
        }
    }
}
