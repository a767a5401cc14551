//! The playbooks in the README and in docs/: `k3srun check` finds nothing wrong with any of them, and those that need no other
//! machine run, as a plan.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// One block of code: where it stands, whether it may run, and its text.
struct Block {
    place: String,
    runs: bool,
    text: String,
}

fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir("docs").unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = docs.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    // Made from the examples of the functions, which have a test of their own.
    pages.retain(|path| !path.ends_with("api.md"));
    pages.push("README.md".into());
    pages.sort();
    pages
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let mut inside = false;
        for (index, line) in text.lines().enumerate() {
            match line.strip_prefix("```") {
                Some(language) if !inside && language.starts_with("rhai") => {
                    let place = format!("{}:{}", page.display(), index + 1);
                    blocks.push(Block { place, runs: language == "rhai", text: String::new() });
                    inside = true;
                }
                Some(_) => inside = false,
                None if inside => blocks.last_mut().unwrap().text.push_str(&format!("{line}\n")),
                None => {}
            }
        }
    }
    blocks
}

/// The port table that people read is the one that is loaded.
#[test]
fn the_port_table_in_the_documents_is_that_of_the_standard_library() {
    const ROWS: &str = r#"
        import "ports" as ports;
        for row in ports::table() { print(`| ${row[0]} | ${row[1]}/${row[2]} | ${row[3]} | ${row[4]} |`) }"#;
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("rows.rhai");
    fs::write(&script, ROWS).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_k3srun"));
    let output = command.args(["-q".as_ref(), script.as_os_str()]).env("HOME", folder.path()).output().unwrap();
    let loaded = String::from_utf8(output.stdout).unwrap();
    assert!(loaded.lines().count() > 8, "{loaded}");
    let page = fs::read_to_string("docs/architecture.md").unwrap();
    assert!(page.contains(&format!("| Host | Port | Service | Open to |\n|---|---|---|---|\n{loaded}")), "{loaded}");
}

#[test]
fn every_playbook_in_the_documents_is_right() {
    let blocks = blocks();
    assert!(blocks.len() >= 5, "the blocks were not found");
    for block in blocks {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cluster.toml"), include_str!("../cluster.toml.example")).unwrap();
        fs::write(folder.path().join("play.rhai"), &block.text).unwrap();
        let mut lines = vec![vec!["check", "play.rhai"]];
        if block.runs {
            lines.push(vec!["play.rhai", "--plan"]);
        }
        for line in lines {
            let mut command = Command::new(env!("CARGO_BIN_EXE_k3srun"));
            let output = command.args(&line).current_dir(&folder).env("HOME", folder.path()).output().unwrap();
            let shown = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: k3srun {}\n{shown}", block.place, line.join(" "));
        }
    }
}
