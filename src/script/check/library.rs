//! Scripts and what they import, parsed but not run.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rhai::{AST, ASTFlags, ASTNode, Engine, Expr, FnAccess, ParseErrorType, Position, ScriptFuncDef, Stmt};

use super::mistake::Mistake;
use super::scope;
use crate::script::{Catalog, Folders, Resolver, Sources, engine};
use crate::suggestion::nearest;

/// The scripts that one script is made of.
pub struct Library {
    engine: Engine,
    resolver: Resolver,
    sources: Sources,
    scripts: BTreeMap<String, Option<Rc<Script>>>,
    /// The scripts that are being loaded, outermost first.
    loading: Vec<String>,
    mistakes: Vec<Mistake>,
}

/// A parsed script.
pub(super) struct Script {
    pub id: String,
    pub ast: AST,
    /// The modules by their names in this script. None: a module that can't be known, or that has mistakes.
    pub imports: BTreeMap<String, Option<Rc<Script>>>,
    /// The constants that functions see as `global::NAME`.
    pub constants: BTreeSet<String>,
    /// The other variables outside of all functions.
    pub variables: BTreeSet<String>,
    /// The names of all properties that the script gives to maps: a closure in one can be called like a method.
    pub properties: BTreeSet<String>,
}

impl Script {
    /// The named functions of the script.
    pub fn functions(&self) -> impl Iterator<Item = &ScriptFuncDef> {
        self.ast.iter_fn_def().map(AsRef::as_ref).filter(|function| !function.name.starts_with("anon$"))
    }

    /// The functions that importers see.
    pub fn public_functions(&self) -> impl Iterator<Item = &ScriptFuncDef> {
        self.functions().filter(|function| function.access == FnAccess::Public)
    }

    /// The names that importers see beside the functions.
    pub fn exports(&self) -> BTreeSet<String> {
        let exported = self.ast.statements().iter().filter_map(|statement| match statement {
            Stmt::Export(names, _) if names.1.name.is_empty() => Some(names.0.name.to_string()),
            Stmt::Export(names, _) => Some(names.1.name.to_string()),
            Stmt::Var(variable, flags, _) if flags.contains(ASTFlags::EXPORTED) => Some(variable.0.name.to_string()),
            _ => None,
        });
        exported.collect()
    }
}

impl Library {
    /// An empty library. Imports are looked for in `folders`; the texts go to `sources`.
    pub fn new(folders: Folders, sources: Sources) -> Self {
        Library {
            engine: engine::reader(),
            resolver: Resolver::new(folders, sources.clone()),
            sources,
            scripts: BTreeMap::new(),
            loading: Vec::new(),
            mistakes: Vec::new(),
        }
    }

    /// Adds a script and all that it imports.
    pub fn load(&mut self, id: &str, text: &str) {
        self.script(id, text);
    }

    /// All mistakes in the scripts and in the modules that don't come with k3srun.
    pub fn check(self, catalog: &Catalog) -> Vec<Mistake> {
        let mut mistakes = self.check_all(catalog);
        mistakes.retain(|mistake| !mistake.source.starts_with("<stdlib>"));
        mistakes
    }

    /// All mistakes, also those in modules of the standard library.
    pub fn check_all(self, catalog: &Catalog) -> Vec<Mistake> {
        let scripts: Vec<Rc<Script>> = self.scripts.into_values().flatten().collect();
        let properties: BTreeSet<&str> =
            scripts.iter().flat_map(|script| &script.properties).map(String::as_str).collect();
        let mut mistakes = self.mistakes;
        for script in &scripts {
            mistakes.extend(scope::check(script, catalog, &properties));
        }
        mistakes.sort();
        // What stands in a closure is seen once more where the closure is made.
        mistakes.dedup_by(|a, b| (&a.source, a.line, a.column) == (&b.source, b.line, b.column));
        mistakes
    }

    fn script(&mut self, id: &str, text: &str) -> Option<Rc<Script>> {
        if let Some(known) = self.scripts.get(id) {
            return known.clone();
        }
        self.sources.put(id, text);
        let script = match engine::parse(&self.engine, text) {
            Ok(ast) => {
                self.loading.push(id.to_owned());
                let script = self.describe(id, ast);
                self.loading.pop();
                Some(Rc::new(script))
            }
            Err(error) => {
                let help = match error.err_type() {
                    ParseErrorType::Reserved(word) => Some(format!("`{word}` is a word of the language")),
                    _ => None,
                };
                self.mistake(id, error.position(), error.err_type().to_string(), help);
                None
            }
        };
        self.scripts.insert(id.to_owned(), script.clone());
        script
    }

    fn describe(&mut self, id: &str, ast: AST) -> Script {
        let (mut imports, mut properties) = (Vec::new(), BTreeSet::new());
        ast.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Stmt(Stmt::Import(import, position))) => {
                    let target = match &import.0 {
                        Expr::StringConstant(target, _) => Some(target.to_string()),
                        _ => None,
                    };
                    imports.push((import.1.name.to_string(), target, *position));
                }
                Some(ASTNode::Expr(Expr::Map(map, _))) => {
                    properties.extend(map.0.iter().map(|(key, _)| key.name.to_string()));
                }
                Some(ASTNode::Expr(Expr::Property(property, _))) => {
                    properties.insert(property.2.to_string());
                }
                _ => {}
            }
            true
        });
        let mut modules = BTreeMap::new();
        for (name, target, position) in imports {
            let module = target.and_then(|target| self.import(id, &target, position));
            modules.insert(name, module);
        }
        let globals = ast.statements().iter().filter_map(|statement| match statement {
            Stmt::Var(variable, flags, _) => Some((variable.0.name.to_string(), flags.contains(ASTFlags::CONSTANT))),
            _ => None,
        });
        let (constants, variables): (Vec<_>, Vec<_>) = globals.partition(|(_, constant)| *constant);
        let names = |list: Vec<(String, bool)>| list.into_iter().map(|(name, _)| name).collect();
        let (constants, variables) = (names(constants), names(variables));
        Script { id: id.to_owned(), ast, imports: modules, constants, variables, properties }
    }

    fn import(&mut self, importer: &str, target: &str, position: Position) -> Option<Rc<Script>> {
        let Some((id, text)) = self.resolver.find(Some(importer), target) else {
            let known = self.resolver.known(Some(importer));
            let help = match nearest(target, known.iter().map(String::as_str)) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("modules that can be found from here: {}", known.join(", ")),
            };
            self.mistake(importer, position, format!("unknown module `{target}`"), Some(help));
            return None;
        };
        if self.loading.contains(&id) {
            let help = "move what both need into a third module".to_owned();
            let message = format!("circular import: {} -> {id}", self.loading.join(" -> "));
            self.mistake(importer, position, message, Some(help));
            return None;
        }
        self.script(&id, &text)
    }

    fn mistake(&mut self, source: &str, position: Position, message: String, help: Option<String>) {
        self.mistakes.push(Mistake::new(source, position, message, help));
    }
}
