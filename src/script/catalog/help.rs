//! Help on a terminal.

use super::sections::{Kind, sections};
use super::{Catalog, Function};
use crate::error::{Error, Result};
use crate::suggestion::nearest;

/// What there is: all names, by namespace, type and module.
pub fn overview(catalog: &Catalog, library: &Catalog) -> String {
    let mut text = String::new();
    for section in sections(catalog, library) {
        let title = match section.kind {
            Kind::Global => "Functions".to_owned(),
            Kind::Namespace => format!("{}::", section.name),
            Kind::Type => format!("{}, a type", section.name),
            Kind::Module => format!("import \"{}\"", section.name),
        };
        let about = section.doc.lines().next().unwrap_or_default();
        text.push_str(&if about.is_empty() { title } else { format!("{title}  {about}") });
        let mut names: Vec<&str> = section.functions.iter().map(|function| function.name.as_str()).collect();
        names.dedup();
        text.push_str(&format!("\n{}\n\n", wrapped(&names)));
    }
    text.push_str("k3srun help NAME says more about one of them: k3srun help ssh::connect\n");
    text
}

/// All about a function, a namespace, a type or a module: `ssh::connect`, `Host.run`, `run`, `ssh`, `Host`, `cluster`.
///
/// # Errors
/// Refused when there is nothing with that name; with the nearest ones.
pub fn about(catalog: &Catalog, library: &Catalog, name: &str) -> Result<String> {
    let name = name.trim_end_matches("()").trim_end_matches("::");
    let sections = sections(catalog, library);
    if let Some(section) = sections.iter().find(|section| section.name == name && section.kind != Kind::Global) {
        let mut text = if section.doc.is_empty() { String::new() } else { format!("{}\n\n", section.doc) };
        for function in &section.functions {
            text.push_str(&format!("{}\n    {}\n", function.signature(), first_sentence(&function.doc)));
        }
        return Ok(text);
    }
    let all = || catalog.functions().chain(library.functions()).filter(|function| function.is_named());
    let mut found: Vec<&Function> = all().filter(|function| function.path() == name).collect();
    if found.is_empty() {
        found = all().filter(|function| function.name == name && !function.standard).collect();
    }
    if found.is_empty() {
        found = all().filter(|function| function.name == name).collect();
    }
    if found.is_empty() {
        let paths: Vec<String> = all().map(Function::path).collect();
        let names = all().map(|function| function.name.as_str());
        let known = paths.iter().map(String::as_str).chain(names).chain(sections.iter().map(|section| section.name));
        let error = Error::refused(format!("there is nothing called `{name}`"));
        return Err(error.help(match nearest(name, known) {
            Some(name) => format!("did you mean `{name}`? k3srun help lists all names"),
            None => "k3srun help lists all names".to_owned(),
        }));
    }
    Ok(found.into_iter().map(entry).collect::<Vec<_>>().join("\n"))
}

fn entry(function: &Function) -> String {
    let doc = function.doc.replace("# Example\n", "Example:\n");
    let doc = doc.lines().filter(|line| !line.starts_with("```")).map(|line| format!("    {line}"));
    let doc = doc.collect::<Vec<_>>().join("\n");
    let options = match function.options {
        Some(names) => format!("\n\n    All options: {}", names.join(", ")),
        None => String::new(),
    };
    format!("{}\n{doc}{options}\n", function.signature())
}

fn first_sentence(doc: &str) -> String {
    let paragraph = doc.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    match paragraph.split_once(". ") {
        Some((sentence, _)) => format!("{sentence}."),
        None => paragraph,
    }
}

/// Names in lines of at most 78 columns, indented.
fn wrapped(names: &[&str]) -> String {
    let mut lines = vec![String::from(" ")];
    for name in names {
        let full = lines.last().is_some_and(|line| line.len() + 1 + name.len() > 78);
        if full {
            lines.push(String::from(" "));
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(name);
        }
    }
    lines.join("\n")
}
