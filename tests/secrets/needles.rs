//! The values that must not be found, and where they are looked for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use regex::bytes::Regex;

/// Files above this size are programs and images.
const LARGE: u64 = 32 << 20;

/// A value has at least so many bytes; so many of it in base64 are enough to be found. A multiple of three.
const PART: usize = 9;

/// Secret values with names that may be shown.
#[derive(Default)]
pub struct Needles(Vec<Needle>);

struct Needle {
    name: String,
    /// One expression for all forms.
    forms: Regex,
}

impl Needles {
    /// Looks for `value`, too: as it is, line by line, escaped as in JSON, and for any long part of it in base64, however
    /// what is in base64 begins and wherever its lines end.
    pub fn add(&mut self, name: &str, value: &str) {
        let value = value.trim();
        assert!(value.len() >= PART + 2, "{name} is too short to be looked for");
        let escaped = serde_json::Value::from(value).to_string();
        let lines = value.lines().filter(|line| line.len() >= PART).map(str::to_owned);
        let mut forms = vec![value.to_owned(), escaped[1..escaped.len() - 1].to_owned()];
        forms.extend(lines);
        forms.extend(value.as_bytes().windows(PART).map(|part| STANDARD_NO_PAD.encode(part)));
        let forms: Vec<String> = forms.iter().map(|form| regex::escape(form)).collect();
        self.0.push(Needle { name: name.to_owned(), forms: Regex::new(&forms.join("|")).unwrap() });
    }

    /// The same with the lines of a PEM file that are its content.
    pub fn add_pem(&mut self, name: &str, pem: &str) {
        let lines: Vec<&str> = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        self.add(name, &lines.join("\n"));
    }

    /// The names of those that are in `content`.
    pub fn in_bytes(&self, content: &[u8]) -> Vec<&str> {
        let found = self.0.iter().filter(|needle| needle.forms.is_match(content));
        found.map(|needle| needle.name.as_str()).collect()
    }

    /// An error if one of them is in `content`.
    pub fn absent(&self, place: &str, content: impl AsRef<[u8]>) -> Result<(), String> {
        match self.in_bytes(content.as_ref()).as_slice() {
            [] => Ok(()),
            names => Err(format!("{names:?} in {place}:\n{}", String::from_utf8_lossy(content.as_ref()))),
        }
    }

    /// The files at and below `folder` that `judge` objects to among those that have one of them, with their names. It gets
    /// the permission bits. Nothing to look at is an error.
    pub fn in_files(&self, folder: &Path, judge: fn(u32) -> bool) -> Result<Vec<String>, String> {
        let (mut found, mut seen) = (Vec::new(), 0);
        self.search(folder, judge, &mut found, &mut seen);
        if seen == 0 { Err(format!("no file to look at in {}", folder.display())) } else { Ok(found) }
    }

    fn search(&self, path: &Path, judge: fn(u32) -> bool, found: &mut Vec<String>, seen: &mut usize) {
        // What vanishes meanwhile is gone.
        let Ok(metadata) = fs::symlink_metadata(path) else { return };
        if metadata.is_dir() {
            for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                self.search(&entry.path(), judge, found, seen);
            }
        } else if metadata.is_file() && metadata.len() <= LARGE {
            *seen += 1;
            let mode = metadata.permissions().mode() & 0o7777;
            if judge(mode) {
                let names = fs::read(path).map(|content| self.in_bytes(&content).join(", ")).unwrap_or_default();
                if !names.is_empty() {
                    found.push(format!("{} ({mode:o}): {names}", path.display()));
                }
            }
        }
    }
}

/// Every file with a secret is one too many.
pub fn any(_mode: u32) -> bool {
    true
}

/// Others than its owner can do something with it.
pub fn open(mode: u32) -> bool {
    mode & 0o077 != 0
}
