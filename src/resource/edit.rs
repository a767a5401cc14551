//! Changes in a text file that belongs to others, too.

use super::attributes::Attributes;
use super::path::{self, Content, Entry, Sort, sha256};
use super::probe::Probe;
use super::step::fed;
use super::unified;
use super::world::World;
use crate::error::{Error, Result};
use crate::host::quote;

/// A file that gets other content.
pub struct Edit {
    /// The commands that put it in place, unless it is no longer as it was read.
    pub script: String,
    /// What changes in it.
    pub diff: Option<String>,
    /// Whether it was not there.
    pub created: bool,
}

impl Edit {
    /// What to say about it.
    pub(super) fn summary(&self) -> &'static str {
        if self.created { "created" } else { "content" }
    }
}

/// Asks for what [`edit`] needs.
pub fn ask(probe: &mut Probe, path: &str) {
    path::ask_to_change(probe, path);
    path::ask_content(probe, path, None);
}

/// The text of the file; empty where there is none.
///
/// # Errors
/// When it is not a text file of a reasonable size.
pub fn text(world: &World, path: &str) -> Result<String> {
    let entry = match world.at(path) {
        None => return Ok(String::new()),
        Some(entry) => entry,
    };
    match (&entry.sort, &entry.content) {
        (Sort::File, Content::Known(data)) => String::from_utf8(data.clone())
            .map_err(|_| Error::refused(format!("{path} is not UTF-8 text: it can't be edited by line"))),
        (Sort::File, Content::Closed) => Err(Error::refused(format!(
            "{path} can't be read: others can put something else in its place, and they may not read it themselves"
        ))),
        (Sort::File, _) => Err(Error::refused(format!("{path} is larger than 1 MiB: it can't be edited by line"))),
        (Sort::Symlink(target), _) => {
            Err(Error::refused(format!("{path} is a symlink")).help(format!("name the file it points to: {target}")))
        }
        (sort, _) => Err(Error::refused(format!("{path} is {}", sort.name()))),
    }
}

/// Gives the file the content `new`; None where it has it. A new file gets mode 0644.
///
/// # Errors
/// As [`text`]; or when there is no folder for the file.
pub fn edit(world: &mut World, path: &str, new: String) -> Result<Option<Edit>> {
    let old = text(world, path)?;
    let before = world.at(path).cloned();
    if new == old && before.is_some() {
        return Ok(None);
    }
    world.room_for(path, &Attributes::default())?;
    let sum = if before.is_some() { sha256(old.as_bytes()) } else { "-".to_owned() };
    let name = quote(path);
    let put = format!("at put {name} {} 0644 {}", sha256(new.as_bytes()), Attributes::default().words());
    let script = format!("at unchanged {name} {sum}\n{}", fed(new.as_bytes(), &put));
    let diff = unified::diff(path, old.as_bytes(), new.as_bytes());
    let created = before.is_none();
    let entry = before.unwrap_or_else(|| World::new_entry(Sort::File, 0o644, Content::Unread));
    world.put(path, Entry { content: Content::Known(new.into_bytes()), modified: f64::INFINITY, ..entry });
    Ok(Some(Edit { script, diff, created }))
}

/// `text` in which `line` stands once: in place of the first of the lines that are `ours`, the others of which go, or at
/// the end where there is none.
pub fn with_line(text: &str, line: &str, ours: impl Fn(&str) -> bool) -> String {
    let mut lines: Vec<&str> = Vec::new();
    let mut found = false;
    for old in text.lines() {
        if old != line && !ours(old) {
            lines.push(old);
        } else if !found {
            found = true;
            lines.push(line);
        }
    }
    if !found {
        lines.push(line);
    }
    // A file without a line end at its end keeps that as long as nothing else changes.
    let new = lines.join("\n");
    if new == text { new } else { new + "\n" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::probe::Facts;

    fn world(text: Option<&str>) -> World {
        let mut world = World::new(Facts::default());
        world.put("/etc", World::new_entry(Sort::Directory, 0o755, Content::Unread));
        if let Some(text) = text {
            world.put("/etc/x", World::new_entry(Sort::File, 0o600, Content::Known(text.into())));
        }
        world
    }

    #[test]
    fn a_file_as_wanted_is_left_alone() {
        assert!(edit(&mut world(Some("a\n")), "/etc/x", "a\n".into()).unwrap().is_none());
    }

    #[test]
    fn an_edit_holds_only_for_the_file_that_was_read() {
        let step = edit(&mut world(Some("a\n")), "/etc/x", "b\n".into()).unwrap().unwrap();
        assert!(step.script.starts_with(&format!("at unchanged '/etc/x' {}\n", sha256(b"a\n"))), "{}", step.script);
        let step = edit(&mut world(None), "/etc/x", "b\n".into()).unwrap().unwrap();
        assert!(step.script.starts_with("at unchanged '/etc/x' -\n"), "{}", step.script);
    }

    #[test]
    fn the_next_edit_starts_from_the_last_one() {
        let mut world = world(None);
        edit(&mut world, "/etc/x", "a\n".into()).unwrap();
        assert_eq!(text(&world, "/etc/x").unwrap(), "a\n");
    }

    #[test]
    fn a_link_is_not_edited() {
        let mut world = world(None);
        world.put("/etc/x", World::new_entry(Sort::Symlink("../run/x".into()), 0o777, Content::Unread));
        let error = text(&world, "/etc/x").unwrap_err();
        assert_eq!(error.help.as_deref(), Some("name the file it points to: ../run/x"));
    }

    #[test]
    fn a_line_stands_once() {
        let ours = |line: &str| line.starts_with("Port ");
        assert_eq!(with_line("a\nPort 1\nb\nPort 2\n", "Port 22", ours), "a\nPort 22\nb\n");
        assert_eq!(with_line("a", "Port 22", ours), "a\nPort 22\n");
        assert_eq!(with_line("", "Port 22", ours), "Port 22\n");
        assert_eq!(with_line("Port 22", "Port 22", ours), "Port 22");
    }
}
