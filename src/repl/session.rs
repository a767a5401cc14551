//! Evaluates one entry after the other; variables, functions and imports stay.

use std::ops::Range;
use std::sync::Arc;

use rhai::{AST, Dynamic, Engine, Expr, Scope, Stmt};

use crate::script::{Context, Fallible};

/// The id of the text that all entries together make up: its first line has the imports, then follow the entries. In errors
/// each is called `entry N`.
pub const ID: &str = "<input>";

/// The variable that has the last value.
pub const LAST: &str = "it";

/// What stays between the entries.
pub struct Session<'a> {
    engine: &'a Engine,
    context: Arc<Context>,
    scope: Scope<'static>,
    functions: AST,
    imports: String,
    /// All entries so far. One text for all, so that the check of a wrong entry knows the functions of the earlier ones.
    text: String,
    /// How many there were.
    entries: usize,
    /// Where in `text` an entry stands that couldn't be compiled: the next one does without it.
    rejected: Option<Range<usize>>,
}

impl<'a> Session<'a> {
    /// A session in which nothing has been said.
    pub fn new(engine: &'a Engine, context: Arc<Context>) -> Self {
        Session {
            engine,
            context,
            scope: Scope::new(),
            functions: AST::empty(),
            imports: String::new(),
            text: String::new(),
            entries: 0,
            rejected: None,
        }
    }

    /// Evaluates an entry. What it defined before an error stays defined, as in a shell.
    ///
    /// # Errors
    /// What the script raises.
    pub fn evaluate(&mut self, entry: &str) -> Fallible<Dynamic> {
        self.forget_rejected();
        let start = self.text.len();
        let first = self.text.matches('\n').count() + 2;
        self.entries += 1;
        self.text.push_str(entry);
        // Ends an expression, also behind a comment: two of them in a row are no program.
        self.text.push_str("\n;\n");
        self.context.sources.put_part(ID, first, &format!("entry {}", self.entries), entry);
        self.context.sources.put(ID, &format!("{}\n{}", self.imports, self.text));
        let program = format!("{}{}{entry}", self.imports, "\n".repeat(first - 1));
        let mut ast = self.engine.compile_with_scope(&self.scope, &program).inspect_err(|_| {
            self.rejected = Some(start..self.text.len());
        })?;
        ast.set_source(ID);
        let mut program = self.functions.merge(&ast);
        program.set_source(ID);
        self.functions = self.functions.merge(&ast.clone_functions_only());
        self.imports = imports(&ast);
        let value: Dynamic = self.engine.eval_ast_with_scope(&mut self.scope, &program)?;
        if !value.is_unit() {
            self.scope.set_value(LAST, value.clone());
        }
        Ok(value)
    }

    /// Defines a variable by an expression that isn't an entry.
    ///
    /// # Errors
    /// What the expression raises.
    pub fn define(&mut self, name: &str, expression: &str) -> Fallible<()> {
        let value: Dynamic = self.engine.eval_with_scope(&mut self.scope, expression)?;
        self.scope.set_value(name.to_owned(), value);
        Ok(())
    }

    /// The variables as they are now, to be given back to [`Session::restore`].
    pub fn variables(&self) -> Scope<'static> {
        self.scope.clone()
    }

    /// Takes back what happened to variables since then.
    pub fn restore(&mut self, variables: Scope<'static>) {
        self.scope = variables;
    }

    /// Whether there is a variable of this name.
    pub fn has(&self, name: &str) -> bool {
        self.scope.contains(name)
    }

    /// The value of the last entry that had one.
    pub fn last(&self) -> Option<Dynamic> {
        self.scope.get_value(LAST)
    }

    /// The names of the functions that entries have defined.
    pub fn functions(&self) -> Vec<String> {
        let mut names: Vec<String> = self.functions.iter_functions().map(|function| function.name.to_owned()).collect();
        names.retain(|name| rhai::is_valid_identifier(name));
        names.sort();
        names.dedup();
        names
    }

    fn forget_rejected(&mut self) {
        if let Some(range) = self.rejected.take() {
            let lines = self.text[range.clone()].matches('\n').count();
            self.text.replace_range(range, &"\n".repeat(lines));
        }
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
    use crate::script::{Explainer, Folders, Phases, Settings, engine, render};

    /// What is shown for each entry, in one session.
    fn session(entries: &[&str]) -> Vec<String> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let run = Run::new(Report::new(vec![]), Mode::Apply);
        let context = Context::new(run, runtime.handle().clone(), Settings::default(), Phases::default());
        let mut engine = engine(&context, Folders::default());
        crate::bindings::register(&mut engine);
        let catalog = crate::bindings::catalog();
        let mut session = Session::new(&engine, context.clone());
        let mut evaluate = |entry: &&str| match session.evaluate(entry) {
            Ok(value) if value.is_unit() => String::new(),
            // As the report masks it.
            Ok(value) => context.run.secrets().masked(&crate::script::text_of(&engine, value).unwrap()),
            Err(error) => {
                let explainer =
                    Explainer { main: ID, sources: &context.sources, folders: &Folders::default(), catalog: &catalog };
                render(&context.sources, ID, &error, &explainer.explain(&error), false)
            }
        };
        entries.iter().map(&mut evaluate).collect()
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
            "it + 1 // a comment",
            "secret(\"correct horse\")",
            "[1, #{ a: \"b\" }]",
        ]);
        assert_eq!(
            shown,
            ["", "", "42", "", "43", "", "4", "", "4", "", "3", "4", "***", "[1, #{\"a\": \"b\"}]"].map(str::to_owned)
        );
    }

    #[test]
    fn what_an_entry_defined_before_its_error_stays() {
        let shown = session(&["let x = 1; fail(\"no\"); let y = 2", "x", "y"]);
        assert_eq!(shown[1], "1");
        assert!(shown[2].contains("undefined variable `y`"), "{}", shown[2]);
    }

    #[test]
    fn an_error_is_shown_in_the_entry_that_it_is_in() {
        let shown = session(&["let x = 1;", "fn fails() {\n    fail(\"no\")\n}", "x;\nfails()"]);
        insta::assert_snapshot!(shown[2], @r#"
         × no
          ╭─[entry 2:2:5]
        1 │ fn fails() {
        2 │     fail("no")
          ·     ────
        3 │ }
          ╰────
         help: at fails() entry 2:2:5
               at script entry 3:2:1
        "#);
    }

    #[test]
    fn a_mistake_is_explained_whatever_came_before() {
        let shown =
            session(&["1", "let broken = (", "fn greet(name) { name }", "foo(1)", "local().querry(\"x\")", "greet()"]);
        assert!(shown[3].contains("unknown function `foo`") && shown[3].contains("entry 4:1:1"), "{}", shown[3]);
        assert!(shown[4].contains("did you mean `query`?"), "{}", shown[4]);
        assert!(shown[5].contains("greet"), "{}", shown[5]);
    }
}
