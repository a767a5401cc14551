//! A command with a guard that says whether it still has to run.

use super::input::{Problems, is_word};
use super::path;
use super::probe::{Probe, Reader};
use super::step::Step;
use super::world::World;
use super::{Claim, Kind};
use crate::error::Result;
use crate::host::quote;

/// Whether guards hold: a key is the sha256 of a shell command, a space, and the command.
const GUARD: Reader = Reader {
    name: "guard",
    shell: r#"
for key do
  foreign "${key#* }" >/dev/null 2>&1
  printf 'guard\t%s\t%s\n' "${key%% *}" "$?"
done"#,
};

/// A shell command that runs unless its guard holds.
#[derive(Debug, Clone)]
pub struct Command {
    name: String,
    run: String,
    guard: Guard,
}

/// When there is nothing to do.
#[derive(Debug, Clone)]
enum Guard {
    /// This command succeeds. It must change nothing: a plan runs it, too.
    Unless(String),
    /// There is something at this path.
    Creates(String),
}

impl Command {
    /// Runs `run` unless the command `guard` succeeds; the guard must change nothing, since plans run it, too.
    pub fn unless(name: impl Into<String>, run: impl Into<String>, guard: impl Into<String>) -> Self {
        Command { name: name.into(), run: run.into(), guard: Guard::Unless(guard.into()) }
    }

    /// Runs `run` unless there is something at the path that it creates.
    pub fn creates(name: impl Into<String>, run: impl Into<String>, path: impl Into<String>) -> Self {
        Command { name: name.into(), run: run.into(), guard: Guard::Creates(path.into()) }
    }
}

impl Kind for Command {
    fn id(&self) -> String {
        format!("command:{}", self.name)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Whole(self.id())]
    }

    fn check(&self, problems: &mut Problems) {
        if !is_word(&self.name, " -_.:/") {
            problems.add("the name of a command is made of letters, digits, spaces and - _ . : /");
        }
        if self.run.trim().is_empty() {
            problems.add("there is nothing to run");
        }
        match &self.guard {
            Guard::Creates(path) => problems.path(path),
            Guard::Unless(guard) if guard.trim().is_empty() => problems.add("the guard `unless` is empty"),
            Guard::Unless(_) => {}
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        match &self.guard {
            Guard::Unless(guard) => probe.ask(&GUARD, format!("{} {guard}", path::sha256(guard.as_bytes()))),
            Guard::Creates(path) => path::ask(probe, path),
        }
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        let (holds, script) = match &self.guard {
            Guard::Unless(guard) => (
                world.facts.field(&GUARD, &path::sha256(guard.as_bytes()), 0) == Some("0"),
                // Asked again: a step before may have done it, e.g. a package that was not there.
                format!("if ! foreign {} >/dev/null 2>&1; then\nforeign {} -e\nfi", quote(guard), quote(&self.run)),
            ),
            Guard::Creates(path) => (
                world.at(path).is_some(),
                format!("if [ ! -e {0} ] && [ ! -L {0} ]; then\nforeign {1} -e\nfi", quote(path), quote(&self.run)),
            ),
        };
        if holds {
            return Ok(None);
        }
        world.set_vague();
        Ok(Some(Step::new("runs", script)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::path::{Content, Sort, sha256};
    use crate::resource::probe::Facts;

    #[test]
    fn a_guard_that_holds_leaves_nothing_to_do() {
        let command = Command::unless("x", "do it", "look");
        let world = |status: &str| World::new(Facts::of(&[(&GUARD, &sha256(b"look"), &[status])]));
        assert_eq!(command.diff(&mut world("0")).unwrap(), None);
        assert_eq!(command.diff(&mut world("1")).unwrap().unwrap().summary, "runs");
    }

    #[test]
    fn what_an_earlier_step_creates_counts() {
        let command = Command::creates("x", "do it", "/etc/x");
        let mut world = World::new(Facts::default());
        assert!(command.diff(&mut world).unwrap().is_some());
        world.put("/etc/x", World::new_entry(Sort::File, 0o644, Content::Unread));
        assert_eq!(command.diff(&mut world).unwrap(), None);
    }
}
