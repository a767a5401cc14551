//! Reads the description that the language gives of the functions in an engine.

use std::collections::{BTreeMap, BTreeSet};

use rhai::Engine;
use serde::Deserialize;

use super::{Catalog, Function, Parameter};
use crate::script::Fallible;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModuleData {
    #[serde(default)]
    modules: BTreeMap<String, ModuleData>,
    #[serde(default)]
    custom_types: Vec<TypeData>,
    #[serde(default)]
    functions: Vec<FunctionData>,
    #[serde(default)]
    doc: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypeData {
    type_name: String,
    display_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionData {
    full_hash: u64,
    namespace: String,
    name: String,
    #[serde(default)]
    params: Vec<ParameterData>,
    num_params: usize,
    #[serde(default)]
    return_type: String,
    #[serde(default)]
    doc_comments: Vec<String>,
}

#[derive(Deserialize, Default)]
struct ParameterData {
    #[serde(default)]
    name: String,
    #[serde(default, rename = "type")]
    kind: String,
}

struct Reader {
    /// The name of each type in Rust, without its path, and in scripts.
    types: BTreeMap<String, String>,
    own: BTreeSet<u64>,
    functions: Vec<Function>,
    namespaces: BTreeMap<String, String>,
}

/// All functions, sorted, and the namespaces with their documentation.
pub(super) fn read(engine: &Engine) -> Fallible<Catalog> {
    let load = |standard| -> Fallible<ModuleData> {
        let text = engine.gen_fn_metadata_to_json(standard).map_err(|error| error.to_string())?;
        Ok(serde_json::from_str(&text).map_err(|error| error.to_string())?)
    };
    let (own, all) = (load(false)?, load(true)?);
    let types = all.custom_types.iter().map(|data| {
        let name = data.type_name.rsplit("::").next().unwrap_or_default();
        (name.trim_end_matches('>').to_owned(), data.display_name.clone())
    });
    let mut reader = Reader {
        types: types.collect(),
        own: own.functions.iter().map(|function| function.full_hash).collect(),
        functions: Vec::new(),
        namespaces: BTreeMap::new(),
    };
    reader.module("", &all);
    // Rhai lists overloads in another order in every build: the signature settles it.
    let key = |function: &Function| {
        (function.standard, function.namespace.clone(), function.path(), function.arity(), function.signature())
    };
    reader.functions.sort_by_cached_key(key);
    // What replaces a function of the language has its signature, too.
    let mut seen = BTreeSet::new();
    reader.functions.retain(|function| {
        let kinds: Vec<_> = function.parameters.iter().map(|parameter| parameter.kind.clone()).collect();
        seen.insert((function.path(), function.property, kinds))
    });
    Ok(Catalog { functions: reader.functions, namespaces: reader.namespaces })
}

impl Reader {
    fn module(&mut self, namespace: &str, module: &ModuleData) {
        for data in &module.functions {
            let function = self.function(namespace, data);
            self.functions.push(function);
        }
        for (name, inner) in &module.modules {
            let path = if namespace.is_empty() { name.clone() } else { format!("{namespace}::{name}") };
            self.namespaces.insert(path.clone(), comment(&inner.doc));
            self.module(&path, inner);
        }
    }

    fn function(&self, namespace: &str, data: &FunctionData) -> Function {
        let (property, name) = match data.name.strip_prefix("get$") {
            Some(name) => (true, name),
            None => (false, data.name.as_str()),
        };
        let mut parameters = data.params.iter();
        let receiver = data.params.first().and_then(|first| first.kind.strip_prefix("&mut "));
        if receiver.is_some() {
            parameters.next();
        }
        let mut parameters: Vec<Parameter> = parameters
            .map(|data| Parameter { name: data.name.trim_start_matches('_').to_owned(), kind: self.kind(&data.kind) })
            .collect();
        // Functions without a description of their parameters still have a number of them.
        let count = data.num_params - usize::from(receiver.is_some());
        parameters.resize_with(count, || Parameter { name: String::new(), kind: "any".to_owned() });
        Function {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            global: namespace.is_empty() || data.namespace == "global",
            property,
            receiver: receiver.map(|kind| self.kind(kind)),
            parameters,
            returns: self.kind(&data.return_type),
            doc: comment(&data.doc_comments.join("\n")),
            standard: namespace.is_empty() && !self.own.contains(&data.full_hash),
            options: None,
        }
    }

    /// The name that scripts have for a type of Rust.
    fn kind(&self, kind: &str) -> String {
        let kind = kind.trim();
        if let Some(inner) = kind.strip_prefix("Result<").and_then(|rest| rest.strip_suffix('>')) {
            let value = inner.rsplit_once(',').map_or(inner, |(value, _)| value);
            return self.kind(value);
        }
        if let Some(inner) = kind.strip_prefix("Arc<").and_then(|rest| rest.strip_suffix('>')) {
            return self.kind(inner);
        }
        let short = kind.rsplit("::").next().unwrap_or(kind);
        match short {
            "()" | "" => String::new(),
            "&str" | "String" | "ImmutableString" | "string" => "string".to_owned(),
            "i64" | "INT" | "int" => "int".to_owned(),
            "f64" | "FLOAT" | "float" => "float".to_owned(),
            "Map" => "map".to_owned(),
            "Array" => "array".to_owned(),
            "Blob" => "blob".to_owned(),
            "FnPtr" | "Fn" => "closure".to_owned(),
            "Dynamic" | "?" => "any".to_owned(),
            short => self.types.get(short).cloned().unwrap_or_else(|| short.to_owned()),
        }
    }
}

/// The text of a doc comment without its slashes.
pub(super) fn comment(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).unwrap_or(line);
        line.strip_prefix(' ').unwrap_or(line).trim_end()
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}
