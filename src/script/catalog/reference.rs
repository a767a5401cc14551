//! The reference of all functions, as a page of Markdown.

use std::fmt::Write as _;

use super::sections::{Kind, Section, sections};
use super::{Catalog, Function};

const HEAD: &str = "\
# What scripts can call

<!-- Written by `k3srun help --markdown`; the source is the doc comment of each function. -->

On the command line: `k3srun help NAME`. The language itself is described in the [Rhai book](https://rhai.rs/book).
An option map is the last argument where there is one; `k3srun check` finds options that don't exist.
";

/// The page.
pub fn markdown(catalog: &Catalog, library: &Catalog) -> String {
    let mut page = HEAD.to_owned();
    for section in sections(catalog, library) {
        page.push_str(&chapter(&section));
    }
    page
}

fn chapter(section: &Section) -> String {
    let mut text = match section.kind {
        Kind::Global => "\n## Functions\n".to_owned(),
        Kind::Namespace => format!("\n## `{}::`\n", section.name),
        Kind::Type => format!("\n## {}\n", section.name),
        Kind::Module => {
            let alias = section.name.rsplit('/').next().unwrap_or_default();
            format!("\n## `import \"{}\" as {alias};`\n", section.name)
        }
    };
    if !section.doc.is_empty() {
        text.push_str(&format!("\n{}\n", section.doc));
    }
    for overloads in section.functions.chunk_by(|a, b| a.path() == b.path()) {
        text.push_str(&entry(overloads));
    }
    text
}

fn entry(overloads: &[&Function]) -> String {
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = writeln!(text, "\n### `{}`", overloads[0].path());
    for function in overloads {
        let doc = function.doc.replace("# Example\n", "").replace("```rhai,no_run", "```rhai");
        let _ = writeln!(text, "\n```text\n{}\n```\n\n{doc}", function.signature());
    }
    text
}
