//! Plays another playbook inside the run of the one that asks for it.

use std::path::{Path, PathBuf};

use rhai::{Dynamic, EvalAltResult, NativeCallContext, Scope};

use super::errors::fail;
use super::{Fallible, Inputs, context};
use crate::error::Error;

/// Runs the script at `path`, which is relative to the calling script's folder, with the connections, the phases and the
/// report of this run, and with `inputs` of its own.
///
/// # Errors
/// Refused when the file can't be read; whatever the script raises, with its own call stack.
pub fn play(call: &NativeCallContext, path: &str, inputs: Inputs) -> Fallible<Dynamic> {
    let file = match call.call_source().filter(|id| !id.starts_with('<')).and_then(|id| Path::new(id).parent()) {
        Some(folder) => folder.join(path),
        None => PathBuf::from(path),
    };
    let id = file.display().to_string();
    let text = std::fs::read_to_string(&file)
        .map_err(|error| fail(call, Error::refused(format!("can't read the playbook {id}: {error}"))))?;
    context(call).sources.put(&id, &text);
    let inside = |error: Box<EvalAltResult>| -> Box<EvalAltResult> {
        EvalAltResult::ErrorInModule(id.clone(), error, call.call_position()).into()
    };
    let engine = call.engine();
    let mut ast = super::engine::parse(engine, &text).map_err(|error| inside(error.into()))?;
    ast.set_source(id.as_str());
    let outer = context(call).replace_inputs(inputs);
    let result = engine.eval_ast_with_scope(&mut Scope::new(), &ast).map_err(inside);
    context(call).replace_inputs(outer);
    result
}
