//! Calls: whether the function exists, takes so many arguments, and knows the options.

use rhai::{Expr, FnCallExpr, Position, ScriptFuncDef};

use super::library::Script;
use super::scope::Walker;
use crate::script::Function;
use crate::suggestion::nearest;

/// What the language itself understands, with any number of arguments.
const LANGUAGE: [&str; 10] =
    ["Fn", "call", "curry", "debug", "eval", "is_def_fn", "is_def_var", "is_shared", "print", "type_of"];

/// A function that could be meant: how many arguments a call of this style has, and how to call it.
struct Candidate {
    arguments: usize,
    signature: String,
}

pub(super) fn check(walker: &mut Walker, call: &FnCallExpr, position: Position, method: bool) {
    call.args.iter().for_each(|argument| walker.expression(argument));
    if call.op_token.is_some() || call.name.starts_with("anon$") {
        return;
    }
    if call.namespace.is_empty() {
        if !LANGUAGE.contains(&call.name.as_str()) {
            plain(walker, call, position, method);
        }
    } else {
        qualified(walker, call, position);
    }
}

/// `name(..)` or `value.name(..)`.
fn plain(walker: &mut Walker, call: &FnCallExpr, position: Position, method: bool) {
    let natives: Vec<&Function> = walker.catalog.overloads("", &call.name).collect();
    let receiver = usize::from(method);
    let own = walker.script.functions().filter(|function| function.name == call.name);
    let native = natives.iter().filter(|function| function.arity() >= receiver);
    let candidates: Vec<Candidate> = own
        .map(|function| Candidate { arguments: function.params.len(), signature: signature("", function) })
        .chain(
            native
                .map(|function| Candidate { arguments: function.arity() - receiver, signature: function.signature() }),
        )
        .collect();
    options(walker, &natives, call, receiver);
    if candidates.is_empty() {
        if method && walker.properties.contains(call.name.as_str()) {
            return;
        }
        let own = walker.script.functions().map(|function| function.name.as_str());
        let known: Vec<&str> = own.chain(walker.catalog.names("")).collect();
        let help = match nearest(&call.name, known.iter().copied()) {
            Some(name) => did_you_mean(walker, name),
            None => elsewhere(walker, &call.name),
        };
        let what = if method { "method" } else { "function" };
        walker.mistake(position, format!("unknown {what} `{}`", call.name), help);
    } else {
        arity(walker, call, position, &call.name, &candidates);
    }
}

/// `module::name(..)` or `namespace::name(..)`.
fn qualified(walker: &mut Walker, call: &FnCallExpr, position: Position) {
    let path: Vec<&str> = call.namespace.path.iter().map(|part| part.as_str()).collect();
    let full = format!("{}::{}", path.join("::"), call.name);
    let start = call.namespace.position().or_else(position);
    match walker.script.imports.get(path[0]) {
        Some(None) => {}
        Some(Some(module)) => {
            let mut module = module.clone();
            for inner in &path[1..] {
                module = match module.imports.get(*inner) {
                    Some(Some(inner)) => inner.clone(),
                    Some(None) => return,
                    None => return unknown_namespace(walker, &path.join("::"), start),
                };
            }
            in_module(walker, call, position, &full, &path.join("::"), &module);
        }
        None => {
            let namespace = path.join("::");
            if !walker.catalog.namespaces().contains_key(&namespace) {
                return unknown_namespace(walker, &namespace, start);
            }
            let natives: Vec<&Function> = walker.catalog.overloads(&namespace, &call.name).collect();
            let candidate =
                |function: &&Function| Candidate { arguments: function.arity(), signature: function.signature() };
            let candidates: Vec<Candidate> = natives.iter().map(candidate).collect();
            options(walker, &natives, call, 0);
            if candidates.is_empty() {
                let help = nearest_or_list(&call.name, walker.catalog.names(&namespace), &namespace);
                walker.mistake(position, format!("unknown function `{full}`"), Some(help));
            } else {
                arity(walker, call, position, &full, &candidates);
            }
        }
    }
}

fn in_module(walker: &mut Walker, call: &FnCallExpr, position: Position, full: &str, alias: &str, module: &Script) {
    let named = module.public_functions().filter(|function| function.name == call.name);
    let candidate = |function: &ScriptFuncDef| Candidate {
        arguments: function.params.len(),
        signature: signature(&format!("{alias}::"), function),
    };
    let candidates: Vec<Candidate> = named.map(candidate).collect();
    if !candidates.is_empty() {
        return arity(walker, call, position, full, &candidates);
    }
    if module.functions().any(|function| function.name == call.name) {
        let help = format!("take `private` away from it in {}, or use a public function", module.id);
        return walker.mistake(position, format!("`{full}` is private to its module"), Some(help));
    }
    let names = module.public_functions().map(|function| function.name.as_str());
    let help = nearest_or_list(&call.name, names, alias);
    walker.mistake(position, format!("unknown function `{full}`"), Some(help));
}

/// `name::` is neither imported nor built in.
pub(super) fn unknown_namespace(walker: &mut Walker, name: &str, position: Position) {
    let imports = walker.script.imports.keys().map(String::as_str);
    let known: Vec<&str> = imports.chain(walker.catalog.namespaces().keys().map(String::as_str)).collect();
    let help = match nearest(name, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}::`?"),
        None => format!("import it, or use one of these: {}", known.join(", ")),
    };
    walker.mistake(position, format!("unknown module `{name}`"), Some(help));
}

fn arity(walker: &mut Walker, call: &FnCallExpr, position: Position, name: &str, candidates: &[Candidate]) {
    if candidates.iter().any(|candidate| candidate.arguments == call.args.len()) {
        return;
    }
    let mut counts: Vec<usize> = candidates.iter().map(|candidate| candidate.arguments).collect();
    counts.sort_unstable();
    counts.dedup();
    let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
    let plural = if counts == ["1"] { "" } else { "s" };
    let message = format!("`{name}` takes {} argument{plural}, not {}", counts.join(" or "), call.args.len());
    let mut signatures: Vec<&str> = candidates.iter().map(|candidate| candidate.signature.as_str()).collect();
    signatures.dedup();
    walker.mistake(position, message, Some(signatures.join("\n")));
}

/// The keys of literal maps in the place of options.
fn options(walker: &mut Walker, functions: &[&Function], call: &FnCallExpr, receiver: usize) {
    for (index, argument) in call.args.iter().enumerate() {
        let Expr::Map(map, _) = argument else { continue };
        let fitting = functions.iter().filter(|function| function.arity() == call.args.len() + receiver);
        let place = |function: &Function| {
            let skipped = usize::from(function.receiver.is_some());
            function.parameters.get((index + receiver).checked_sub(skipped)?).cloned()
        };
        // Where a function takes a map for its options, one in another place is something else: an object to apply.
        let options_go = |function: &Function| {
            place(function).is_none_or(|it| it.kind == "map" || it.kind == "any" && !function.takes_map())
        };
        let mut known = Vec::new();
        for function in fitting.filter(|function| options_go(function)) {
            match function.options {
                Some(names) => known.extend_from_slice(names),
                // Another function with this name takes a map of its own: who knows which one is called?
                None => return,
            }
        }
        if known.is_empty() {
            continue;
        }
        for (key, _) in map.0.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            let list = format!("known options: {}", known.join(", "));
            let help = match nearest(&key.name, known.iter().copied()) {
                Some(name) => format!("did you mean `{name}`? {list}"),
                None => list,
            };
            walker.mistake(key.pos, format!("{}(): unknown option `{}`", call.name, key.name), Some(help));
        }
    }
}

fn signature(prefix: &str, function: &ScriptFuncDef) -> String {
    let parameters: Vec<&str> = function.params.iter().map(|name| name.as_str()).collect();
    format!("{prefix}{}({})", function.name, parameters.join(", "))
}

fn did_you_mean(walker: &Walker, name: &str) -> Option<String> {
    let own = walker.script.functions().filter(|function| function.name == name).map(|it| signature("", it));
    let signatures: Vec<String> = own.chain(walker.catalog.overloads("", name).map(Function::signature)).collect();
    let list = if signatures.len() > 4 { String::new() } else { format!("\n{}", signatures.join("\n")) };
    Some(format!("did you mean `{name}`?{list}"))
}

/// Functions with the same name in a module or a namespace.
fn elsewhere(walker: &Walker, name: &str) -> Option<String> {
    let modules = walker.script.imports.iter().filter_map(|(alias, module)| {
        let mut functions = module.as_ref()?.public_functions();
        functions.any(|function| function.name == name).then(|| format!("{alias}::{name}"))
    });
    let natives = walker.catalog.functions().filter(|function| function.name == name && !function.namespace.is_empty());
    let mut found = modules.chain(natives.map(Function::path));
    found.next().map(|path| format!("did you mean `{path}`?"))
}

fn nearest_or_list<'a>(word: &str, known: impl Iterator<Item = &'a str>, namespace: &str) -> String {
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    known.dedup();
    match nearest(word, known.iter().copied()) {
        Some(name) => format!("did you mean `{namespace}::{name}`?"),
        None => format!("{namespace} has: {}", known.join(", ")),
    }
}
