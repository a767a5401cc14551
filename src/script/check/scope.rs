//! Walks through a script with the variables that each place of it sees.

use std::collections::BTreeSet;

use rhai::{AST, ASTNode, Expr, Ident, Module, Namespace, Position, ScriptFuncDef, Stmt, StmtBlock};

use super::calls;
use super::library::Script;
use super::mistake::Mistake;
use crate::script::Catalog;
use crate::suggestion::nearest;

/// All mistakes in one script.
pub(super) fn check(script: &Script, catalog: &Catalog, properties: &BTreeSet<&str>) -> Vec<Mistake> {
    let mut walker =
        Walker { script, catalog, properties, scopes: vec![Vec::new()], inside: None, mistakes: Vec::new() };
    walker.statements(script.ast.statements());
    for function in script.ast.iter_fn_def() {
        walker.function(function);
    }
    walker.mistakes
}

/// Goes through statements in their order. `scopes` are the blocks that it is in, innermost last.
pub(super) struct Walker<'a> {
    pub script: &'a Script,
    pub catalog: &'a Catalog,
    pub properties: &'a BTreeSet<&'a str>,
    scopes: Vec<Vec<String>>,
    /// The named function that it is in.
    inside: Option<String>,
    mistakes: Vec<Mistake>,
}

impl Walker<'_> {
    /// Notes a mistake.
    pub(super) fn mistake(&mut self, position: Position, message: String, help: Option<String>) {
        self.mistakes.push(Mistake::new(&self.script.id, position, message, help));
    }

    fn function(&mut self, function: &ScriptFuncDef) {
        self.inside = (!function.name.starts_with("anon$")).then(|| function.name.to_string());
        // A closure has what it captured among its parameters; a named function sees nothing of what is around it.
        self.scopes = vec![function.params.iter().map(ToString::to_string).collect()];
        // The body's own type has no public name; a walk comes to its statements first, each at the start of a path.
        let mut alone = Module::new();
        alone.set_script_fn(function.clone());
        AST::new_from_module(alone).walk(&mut |path| {
            if let [ASTNode::Stmt(statement)] = path {
                self.statement(statement);
            }
            true
        });
        self.inside = None;
    }

    fn statements(&mut self, statements: &[Stmt]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn block(&mut self, block: &StmtBlock, names: &[&str]) {
        self.scopes.push(names.iter().map(ToString::to_string).collect());
        self.statements(block.statements());
        self.scopes.pop();
    }

    fn declare(&mut self, name: &str) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(name.to_owned());
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::If(flow, _) => {
                self.expression(&flow.expr);
                self.block(&flow.body, &[]);
                self.block(&flow.branch, &[]);
            }
            Stmt::While(flow, _) => {
                self.expression(&flow.expr);
                self.block(&flow.body, &[]);
            }
            Stmt::Do(flow, ..) => {
                self.block(&flow.body, &[]);
                self.expression(&flow.expr);
            }
            Stmt::For(parts, _) => {
                let (item, counter, flow) = &**parts;
                self.expression(&flow.expr);
                let names = std::iter::once(item).chain(counter).map(Ident::as_str).collect::<Vec<_>>();
                self.block(&flow.body, &names);
            }
            Stmt::TryCatch(flow, _) => {
                self.block(&flow.body, &[]);
                let caught = match &flow.expr {
                    Expr::Variable(variable, ..) => vec![variable.1.as_str()],
                    _ => vec![],
                };
                self.block(&flow.branch, &caught);
            }
            Stmt::Switch(parts, _) => {
                let (value, cases) = &**parts;
                self.expression(value);
                for case in &cases.expressions {
                    self.expression(&case.lhs);
                    self.expression(&case.rhs);
                }
            }
            Stmt::Var(parts, ..) => {
                self.expression(&parts.1);
                self.declare(parts.0.as_str());
            }
            Stmt::Assignment(parts) => {
                self.expression(&parts.1.lhs);
                self.expression(&parts.1.rhs);
            }
            Stmt::FnCall(call, position) => calls::check(self, call, *position, false),
            Stmt::Block(block) => self.block(block, &[]),
            Stmt::Expr(expression) => self.expression(expression),
            Stmt::BreakLoop(Some(value), ..) | Stmt::Return(Some(value), ..) => self.expression(value),
            Stmt::Import(import, _) => self.expression(&import.0),
            Stmt::Export(names, _) => self.variable(&names.0.name, names.0.pos),
            Stmt::Share(captured) => {
                for (variable, _) in captured.iter() {
                    self.variable(&variable.name, variable.pos);
                }
            }
            _ => {}
        }
    }

    pub(super) fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::Variable(variable, _, position) if variable.2.is_empty() => self.variable(&variable.1, *position),
            Expr::Variable(variable, _, position) => self.qualified(&variable.2, &variable.1, *position),
            Expr::Stmt(block) => self.block(block, &[]),
            Expr::FnCall(call, position) => calls::check(self, call, *position, false),
            Expr::MethodCall(call, position) => calls::check(self, call, *position, true),
            Expr::Dot(parts, ..) | Expr::Index(parts, ..) => {
                self.expression(&parts.lhs);
                self.expression(&parts.rhs);
            }
            Expr::Array(parts, _) | Expr::InterpolatedString(parts, _) => {
                parts.iter().for_each(|part| self.expression(part));
            }
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
                parts.iter().for_each(|part| self.expression(part));
            }
            Expr::Map(map, _) => map.0.iter().for_each(|(_, value)| self.expression(value)),
            _ => {}
        }
    }

    fn variable(&mut self, name: &str, position: Position) {
        let visible = |scopes: &[Vec<String>]| scopes.iter().flatten().any(|known| known == name);
        // The name of a function is a value, too.
        if visible(&self.scopes) || self.script.functions().any(|function| function.name == name) {
            return;
        }
        let known = self.scopes.iter().flatten().map(String::as_str);
        let help = if self.inside.is_some() && self.script.constants.contains(name) {
            format!("inside a function a constant of the script is `global::{name}`")
        } else if let (Some(function), true) = (&self.inside, self.script.variables.contains(name)) {
            format!("functions don't see the variables around them: give it to {function}() as a parameter")
        } else if self.script.variables.contains(name) || self.script.constants.contains(name) {
            "it is defined further down".to_owned()
        } else if let Some(name) = nearest(name, known) {
            format!("did you mean `{name}`?")
        } else if self.catalog.names("").any(|known| known == name) {
            format!("`{name}` is a function: call it with parentheses, or wrap it in a closure")
        } else {
            format!("define it before: let {name} = ...;")
        };
        self.mistake(position, format!("undefined variable `{name}`"), Some(help));
    }

    /// `global::NAME` or `module::NAME`.
    fn qualified(&mut self, namespace: &Namespace, name: &str, position: Position) {
        let known = match (namespace.root(), &*namespace.path) {
            ("global", [_]) => Some(self.script.constants.iter().cloned().collect()),
            (root, [_]) => match self.script.imports.get(root) {
                Some(module) => module.as_ref().map(|module| module.exports()),
                None if self.catalog.namespaces().contains_key(root) => None,
                None => return calls::unknown_namespace(self, root, namespace.position()),
            },
            _ => None,
        };
        let known: Option<BTreeSet<String>> = known;
        if let Some(known) = known
            && !known.contains(name)
        {
            let help = nearest(name, known.iter().map(String::as_str)).map(|name| format!("did you mean `{name}`?"));
            self.mistake(position, format!("undefined constant `{}::{name}`", namespace.root()), help);
        }
    }
}
