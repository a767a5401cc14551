//! Makes the engine and runs programs in it.

use std::sync::Arc;

use rhai::{
    AST, Dynamic, Engine, EvalAltResult, LexError, OptimizationLevel, ParseError, ParseErrorType, Position, Scope,
};

use super::{Context, Fallible, Folders, Resolver, Sources, current_item};
use crate::report::{Event, Level};

/// An engine with the limits, the resolver and the state of a run; without any bindings.
///
/// Imports are looked for in `folders` and in the built-in standard library.
pub fn engine(context: &Arc<Context>, folders: Folders) -> Engine {
    let mut engine = Engine::new();
    limit(&mut engine);
    engine.set_module_resolver(Resolver::new(folders, context.sources.clone()));
    engine.set_default_tag(Dynamic::from(context.clone()));
    let run = context.run.clone();
    engine.on_progress(move |_| run.cancel().is_cancelled().then(|| "script".into()));
    let report = context.run.report().clone();
    engine.on_print(move |text| {
        let text = match current_item() {
            Some(item) => format!("{item}: {text}"),
            None => text.to_owned(),
        };
        report.emit(Event::Print { text });
    });
    let report = context.run.report().clone();
    engine.on_debug(move |text, source, position| {
        let text = format!("{}:{position}: {text}", source.unwrap_or("script"));
        report.emit(Event::Note { level: Level::Info, host: current_item(), text });
    });
    engine
}

/// An engine that only parses, and leaves the script as it is written.
pub fn reader() -> Engine {
    let mut engine = Engine::new();
    limit(&mut engine);
    // Undefined variables are found by a walk of its own, all of them.
    engine.set_strict_variables(false).set_optimization_level(OptimizationLevel::None);
    engine
}

/// How large values may be, for people; see `limit`.
pub(super) const LIMITS: &str = "a map or an array holds at most 100,000 values, those inside of its own included, and a text 64 MB: take out what is needed before";

/// Everything explicit: the defaults of a debug build differ from those of a release build.
fn limit(engine: &mut Engine) {
    engine
        .set_max_call_levels(128)
        .set_max_expr_depths(128, 64)
        .set_max_string_size(64 << 20)
        .set_max_array_size(100_000)
        .set_max_map_size(100_000)
        .set_max_modules(200)
        .set_max_functions(2_000)
        .set_max_variables(2_000)
        .set_strict_variables(true)
        .set_optimization_level(OptimizationLevel::Simple)
        // Its errors would be reported at the wrong place.
        .disable_symbol("eval");
}

/// Parses a script.
///
/// # Errors
/// The first syntax error. A comment without an end, too: Rhai would take everything after its beginning for the comment.
pub fn parse(engine: &Engine, text: &str) -> Result<AST, ParseError> {
    let ast = engine.compile(text)?;
    // Only where a comment is open the end of one can stand there.
    if let Some(start) = text.rfind("/*")
        && engine.compile(format!("{text}\n*/")).is_ok()
    {
        let before = &text[..start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let number = |it: usize| u16::try_from(it).unwrap_or(u16::MAX);
        let problem = "a comment that begins with /* has no end: add */".to_owned();
        let error = ParseErrorType::BadInput(LexError::ImproperSymbol("/*".to_owned(), problem));
        return Err(ParseError(Box::new(error), Position::new(number(line), number(column))));
    }
    Ok(ast)
}

/// A script, compiled.
pub struct Program {
    ast: AST,
}

impl Program {
    /// Compiles a script; `id` is its path or a name like `<expression>`.
    ///
    /// # Errors
    /// The first syntax error, with its position.
    pub fn compile(engine: &Engine, sources: &Sources, id: &str, text: &str) -> Fallible<Self> {
        sources.put(id, text);
        let mut ast = parse(engine, text).map_err(|error| Box::new(EvalAltResult::from(error)))?;
        ast.set_source(id);
        Ok(Program { ast })
    }

    /// Runs it and returns the value of its last expression.
    pub fn run(&self, engine: &Engine) -> Fallible<Dynamic> {
        engine.eval_ast_with_scope(&mut Scope::new(), &self.ast)
    }
}

/// A value as text, by its own `to_string`.
///
/// # Errors
/// What `to_string` raises.
pub fn text_of(engine: &Engine, value: Dynamic) -> Fallible<String> {
    let mut scope = Scope::new();
    scope.push_dynamic("value", value);
    engine.eval_with_scope(&mut scope, "value.to_string()")
}
