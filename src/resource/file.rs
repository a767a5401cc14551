//! A file with content.

use std::path::PathBuf;

use minijinja::syntax::SyntaxConfig;

use super::attributes::Attributes;
use super::input::Problems;
use super::path::{self, Content, Entry, Sort, TEXT_LIMIT, sha256};
use super::probe::{Probe, encode};
use super::step::Step;
use super::world::World;
use super::{Claim, Kind, unified};
use crate::error::{Error, Result};
use crate::host::quote;

/// A file with this content, mode and owner. Written beside its place, checked, and renamed into it.
///
/// Without [`File::mode`] an existing file keeps its mode and a new one gets 0644; one that is secret gets 0600. Without
/// [`File::owner`] and [`File::group`] an existing one keeps them and a new one is root's.
#[derive(Clone)]
pub struct File {
    path: String,
    body: Body,
    attributes: Attributes,
    secret: bool,
    validate: Option<String>,
}

/// Where the content comes from.
#[derive(Clone)]
enum Body {
    Bytes(Vec<u8>),
    Template(String, serde_json::Value),
    Source(PathBuf),
}

impl File {
    /// An empty file.
    pub fn new(path: impl Into<String>) -> Self {
        let path = path.into();
        File { path, body: Body::Bytes(Vec::new()), attributes: Attributes::default(), secret: false, validate: None }
    }

    /// The content.
    pub fn content(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Bytes(content.into());
        self
    }

    /// The content is this Jinja template, rendered with `vars`. An undefined variable is an error.
    pub fn template(mut self, template: impl Into<String>, vars: serde_json::Value) -> Self {
        self.body = Body::Template(template.into(), vars);
        self
    }

    /// The content is that of a file on the machine that k3srun runs on.
    pub fn source(mut self, path: impl Into<PathBuf>) -> Self {
        self.body = Body::Source(path.into());
        self
    }

    /// The permission bits.
    pub fn mode(mut self, mode: u32) -> Self {
        self.attributes.mode = Some(mode);
        self
    }

    /// The owner: a name or a number.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.attributes.owner = Some(owner.into());
        self
    }

    /// The group: a name or a number.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.attributes.group = Some(group.into());
        self
    }

    /// The content is never shown, and only the owner may read the file unless [`File::mode`] says something else.
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self.attributes.mode.get_or_insert(0o600);
        self
    }

    /// A command that must accept the new content before it is put in place; `%` stands for the file that holds it,
    /// e.g. `visudo -cf %`.
    pub fn validate(mut self, command: impl Into<String>) -> Self {
        self.validate = Some(command.into());
        self
    }

    /// Whether the content is a template.
    pub fn is_template(&self) -> bool {
        matches!(self.body, Body::Template(..))
    }

    fn body(&self) -> Result<Vec<u8>, String> {
        match &self.body {
            Body::Bytes(bytes) => Ok(bytes.clone()),
            Body::Template(template, vars) => render(template, vars),
            Body::Source(source) => {
                std::fs::read(source).map_err(|error| format!("can't read the source {}: {error}", source.display()))
            }
        }
    }

    fn step(&self, old: Option<&Entry>, body: Vec<u8>, summary: String) -> Step {
        let path = quote(&self.path);
        let sum = sha256(&body);
        let diff = match old.map(|entry| &entry.content) {
            _ if self.secret => None,
            Some(Content::Known(old)) => unified::diff(&self.path, old, &body),
            None => unified::diff(&self.path, b"", &body),
            Some(_) => None,
        };
        let mut script = String::new();
        let mut upload = None;
        if body.len() as u64 > TEXT_LIMIT {
            let sent = format!("/var/tmp/.k3srun.{sum}");
            script.push_str(&format!("receive {path} {sum} {sent}\n"));
            upload = Some((sent, body));
        } else {
            script.push_str(&format!("receive {path} {sum} <<'k3srun'\n{}\nk3srun\n", wrapped(&encode(&body))));
        }
        // A secret one must not be open to others even for a moment.
        let inherit = if self.secret { format!("inherit_owner {path}") } else { format!("inherit {path} 0644") };
        script.push_str(&format!("{inherit}\n{}", self.attributes.script("\"$temp\"")));
        if let Some(command) = &self.validate {
            let command = command.replace('%', "\"$temp\"");
            script.push_str(&format!("(eval {}) || refuse 'the new content was not accepted'\n", quote(&command)));
        }
        script.push_str(&format!("place {path}\n"));
        Step { summary, diff, script, upload, guard: None }
    }
}

/// Renders a Jinja template. The line end at the end of the template is kept.
fn render(template: &str, vars: &serde_json::Value) -> Result<Vec<u8>, String> {
    let render = || {
        let mut environment = minijinja::Environment::new();
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        environment.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build()?);
        environment.render_str(template, minijinja::value::Serde(vars))
    };
    match render() {
        Ok(text) => Ok(text.into_bytes()),
        Err(error) => Err(format!("the template can't be rendered: {error}")),
    }
}

/// Lines of a length that every `base64` takes.
fn wrapped(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + text.len() / 76 + 1);
    for (at, c) in text.chars().enumerate() {
        if at > 0 && at % 76 == 0 {
            lines.push('\n');
        }
        lines.push(c);
    }
    lines
}

impl Kind for File {
    fn id(&self) -> String {
        format!("file:{}", self.path)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::path(&self.path)]
    }

    fn check(&self, problems: &mut Problems) {
        problems.path(&self.path);
        self.attributes.check(problems);
        if let Some(command) = &self.validate
            && !command.contains('%')
        {
            problems.add(format_args!("the command to validate with, {command:?}, has no % in it for the file"));
        }
        if let Err(problem) = self.body() {
            problems.add(problem);
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        let sum = sha256(&self.body().map_err(Error::refused)?);
        path::ask(probe, path::parent(&self.path));
        path::ask_content(probe, &self.path, Some(&sum));
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        let body = self.body().map_err(Error::refused)?;
        if !world.has_parent(&self.path) {
            let parent = path::parent(&self.path);
            let help = format!("add directory({parent:?}) before it");
            return Err(Error::refused(format!("the folder {parent} does not exist")).help(help));
        }
        let old = world.at(&self.path).cloned();
        let summary = match &old {
            None => "created".to_owned(),
            Some(Entry { sort: Sort::Directory, .. }) => {
                let help = format!("remove it first if it is not needed: absent({:?})", self.path);
                return Err(Error::refused("there is a directory at this path").help(help));
            }
            Some(Entry { sort: Sort::File, .. }) => String::new(),
            Some(entry) => format!("{} becomes a file", entry.sort.name()),
        };
        let new = match &old {
            Some(entry @ Entry { sort: Sort::File, .. }) => {
                let mut differences = self.attributes.differences(entry);
                if entry.content.is(&body) {
                    if differences.is_empty() {
                        return Ok(None);
                    }
                    let step = Step::new(differences.join(", "), self.attributes.script(&quote(&self.path)));
                    world.put(&self.path, self.attributes.applied_to(entry.clone()));
                    return Ok(Some(step));
                }
                differences.insert(0, if self.secret { "content differs, not shown" } else { "content" }.to_owned());
                let entry = Entry { content: Content::Known(body.clone()), modified: f64::INFINITY, ..entry.clone() };
                (self.attributes.applied_to(entry), differences.join(", "))
            }
            _ => {
                let entry = World::new_entry(Sort::File, 0o644, Content::Known(body.clone()));
                (self.attributes.applied_to(entry), summary)
            }
        };
        world.put(&self.path, new.0);
        Ok(Some(self.step(old.as_ref(), body, new.1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::probe::Facts;

    fn world(content: Option<Content>) -> World {
        let mut world = World::new(Facts::default());
        world.put("/etc", World::new_entry(Sort::Directory, 0o755, Content::Unread));
        if let Some(content) = content {
            world.put("/etc/x", World::new_entry(Sort::File, 0o644, content));
        }
        world
    }

    #[test]
    fn equal_content_is_known_by_its_checksum() {
        let file = File::new("/etc/x").content("a\n");
        assert_eq!(file.diff(&mut world(Some(Content::Same(sha256(b"a\n"))))).unwrap(), None);
        let step = file.diff(&mut world(Some(Content::Known(b"b\n".to_vec())))).unwrap().unwrap();
        assert_eq!(step.diff.unwrap(), "--- /etc/x\n+++ /etc/x\n@@ -1 +1 @@\n-b\n+a\n");
    }

    #[test]
    fn only_the_mode_is_changed_where_only_the_mode_differs() {
        let file = File::new("/etc/x").content("a").mode(0o600);
        let step = file.diff(&mut world(Some(Content::Known(b"a".to_vec())))).unwrap().unwrap();
        assert_eq!((step.summary.as_str(), step.script.as_str()), ("mode 0644 -> 0600", "chmod -- 0600 '/etc/x'\n"));
    }

    #[test]
    fn a_secret_is_never_in_what_is_shown() {
        let file = File::new("/etc/x").content("new").secret();
        for old in [None, Some(Content::Known(b"old".to_vec())), Some(Content::Large)] {
            let step = file.diff(&mut world(old)).unwrap().unwrap();
            assert_eq!(step.diff, None);
            assert!(!step.summary.contains("new"), "{}", step.summary);
        }
    }

    #[test]
    fn a_secret_is_for_its_owner_only_unless_the_mode_is_given() {
        let old = || world(Some(Content::Known(b"old".to_vec())));
        let mode_of = |file: File, mut world: World| {
            file.diff(&mut world).unwrap();
            world.at("/etc/x").unwrap().mode
        };
        let secret = || File::new("/etc/x").content("new").secret();
        assert_eq!([mode_of(secret(), old()), mode_of(secret(), world(None))], [0o600, 0o600]);
        assert_eq!([mode_of(secret().mode(0o640), old()), mode_of(secret().mode(0o640), world(None))], [0o640, 0o640]);
        assert_eq!(mode_of(File::new("/etc/x").content("new"), old()), 0o644);
    }

    #[test]
    fn a_file_can_be_planned_in_a_directory_of_the_same_list() {
        let mut world = world(None);
        let file = File::new("/etc/new/x").content("a");
        assert_eq!(file.diff(&mut world).unwrap_err().message, "the folder /etc/new does not exist");
        super::super::Directory::new("/etc/new").diff(&mut world).unwrap();
        assert_eq!(file.diff(&mut world).unwrap().unwrap().summary, "created");
    }

    #[test]
    fn large_content_does_not_go_through_a_script() {
        let file = File::new("/etc/x").content(vec![7; TEXT_LIMIT as usize + 1]);
        let step = file.diff(&mut world(None)).unwrap().unwrap();
        assert!(step.script.len() < 1000 && step.upload.is_some());
    }
}
