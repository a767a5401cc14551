//! The functions of the standard library's modules, from their own doc comments.

use include_dir::Dir;
use rhai::FnAccess;

use super::metadata::comment;
use super::{Catalog, Function, Parameter};
use crate::script::{engine, resolver};

impl Catalog {
    /// The modules that scripts can import, as namespaces with functions.
    pub fn of_library() -> Catalog {
        let mut catalog = Catalog::default();
        add(&mut catalog, resolver::standard_library());
        catalog
    }
}

fn add(catalog: &mut Catalog, folder: &Dir) {
    for file in folder.files() {
        let name = file.path().to_str().and_then(|path| path.strip_suffix(".rhai"));
        let (Some(name), Some(text)) = (name, file.contents_utf8()) else { continue };
        // A module that can't be parsed is found by the check of the scripts.
        let Ok(ast) = engine::reader().compile(text) else { continue };
        catalog.namespaces.insert(name.to_owned(), comment(ast.doc()));
        let mut functions: Vec<Function> = ast
            .iter_fn_def()
            .filter(|function| function.access == FnAccess::Public && !function.name.starts_with("anon$"))
            .map(|function| Function {
                namespace: name.to_owned(),
                name: function.name.to_string(),
                global: false,
                property: false,
                receiver: None,
                parameters: function
                    .params
                    .iter()
                    .map(|name| Parameter { name: name.to_string(), kind: String::new() })
                    .collect(),
                returns: String::new(),
                doc: comment(&function.comments.join("\n")),
                standard: false,
                options: None,
            })
            .collect();
        functions.sort_by(|a, b| a.name.cmp(&b.name));
        catalog.functions.extend(functions);
    }
    folder.dirs().for_each(|inner| add(catalog, inner));
}
