//! Finds what `import` names: beside the script, in the user's override folder, or in the standard library.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use include_dir::{Dir, include_dir};
use rhai::{Engine, EvalAltResult, FnNamespace, Module, ModuleResolver, Position, Scope, Shared};

use super::{Fallible, Sources};

static STDLIB: Dir = include_dir!("$CARGO_MANIFEST_DIR/stdlib");

/// The modules that come with k3srun.
pub(super) fn standard_library() -> &'static Dir<'static> {
    &STDLIB
}

thread_local! {
    /// The modules that are being loaded, outermost first: how a circular import is seen.
    static LOADING: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Where modules are looked for, beside the built-in standard library.
#[derive(Debug, Clone, Default)]
pub struct Folders {
    /// Whose modules are used instead of the built-in ones.
    pub overrides: Vec<PathBuf>,
    /// Where the other modules are: the script's own folder.
    pub beside: Vec<PathBuf>,
}

/// Resolves imports. `./x` and `../x` are relative to the importing file. A bare name is looked for in the folders that
/// override the standard library, then in the standard library, then beside the script: a playbook may have the name of
/// a module that it uses.
pub struct Resolver {
    folders: Folders,
    sources: Sources,
    cache: RwLock<BTreeMap<String, Shared<Module>>>,
}

impl Resolver {
    /// A resolver that looks into `folders`.
    pub fn new(folders: Folders, sources: Sources) -> Self {
        Resolver { folders, sources, cache: RwLock::default() }
    }

    /// The source id and the text of a module.
    pub fn find(&self, importer: Option<&str>, path: &str) -> Option<(String, String)> {
        let file = format!("{path}.rhai");
        if Path::new(path).is_absolute() {
            return None;
        }
        if path.starts_with("./") || path.starts_with("../") {
            return match importer.and_then(|id| id.strip_prefix("<stdlib>/")) {
                Some(importer) => embedded(&normal(&Path::new(importer).parent()?.join(&file))?),
                None => in_folder(importer.and_then(|id| Path::new(id).parent()).unwrap_or(Path::new("")), &file),
            };
        }
        let first = |folders: &[PathBuf]| folders.iter().find_map(|folder| in_folder(folder, &file));
        first(&self.folders.overrides).or_else(|| embedded(&file)).or_else(|| first(&self.folders.beside))
    }

    /// The names that `importer` could import, for suggestions.
    pub fn known(&self, importer: Option<&str>) -> Vec<String> {
        let beside = importer.filter(|id| !id.starts_with('<')).and_then(|id| Path::new(id).parent());
        let mut names = Vec::new();
        for folder in self.folders.overrides.iter().chain(&self.folders.beside) {
            names.extend(scripts_in(folder, ""));
        }
        if let Some(folder) = beside {
            names.extend(scripts_in(folder, "./"));
        }
        collect_embedded(&STDLIB, &mut names);
        names.sort();
        names.dedup();
        names
    }

    fn load(&self, engine: &Engine, id: &str, text: &str, position: Position) -> Fallible<Shared<Module>> {
        let inside = |error: Box<EvalAltResult>| -> Box<EvalAltResult> {
            EvalAltResult::ErrorInModule(id.to_owned(), error, position).into()
        };
        let mut ast = super::engine::parse(engine, text).map_err(|error| inside(error.into()))?;
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

fn in_folder(folder: &Path, file: &str) -> Option<(String, String)> {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).ok()?;
    // `a/./b` and `a/../b` are the same module as `a/b` and `b`.
    Some((normal(&path).unwrap_or_else(|| path.display().to_string()), text))
}

/// The text of a file of the standard library, or of the one that stands in for it in the folder `overrides`. The path has
/// no `..` in it.
pub fn library_text(overrides: Option<&Path>, file: &str) -> Option<String> {
    let inside = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
    let own = overrides.filter(|_| inside).and_then(|folder| in_folder(folder, file));
    own.or_else(|| embedded(file)).map(|(_, text)| text)
}

/// The files of the standard library that are no modules.
pub fn library_files() -> Vec<String> {
    fn collect(folder: &Dir, names: &mut Vec<String>) {
        let paths = folder.files().filter_map(|file| file.path().to_str());
        names.extend(paths.filter(|path| !path.ends_with(".rhai")).map(str::to_owned));
        folder.dirs().for_each(|inner| collect(inner, names));
    }
    let mut names = Vec::new();
    collect(&STDLIB, &mut names);
    names
}

fn embedded(file: &str) -> Option<(String, String)> {
    Some((format!("<stdlib>/{file}"), STDLIB.get_file(file)?.contents_utf8()?.to_owned()))
}

/// The path without `.` and without `folder/..`.
fn normal(path: &Path) -> Option<String> {
    let mut parts: Vec<Component> = Vec::new();
    for part in path.components() {
        match (part, parts.last()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    Some(parts.iter().collect::<PathBuf>().to_str()?.to_owned())
}

fn scripts_in(folder: &Path, prefix: &str) -> Vec<String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some(format!("{prefix}{}", name.strip_suffix(".rhai")?))
    });
    names.collect()
}

fn collect_embedded(folder: &Dir, names: &mut Vec<String>) {
    let paths = folder.files().filter_map(|file| file.path().to_str()?.strip_suffix(".rhai"));
    names.extend(paths.map(str::to_owned));
    folder.dirs().for_each(|inner| collect_embedded(inner, names));
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
