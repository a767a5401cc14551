//! Turns the language's own errors about names into errors that say what was meant.

use rhai::{EvalAltResult, ParseErrorType, Position};

use super::check::Library;
use super::diagnostic::innermost;
use super::errors::{Failure, failure_of};
use super::{Catalog, Folders, Sources, engine};
use crate::error::Error;

/// What is needed to explain errors of one script.
pub struct Explainer<'a> {
    /// The script's id.
    pub main: &'a str,
    /// The texts of the script and its modules.
    pub sources: &'a Sources,
    /// Where its modules are.
    pub folders: &'a Folders,
    /// What it can call.
    pub catalog: &'a Catalog,
}

impl Explainer<'_> {
    /// The failure in an error, with the remedy that the check of scripts would give where a name is wrong.
    pub fn explain(&self, error: &EvalAltResult) -> Failure {
        let mut failure = failure_of(error);
        let (source, position) = innermost(self.main, error);
        let explained = match error.unwrap_inner() {
            EvalAltResult::ErrorFunctionNotFound(signature, _) => {
                self.mistake(&source, position).or_else(|| self.wrong_types(signature))
            }
            EvalAltResult::ErrorVariableNotFound(..)
            | EvalAltResult::ErrorModuleNotFound(..)
            | EvalAltResult::ErrorParsing(
                ParseErrorType::VariableUndefined(_) | ParseErrorType::ModuleUndefined(_),
                _,
            ) => self.mistake(&source, position).or_else(|| undefined(error)),
            EvalAltResult::ErrorDataTooLarge(what, _) => {
                Some(Error::script(format!("{what} too large")).help(engine::LIMITS))
            }
            _ => None,
        };
        if let Some(explained) = explained {
            failure.error = explained;
        }
        failure
    }

    /// The mistake that a check of the script finds at this place.
    fn mistake(&self, source: &str, position: Position) -> Option<Error> {
        let text = self.sources.get(source)?;
        let mut library = Library::new(self.folders.clone(), Sources::default());
        library.load(source, &text);
        let mut mistakes = library.check_all(self.catalog).into_iter().filter(|mistake| mistake.source == source);
        let (line, column) = (position.line()?, position.position()?);
        // The language points at the path of an import, the check at the statement.
        let mistake = mistakes.find(|mistake| {
            mistake.line == line && (mistake.column == column || mistake.message.starts_with("unknown module"))
        })?;
        let error = Error::script(mistake.message);
        Some(match mistake.help {
            Some(help) => error.help(help),
            None => error,
        })
    }

    /// A function that exists, but not for arguments of these types: `run (Host, i64)`.
    fn wrong_types(&self, signature: &str) -> Option<Error> {
        let (path, types) = signature.split_once(" (")?;
        let types =
            types.trim_end_matches(')').replace("&str | ImmutableString | String", "string").replace("i64", "int");
        let types = types.replace("f64", "float").replace("Fn", "closure");
        let (namespace, name) = path.rsplit_once("::").unwrap_or(("", path));
        let count = types.split(", ").filter(|kind| !kind.is_empty()).count();
        let overloads = self.catalog.overloads(namespace, name).filter(|function| function.arity() == count);
        let mut help: Vec<String> = overloads.map(super::Function::signature).collect();
        if types.split(", ").any(|kind| kind == "Secret") {
            help.insert(0, "a secret goes into content and `vars` of files, `env` and `stdin` of commands, values of charts; alone, or joined with a text".to_owned());
        }
        let exists = self.catalog.overloads(namespace, name).next().is_some();
        let error = Error::script(match exists {
            true => format!("`{path}` doesn't take ({types})"),
            false => format!("unknown function `{path}` for ({types})"),
        });
        Some(if help.is_empty() || help.len() > 8 { error } else { error.help(help.join("\n")) })
    }
}

/// A variable that isn't there, though the text defines it: what would have defined it came to no end.
fn undefined(error: &EvalAltResult) -> Option<Error> {
    match error.unwrap_inner() {
        EvalAltResult::ErrorVariableNotFound(name, _)
        | EvalAltResult::ErrorParsing(ParseErrorType::VariableUndefined(name), _) => Some(
            Error::script(format!("undefined variable `{name}`")).help(format!("define it before: let {name} = ...")),
        ),
        _ => None,
    }
}
