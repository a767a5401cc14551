//! What the user of a configuration sees.

mod bad_files;
mod bad_overrides;
mod example;
mod good;

use std::path::Path;

use miette::{GraphicalReportHandler, GraphicalTheme};

use super::{Config, ConfigProblems, parse};

/// A small configuration without problems, which the tests break.
const GOOD: &str = r#"[cluster]
name = "prod"

[k3s]
version = "v1.36.5+k3s1"

[[nodes]]
name = "master"
role = "master"
ssh = "root@203.0.113.1"
public_ip = "203.0.113.1"
private_ip = "10.0.0.1"
private_interface = "eth1"

[[nodes]]
name = "worker"
role = "worker"
ssh = "root@203.0.113.2"
public_ip = "203.0.113.2"
private_ip = "10.0.0.2"
private_interface = "eth1"
"#;

/// [`GOOD`] with some of its pieces replaced, each of which must be there.
fn with(replacements: &[(&str, &str)]) -> String {
    replacements.iter().fold(GOOD.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "nothing to replace: {old}");
        text.replacen(old, new, 1)
    })
}

fn check(text: &str, sets: &[&str]) -> Result<Config, ConfigProblems> {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    parse("cluster.toml", text, Path::new("/no/such/folder"), &sets)
}

/// The problems as they appear on a terminal, without colours.
fn problems(text: &str, sets: &[&str]) -> String {
    render(&check(text, sets).expect_err("this configuration has problems"))
}

fn render(problems: &ConfigProblems) -> String {
    let mut shown = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(120);
    handler.render_report(&mut shown, problems).expect("a String takes everything");
    shown
}
