//! Everything that scripts can call, from its one declaration: the function with its doc comment. The check of scripts,
//! the help, the reference, completion and the remedies in errors all read it from here.

mod function;
pub mod help;
mod library;
mod metadata;
mod reference;
mod sections;

use std::collections::BTreeMap;

use rhai::Engine;

pub use function::{Function, Parameter};
pub use reference::markdown;

use super::Fallible;
use super::options::OptionSet;

/// The functions of an engine.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    functions: Vec<Function>,
    namespaces: BTreeMap<String, String>,
}

impl Catalog {
    /// Everything that is registered in `engine`; `options` tells what is known of the option maps.
    ///
    /// # Errors
    /// When the language's own description of the functions can't be read: a mistake in k3srun.
    pub fn of(engine: &Engine, options: &[OptionSet]) -> Fallible<Self> {
        let mut catalog = metadata::read(engine)?;
        for function in &mut catalog.functions {
            let path = function.path();
            let set = options.iter().find(|set| set.functions.contains(&path.as_str()));
            function.options = set.filter(|_| function.takes_map()).map(|set| set.names);
        }
        Ok(catalog)
    }

    /// All functions, by namespace and name.
    pub fn functions(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter()
    }

    /// The namespaces, each with what its module says about itself.
    pub fn namespaces(&self) -> &BTreeMap<String, String> {
        &self.namespaces
    }

    /// The functions with this name and namespace (`ssh`; empty for the global one); properties are not among them.
    pub fn overloads<'a>(&'a self, namespace: &'a str, name: &'a str) -> impl Iterator<Item = &'a Function> {
        self.functions.iter().filter(move |function| {
            let reachable = function.namespace == namespace || namespace.is_empty() && function.global;
            reachable && function.name == name && !function.property
        })
    }

    /// The names that can be called in a namespace.
    pub fn names<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a str> {
        let callable = self.functions.iter().filter(|function| !function.property && function.is_named());
        let inside =
            callable.filter(move |function| function.namespace == namespace || namespace.is_empty() && function.global);
        inside.map(|function| function.name.as_str())
    }
}
