//! Finds what `import` names: beside the script, in the user's override folder, or in the standard library.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use include_dir::{Dir, include_dir};
use rhai::{Engine, EvalAltResult, FnNamespace, Module, ModuleResolver, Position, Scope, Shared};

use super::{Fallible, Sources};

static STDLIB: Dir = include_dir!("$CARGO_MANIFEST_DIR/stdlib");

thread_local! {
    /// The modules that are being loaded, outermost first: how a circular import is seen.
    static LOADING: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Resolves imports. `./x` and `../x` are relative to the importing file; a bare name is looked for in the search
/// folders and then in the built-in standard library.
pub struct Resolver {
    folders: Vec<PathBuf>,
    sources: Sources,
    cache: RwLock<BTreeMap<String, Shared<Module>>>,
}

impl Resolver {
    /// A resolver that looks into `folders`, in this order, before the standard library.
    pub fn new(folders: Vec<PathBuf>, sources: Sources) -> Self {
        Resolver { folders, sources, cache: RwLock::default() }
    }

    /// The source id and the text of a module.
    pub fn find(&self, importer: Option<&str>, path: &str) -> Option<(String, String)> {
        let file = format!("{path}.rhai");
        if Path::new(path).is_absolute() {
            return None;
        }
        let relative = path.starts_with("./") || path.starts_with("../");
        let candidates: Vec<PathBuf> = if relative {
            let folder = importer.filter(|id| !id.starts_with('<')).and_then(|id| Path::new(id).parent());
            folder.map(|folder| folder.join(&file)).into_iter().collect()
        } else {
            self.folders.iter().map(|folder| folder.join(&file)).collect()
        };
        for candidate in candidates {
            if let Ok(text) = std::fs::read_to_string(&candidate) {
                return Some((candidate.display().to_string(), text));
            }
        }
        let name = file.trim_start_matches("./");
        let text = STDLIB.get_file(name)?.contents_utf8()?;
        Some((format!("<stdlib>/{name}"), text.to_owned()))
    }

    fn load(&self, engine: &Engine, id: &str, text: &str, position: Position) -> Fallible<Shared<Module>> {
        let inside = |error: Box<EvalAltResult>| -> Box<EvalAltResult> {
            EvalAltResult::ErrorInModule(id.to_owned(), error, position).into()
        };
        let mut ast = engine.compile(text).map_err(|error| inside(error.into()))?;
        ast.set_source(id);
        let mut module = Module::eval_ast_as_new(Scope::new(), &ast, engine).map_err(inside)?;
        // Without this a closure that a module function returns can't be called outside: Rhai 1.27 looks such a
        // closure up only in the first of the caller's libraries.
        for closure in ast.iter_fn_def().filter(|function| function.name.starts_with("anon$")) {
            let hash = module.set_script_fn(closure.clone());
            #[allow(deprecated)]
            module.update_fn_namespace(hash, FnNamespace::Global);
        }
        module.build_index();
        Ok(module.into())
    }
}

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Fallible<Shared<Module>> {
        let Some((id, text)) = self.find(source, path) else {
            return Err(EvalAltResult::ErrorModuleNotFound(path.to_owned(), position).into());
        };
        if let Some(module) = self.cache.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(module.clone());
        }
        if LOADING.with_borrow(|loading| loading.contains(&id)) {
            let chain = LOADING.with_borrow(|loading| loading.join(" -> "));
            let text = format!("circular import: {chain} -> {id}");
            return Err(EvalAltResult::ErrorRuntime(text.into(), position).into());
        }
        self.sources.put(&id, &text);
        LOADING.with_borrow_mut(|loading| loading.push(id.clone()));
        let loaded = self.load(engine, &id, &text, position);
        LOADING.with_borrow_mut(Vec::pop);
        let module = loaded?;
        self.cache.write().unwrap_or_else(PoisonError::into_inner).insert(id, module.clone());
        Ok(module)
    }
}
