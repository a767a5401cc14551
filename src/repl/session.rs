//! Evaluates one input after the other; variables, functions and imports stay.

use std::sync::Arc;

use rhai::{AST, Dynamic, Engine, Expr, Scope, Stmt};

use crate::script::{Context, Fallible, text_of};

/// The id of the text that all inputs together make up: its first line has the imports, then follow the inputs.
pub const ID: &str = "<input>";

/// What stays between the inputs.
pub struct Session<'a> {
    engine: &'a Engine,
    context: Arc<Context>,
    scope: Scope<'static>,
    functions: AST,
    imports: String,
    /// All inputs so far. One text for all, so that an error in a function of an earlier input is shown where it is.
    inputs: String,
}

impl<'a> Session<'a> {
    /// A session in which nothing has been said.
    pub fn new(engine: &'a Engine, context: Arc<Context>) -> Self {
        let (scope, functions) = (Scope::new(), AST::empty());
        Session { engine, context, scope, functions, imports: String::new(), inputs: String::new() }
    }

    /// Evaluates an input. Returns its value as text, if it has one.
    ///
    /// # Errors
    /// What the script raises; variables that the input defined are gone then.
    pub fn evaluate(&mut self, input: &str) -> Fallible<Option<String>> {
        let text = format!("{}\n{}{input}", self.imports, "\n".repeat(self.inputs.matches('\n').count()));
        self.inputs.push_str(input);
        self.inputs.push('\n');
        self.context.sources.put(ID, &format!("{}\n{}", self.imports, self.inputs));
        let mut ast = self.engine.compile_with_scope(&self.scope, &text)?;
        ast.set_source(ID);
        let mut program = self.functions.merge(&ast);
        program.set_source(ID);
        let before = self.scope.len();
        let value: Fallible<Dynamic> = self.engine.eval_ast_with_scope(&mut self.scope, &program);
        let value = value.inspect_err(|_| {
            self.scope.rewind(before);
        })?;
        self.functions = self.functions.merge(&ast.clone_functions_only());
        self.imports = imports(&ast);
        if value.is_unit() { Ok(None) } else { text_of(self.engine, value).map(Some) }
    }
}

/// The import statements of a program, in one line.
fn imports(ast: &AST) -> String {
    let statements = ast.statements().iter().filter_map(|statement| match statement {
        Stmt::Import(import, _) => match &import.0 {
            Expr::StringConstant(path, _) => Some(format!("import {:?} as {};", path.as_str(), import.1.name)),
            _ => None,
        },
        _ => None,
    });
    let mut statements: Vec<String> = statements.collect();
    statements.dedup();
    statements.join(" ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::report::Report;
    use crate::run::{Mode, Run};
    use crate::script::{Folders, Phases, Settings, engine, failure_of, render};

    /// What each input gives, in one session.
    fn session(inputs: &[&str]) -> Vec<String> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let run = Run::new(Report::new(vec![]), Mode::Apply);
        let context = Context::new(run, runtime.handle().clone(), Settings::default(), Phases::default());
        let mut engine = engine(&context, Folders::default());
        crate::bindings::register(&mut engine);
        let mut session = Session::new(&engine, context.clone());
        let mut evaluate = |input: &&str| match session.evaluate(input) {
            Ok(value) => value.unwrap_or_default(),
            Err(error) => render(&context.sources, ID, &error, &failure_of(&error), false),
        };
        inputs.iter().map(&mut evaluate).collect()
    }

    #[test]
    fn variables_functions_imports_and_closures_stay() {
        let shown = session(&[
            "let x = 20",
            "fn double(n) { n * 2 }",
            "x = double(x) + 2; x",
            "let add = |n| n + x",
            "add.call(1)",
            "import \"cluster\" as cluster;",
            "cluster::namespaces().len()",
            "fn count() { cluster::namespaces().len() }",
            "count()",
            "fn double(n) { n * 3 }",
            "double(1)",
            "secret(\"correct horse\")",
            "[1, #{ a: \"b\" }]",
        ]);
        assert_eq!(
            shown,
            ["", "", "42", "", "43", "", "4", "", "4", "", "3", "***", "[1, #{\"a\": \"b\"}]"].map(str::to_owned)
        );
    }

    #[test]
    fn an_error_shows_the_input_and_leaves_the_session_as_it_was() {
        let shown = session(&["let x = 1;", "fn fails() {\n    fail(\"no\")\n}", "let y = 2; fails()", "x", "y"]);
        assert!(shown[2].contains("2 │ fn fails() {") || shown[2].contains("fail(\"no\")"), "{}", shown[2]);
        assert!(shown[2].contains("at script <input>:6:12"), "{}", shown[2]);
        assert_eq!(shown[3], "1");
        assert!(
            shown[4].contains("Undefined variable: y") || shown[4].contains("undefined variable `y`"),
            "{}",
            shown[4]
        );
    }
}
