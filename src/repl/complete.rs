//! What may come next: names by what stands before the cursor.

use std::path::Path;

use super::cluster;
use super::evaluator::Known;
use crate::script::{Catalog, Function};

/// Commands of the prompt.
const COMMANDS: &[&str] = &[":all", ":apply", ":ask", ":help", ":load", ":plan", ":quit"];

/// Words of the language that begin something.
const WORDS: &[&str] =
    &["else", "false", "for", "if", "import", "let", "loop", "return", "switch", "throw", "true", "try", "while"];

/// One possibility.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// What is put in place of the word.
    pub text: String,
    /// What it is about, in a few words.
    pub about: String,
}

/// Completes what is typed.
pub struct Completion<'a> {
    /// The functions.
    pub catalog: &'a Catalog,
    /// Variables and functions of the session.
    pub known: &'a Known,
    /// Whether the names of the cluster are there.
    pub has_cluster: bool,
}

impl Completion<'_> {
    /// Where the word begins that `before`, the text before the cursor, ends with, and what may stand in its place.
    pub fn candidates(&self, before: &str) -> (usize, Vec<Candidate>) {
        if let Some(start) = open_text(before) {
            return path(before, start);
        }
        if before.starts_with(':') {
            return self.command(before);
        }
        let start = before
            .rfind(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | ':'))
            .map_or(0, |i| i + before[i..].chars().next().map_or(1, char::len_utf8));
        let word = &before[start..];
        let mut found = match before[..start].strip_suffix('.') {
            Some(receiver) => self.members(receiver),
            None if word.is_empty() && before.trim().is_empty() => Vec::new(),
            None => match self.options(&before[..start]) {
                Some(options) => options,
                None => self.names(),
            },
        };
        found.retain(|candidate| candidate.text.starts_with(word));
        found.sort();
        found.dedup_by(|a, b| a.text == b.text);
        (start, found)
    }

    fn command(&self, before: &str) -> (usize, Vec<Candidate>) {
        match before.split_once(' ') {
            None => {
                (0, COMMANDS.iter().filter(|name| name.starts_with(before)).map(|name| candidate(name, "")).collect())
            }
            Some((":load", typed)) => path(before, before.len() - typed.len()),
            Some((_, typed)) => {
                let mut names: Vec<Candidate> = self.functions(|_| true, Function::path);
                names.retain(|name| name.text.starts_with(typed));
                names.sort();
                names.dedup_by(|a, b| a.text == b.text);
                (before.len() - typed.len(), names)
            }
        }
    }

    /// What may follow the dot after `receiver`: keys and methods of what a variable is, or all methods.
    fn members(&self, receiver: &str) -> Vec<Candidate> {
        let start = receiver.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |i| i + 1);
        let name = receiver.get(start..).unwrap_or_default();
        let variable =
            self.known.variables.iter().find(|(known, ..)| known == name && !receiver[..start].ends_with('.'));
        let kind = match (variable, name) {
            (Some((_, kind, _)), _) => Some(kind.as_str()),
            (None, "master") if self.has_cluster => Some("Host"),
            (None, "k") if self.has_cluster => Some("Kube"),
            (None, "hosts" | "workers") if self.has_cluster => Some("array"),
            _ if receiver.ends_with("local()") => Some("Host"),
            _ if receiver.ends_with('"') || receiver.ends_with('`') => Some("string"),
            _ if receiver.ends_with(']') => Some("array"),
            _ => None,
        };
        let mut found = self.functions(
            |function| match (&function.receiver, kind) {
                (Some(receiver), Some(kind)) => receiver == kind,
                (receiver, _) => receiver.is_some(),
            },
            |function| function.name.clone(),
        );
        if let Some((_, _, keys)) = variable {
            found.extend(keys.iter().filter(|key| rhai::is_valid_identifier(key)).map(|key| candidate(key, "")));
        }
        found
    }

    /// The options of the call whose map is open at the end of `before`.
    fn options(&self, before: &str) -> Option<Vec<Candidate>> {
        let map = before.rfind("#{")?;
        let inside = &before[map + 2..];
        let is_key = inside.trim_end().is_empty() || inside.trim_end().ends_with(',');
        if inside.contains('}') || !is_key {
            return None;
        }
        let call = before[..map].rfind('(')?;
        let path = before[..call].trim_end();
        let start = path.rfind(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | ':')).map_or(0, |i| i + 1);
        let name = path.get(start..)?;
        let name = name.rsplit("::").next().unwrap_or(name);
        let known = self.catalog.functions().filter(|function| function.name == name);
        let options: Vec<Candidate> = known
            .filter_map(|function| function.options)
            .flatten()
            .filter(|option| !inside.contains(&format!("{option}:")))
            .map(|option| Candidate { text: format!("{option}: "), about: String::new() })
            .collect();
        (!options.is_empty()).then_some(options)
    }

    /// Everything that can begin an expression.
    fn names(&self) -> Vec<Candidate> {
        let mut found = self.functions(|function| function.receiver.is_none(), Function::path);
        found.extend(self.known.variables.iter().map(|(name, kind, _)| candidate(name, kind)));
        found.extend(self.known.functions.iter().map(|name| candidate(name, "of this session")));
        found.extend(WORDS.iter().map(|word| candidate(word, "")));
        if self.has_cluster {
            found.extend(cluster::names().map(|name| candidate(name, "of this cluster")));
        }
        // Constants of mathematics are in nobody's way.
        found.retain(|candidate| !matches!(candidate.text.as_str(), "E" | "PI"));
        found
    }

    fn functions(&self, is_wanted: impl Fn(&Function) -> bool, name: impl Fn(&Function) -> String) -> Vec<Candidate> {
        let named = self.catalog.functions().filter(|function| function.is_named() && is_wanted(function));
        named.map(|function| candidate(&name(function), first_words(&function.doc))).collect()
    }
}

fn candidate(text: &str, about: &str) -> Candidate {
    Candidate { text: text.to_owned(), about: about.to_owned() }
}

/// The first sentence of a documentation.
fn first_words(doc: &str) -> &str {
    let line = doc.lines().next().unwrap_or_default();
    line.split_inclusive(". ").next().unwrap_or(line).trim()
}

/// Where the text in quotes begins that is still open.
fn open_text(before: &str) -> Option<usize> {
    let (mut open, mut escaped) = (None, false);
    for (index, c) in before.char_indices() {
        match (open, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (None, '"') => open = Some(index + 1),
            (Some(_), '"') => open = None,
            _ => {}
        }
    }
    open
}

/// Files of this machine, for a text that begins as a path.
fn path(before: &str, start: usize) -> (usize, Vec<Candidate>) {
    let typed = &before[start..];
    let nothing = (before.len(), Vec::new());
    if !typed.starts_with(['/', '.', '~']) && !before.starts_with(":load") {
        return nothing;
    }
    let (folder, name) = typed.rfind('/').map_or(("", typed), |slash| typed.split_at(slash + 1));
    let home = std::env::var("HOME").unwrap_or_default();
    let place = match folder.strip_prefix("~/") {
        Some(rest) => Path::new(&home).join(rest),
        None if folder.is_empty() => Path::new(".").to_owned(),
        None => Path::new(folder).to_owned(),
    };
    let Ok(entries) = std::fs::read_dir(place) else { return nothing };
    let mut found: Vec<Candidate> = entries
        .flatten()
        .filter_map(|entry| {
            let file = entry.file_name().into_string().ok()?;
            let slash = if entry.file_type().ok()?.is_dir() { "/" } else { "" };
            (file.starts_with(name) && (!file.starts_with('.') || name.starts_with('.')))
                .then(|| candidate(&format!("{file}{slash}"), ""))
        })
        .collect();
    found.sort();
    (start + folder.len(), found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is offered at the end of a line.
    fn offered(line: &str) -> Vec<String> {
        let catalog = crate::bindings::catalog();
        let known = Known {
            variables: vec![
                ("host1".to_owned(), "Host".to_owned(), vec![]),
                ("m".to_owned(), "map".to_owned(), vec!["alpha".to_owned(), "beta".to_owned()]),
            ],
            functions: vec!["greet".to_owned()],
        };
        let completion = Completion { catalog: &catalog, known: &known, has_cluster: true };
        completion.candidates(line).1.into_iter().map(|candidate| candidate.text).collect()
    }

    #[test]
    fn names_of_the_session_the_cluster_and_the_catalog() {
        assert_eq!(offered("ssh::co"), ["ssh::connect"]);
        assert_eq!(offered("let x = plan_"), ["plan_mode"]);
        assert!(offered("host").contains(&"host1".to_owned()) && offered("host").contains(&"hosts".to_owned()));
        assert_eq!(offered("gre"), ["greet"]);
        assert!(offered("").is_empty() && offered("  ").is_empty() && offered("zzz").is_empty());
    }

    #[test]
    fn members_of_what_a_variable_is() {
        assert_eq!(offered("host1.quer"), ["query"]);
        assert_eq!(offered("m.al"), ["alpha"]);
        assert!(!offered("host1.").contains(&"append".to_owned()), "{:?}", offered("host1."));
        assert_eq!(offered("master.quer"), ["query"]);
    }

    #[test]
    fn options_inside_a_map() {
        assert_eq!(offered("file(\"/etc/motd\", #{ mo"), ["mode: "]);
        assert!(!offered("file(\"/etc/motd\", #{ mode: \"0600\", ").contains(&"mode: ".to_owned()));
        assert!(offered("file(\"/etc/motd\", #{ mode: ").iter().all(|name| name != "owner: "));
    }

    #[test]
    fn paths_inside_of_quotes_and_commands() {
        assert!(offered("file(\"/etc/host").contains(&"hostname".to_owned()));
        assert!(offered("ssh::connect(\"roo").is_empty());
        assert_eq!(offered(":he"), [":help"]);
        assert_eq!(offered(":help ssh::con"), ["ssh::connect"]);
    }
}
