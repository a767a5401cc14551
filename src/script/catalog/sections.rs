//! The order in which help and reference tell about functions.

use super::{Catalog, Function};

/// Functions that belong together.
pub(super) struct Section<'a> {
    /// `ssh`, `Host`; empty for the functions without a namespace.
    pub name: &'a str,
    /// What it is.
    pub kind: Kind,
    /// What it says about itself.
    pub doc: &'a str,
    /// Its functions, those of one name together.
    pub functions: Vec<&'a Function>,
}

/// Where functions belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Global,
    Namespace,
    Type,
    Module,
}

/// What k3srun adds to the language: the functions in `catalog`, then the modules in `library`.
pub(super) fn sections<'a>(catalog: &'a Catalog, library: &'a Catalog) -> Vec<Section<'a>> {
    let own: Vec<&Function> = catalog.functions().filter(|function| !function.standard && shown(function)).collect();
    let select = |wanted: &dyn Fn(&Function) -> bool| {
        let mut functions: Vec<&Function> = own.iter().copied().filter(|function| wanted(function)).collect();
        functions.sort_by_cached_key(|function| {
            (!function.property, function.name.clone(), function.arity(), function.signature())
        });
        functions
    };
    let global = select(&|function| function.namespace.is_empty() && function.receiver.is_none());
    let mut sections = vec![Section { name: "", kind: Kind::Global, doc: "", functions: global }];
    for (name, doc) in catalog.namespaces() {
        let functions = select(&|function| function.namespace == *name && function.receiver.is_none());
        sections.push(Section { name, kind: Kind::Namespace, doc, functions });
    }
    let mut types: Vec<&str> = own.iter().filter_map(|function| function.receiver.as_deref()).collect();
    types.sort_unstable();
    types.dedup();
    for name in types {
        let functions = select(&|function| function.receiver.as_deref() == Some(name));
        sections.push(Section { name, kind: Kind::Type, doc: "", functions });
    }
    for (name, doc) in library.namespaces() {
        let functions = library.functions().filter(|function| function.namespace == *name).collect();
        sections.push(Section { name, kind: Kind::Module, doc, functions });
    }
    sections
}

/// Conversions to text and operators need no words.
fn shown(function: &Function) -> bool {
    function.is_named() && !matches!(function.name.as_str(), "to_string" | "to_debug")
}
