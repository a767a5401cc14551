//! What the product expects of a host: `docs/requirements.md` has all of it, and nothing else is called.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Programs that minimal systems lack, and that we have no need of: what they do, we do ourselves over the host's connection.
const STRANGERS: &str =
    "socat|curl|wget|openssl|nc|ncat|netcat|telnet|dig|nslookup|arping|nmap|perl|python|python3|jq|busybox";

/// The one exception: a host downloads k3s itself, with what it has. Files, and what their lines with such a word begin with.
const DOWNLOAD: &[(&str, &[&str])] = &[
    ("src/k3s/install.sh", &["if command -v curl", "said=$(curl", "said=$(wget"]),
    ("src/k3s/probe.sh", &["for name in curl", "! wget --version"]),
    // In a test pod, whose image has it.
    ("stdlib/verification.rhai", &["said=$(kubectl exec"]),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // The lab's hosts are the operator's own machine, prepared by scripts/setup.rhai.
        if path.is_dir() && path != Path::new("stdlib/lab") {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "sh" || end == "rhai") {
            found.push(path);
        }
    }
}

fn is_comment(line: &str) -> bool {
    line.starts_with("//") || line.starts_with('#')
}

/// Such a word where a shell looks for a command: at the beginning, or after what separates commands.
fn call() -> Regex {
    const BEFORE: &str =
        r"(?:^|[;&|({!`]|-- |\b(?:then|do|else|if|while|until|exec|timeout [0-9.]+|command -v|have|name in)\s)";
    Regex::new(&format!(r"{BEFORE}\s*(?:{STRANGERS})(?:\s|$|;|\))")).unwrap()
}

#[test]
fn no_program_is_called_on_hosts_that_minimal_systems_lack() {
    let mut found = Vec::new();
    files(Path::new("stdlib"), &mut found);
    files(Path::new("src"), &mut found);
    assert!(found.len() > 25, "the files were not found");
    let call = call();
    let mut wrong = Vec::new();
    let mut exceptions = 0;
    for path in &found {
        let allowed =
            DOWNLOAD.iter().find(|(file, _)| Path::new(file) == path).map_or(&[] as &[&str], |(_, begins)| begins);
        for (number, line) in fs::read_to_string(path).unwrap().lines().enumerate() {
            let line = line.trim_start();
            if is_comment(line) || !call.is_match(line) {
                continue;
            }
            match allowed.iter().any(|begin| line.starts_with(begin)) {
                true => exceptions += 1,
                false => wrong.push(format!("{}:{}: {line}", path.display(), number + 1)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all: usize = DOWNLOAD.iter().map(|(_, begins)| begins.len()).sum();
    assert_eq!(exceptions, all, "an exception is no longer needed, or not found");
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let call = call();
    for line in ["curl -s x", "said=$(socat - x)", "a | perl -e 1", "have dig", "timeout 5 nc x", "{ openssl x; }"] {
        assert!(call.is_match(line), "{line}");
    }
    assert!(!call.is_match("echo nc; grep -w curl-like"));
}
