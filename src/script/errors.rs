//! Errors on both sides of the language boundary.

use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};

use super::context;
use super::secret::Secret;
use crate::error::{Error, Kind};
use crate::report::redact::MASK;

/// An error as scripts catch it: `try { .. } catch (e) { e.kind, e.message, e.host, e.help, e.output, e.at }`.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What went wrong.
    pub error: Error,
    /// `file:line:column` of the call that failed; survives being thrown again.
    pub at: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

/// Raises `error` at the position of the current call. The only way in which bindings raise errors: the language
/// fills in positions for some kinds of calls only.
pub fn fail(call: &NativeCallContext, mut error: Error) -> Box<EvalAltResult> {
    let context = context(call);
    // Scripts pass on what they catch: to files and to other programs, too.
    context.run.secrets().mask_error(&mut error);
    let position = call.call_position();
    let (source, shown) = context.sources.shown(call.call_source().unwrap_or("script"), position);
    let at = place(Some(&source), shown);
    if error.kind == Kind::Interrupted {
        // Not catchable by scripts: a cancelled run must end.
        return EvalAltResult::ErrorTerminated(at.into(), position).into();
    }
    EvalAltResult::ErrorRuntime(Dynamic::from(Failure { error, at }), position).into()
}

/// The [`Failure`] inside an error of the language, whatever the error came through.
pub fn failure_of(error: &EvalAltResult) -> Failure {
    let at = place(None, error.position());
    match error.unwrap_inner() {
        EvalAltResult::ErrorTerminated(token, _) => Failure { error: Error::interrupted(), at: token.to_string() },
        EvalAltResult::ErrorRuntime(payload, _) => match payload.clone().try_cast::<Failure>() {
            Some(failure) => failure,
            None => Failure { error: thrown(payload), at },
        },
        EvalAltResult::ErrorModuleNotFound(name, _) => {
            let error = Error::script(format!("unknown module `{name}`"));
            let help = "a module is NAME.rhai beside the script, in --stdlib DIR, or one of the built-in ones";
            Failure { error: error.help(help), at }
        }
        EvalAltResult::ErrorFunctionNotFound(call, _) => {
            let error = Error::script(format!("unknown function {}", call_in_words(call)));
            Failure {
                error: error
                    .help("`k3srun help NAME` shows how a function is called, `k3srun check` finds such mistakes"),
                at,
            }
        }
        other => Failure { error: Error::script(without_position(other)), at },
    }
}

/// `run (Host, i64)` as `run(Host, integer)`.
fn call_in_words(call: &str) -> String {
    let call = call.replace("&str | ImmutableString | String", "text").replace(" (", "(");
    call.replace("i64", "integer").replace("f64", "float")
}

/// What a script throws: a text, or a map with `message` and perhaps `help`.
fn thrown(payload: &Dynamic) -> Error {
    let text = |key| payload.read_lock::<rhai::Map>().and_then(|map| map.get(key)?.clone().into_string().ok());
    let shown = || if payload.is::<Secret>() { MASK.to_owned() } else { payload.to_string() };
    let error = Error::script(text("message").unwrap_or_else(shown));
    match text("help") {
        Some(help) => error.help(help),
        None => error,
    }
}

/// The language's own message; the position is shown by the diagnostic.
fn without_position(error: &EvalAltResult) -> String {
    let mut text = error.to_string();
    if let Some(at) = text.rfind(" (line ") {
        text.truncate(at);
    }
    text
}

fn place(source: Option<&str>, position: Position) -> String {
    match (position.line(), position.position()) {
        (Some(line), Some(column)) => format!("{}:{line}:{column}", source.unwrap_or("script")),
        _ => source.unwrap_or("script").to_owned(),
    }
}
