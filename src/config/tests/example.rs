//! `cluster.toml.example` is right about settings and defaults.

use std::path::Path;

use super::{check, render};
use crate::config::{Config, document, reader::Reader, schema};

const EXAMPLE: &str = include_str!("../../../cluster.toml.example");

fn config(text: &str) -> Config {
    check(text, &[]).unwrap_or_else(|problems| panic!("{}", render(&problems)))
}

/// The example with the lines that begin with `prefix` and a key switched on.
fn switched_on(prefix: &str) -> String {
    let line = |line: &str| match line.strip_prefix(prefix) {
        Some(setting) if setting.contains(" = ") && !setting.starts_with(' ') => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    EXAMPLE.lines().map(line).collect()
}

#[test]
fn the_defaults_that_it_names_are_the_defaults() {
    let with_defaults = switched_on("#");
    assert_eq!(with_defaults.lines().zip(EXAMPLE.lines()).filter(|(new, old)| new != old).count(), 14);
    assert_eq!(config(&with_defaults), config(EXAMPLE));
}

#[test]
fn it_shows_every_setting() {
    let sources = document::Sources::new("", EXAMPLE, Path::new(""));
    let (root, findings) = document::parse_file(&switched_on("# For example: "));
    assert!(findings.is_empty());
    let mut reader = Reader::new(&sources);
    schema::read(&root, &mut reader);
    for (header, key) in reader.known().filter(|(_, key)| !key.starts_with("ssh_")) {
        assert!(EXAMPLE.contains(&format!("{key} = ")) || header == "cluster.toml", "{header} {key}");
    }
}

#[test]
fn its_examples_are_settings() {
    let problems = check(&switched_on("# For example: "), &[]).unwrap_err();
    for problem in problems.problems() {
        let of_this_machine = ["names a file", "names an environment variable", "exclude each other", "isn't used"];
        assert!(of_this_machine.iter().any(|reason| problem.message().contains(reason)), "{}", render(&problems));
    }
}
