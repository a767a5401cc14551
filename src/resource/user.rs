//! A user of the host.

use super::input::{Problems, is_account};
use super::probe::{Probe, Reader};
use super::step::Step;
use super::world::World;
use super::{Claim, Kind};
use crate::error::Result;
use crate::host::quote;

/// Entries of the user database: home, shell and groups.
pub const USERS: Reader = Reader {
    name: "user",
    shell: r#"
for key do
  entry=$(getent passwd "$key") || continue
  shell=${entry##*:} rest=${entry%:*}
  printf 'user\t%s\t%s\t%s\t%s\n' "$key" "${rest##*:}" "$shell" "$(id -nG "$key")"
done"#,
};

/// A user. What isn't named stays as it is; a new user has no password and can't log in with one.
#[derive(Debug, Clone, Default)]
pub struct User {
    name: String,
    shell: Option<String>,
    home: Option<String>,
    groups: Vec<String>,
    system: bool,
}

impl User {
    /// The user `name`.
    pub fn new(name: impl Into<String>) -> Self {
        User { name: name.into(), ..User::default() }
    }

    /// The login shell.
    pub fn shell(mut self, shell: impl Into<String>) -> Self {
        self.shell = Some(shell.into());
        self
    }

    /// The home directory. That of an existing user is not moved.
    pub fn home(mut self, home: impl Into<String>) -> Self {
        self.home = Some(home.into());
        self
    }

    /// Groups that the user is in beside its own. Others that it is in are left.
    pub fn groups<N: Into<String>>(mut self, groups: impl IntoIterator<Item = N>) -> Self {
        self.groups = groups.into_iter().map(Into::into).collect();
        self
    }

    /// Whether a new user is one for a service: with a low number and, unless named, without a home that is made.
    pub fn system(mut self, system: bool) -> Self {
        self.system = system;
        self
    }

    fn create(&self) -> String {
        let mut words = vec!["useradd".to_owned()];
        if self.system {
            words.push("--system".into());
        }
        words.push(if self.system && self.home.is_none() { "--no-create-home" } else { "--create-home" }.into());
        if let Some(shell) = &self.shell {
            words.extend(["--shell".into(), quote(shell)]);
        } else if !self.system {
            // useradd's own default is sh on some distributions.
            words.push("--shell \"$(command -v bash || echo /bin/sh)\"".into());
        }
        if let Some(home) = &self.home {
            words.extend(["--home-dir".into(), quote(home)]);
        }
        if !self.groups.is_empty() {
            words.extend(["--groups".into(), quote(&self.groups.join(","))]);
        }
        words.extend(["--".into(), quote(&self.name)]);
        words.join(" ")
    }
}

impl Kind for User {
    fn id(&self) -> String {
        format!("user:{}", self.name)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Whole(self.id())]
    }

    fn check(&self, problems: &mut Problems) {
        if !is_account(&self.name) {
            problems.add(format_args!("{:?} is not a valid user name", self.name));
        }
        for path in [&self.shell, &self.home].into_iter().flatten() {
            problems.path(path);
        }
        for group in &self.groups {
            problems.account("the group", Some(group));
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        probe.ask(&USERS, self.name.clone());
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        let Some([home, shell, groups]) = world.facts.get(&USERS, &self.name) else {
            world.set_vague();
            return Ok(Some(Step::new("created", self.create())));
        };
        let (mut summary, mut options) = (Vec::new(), Vec::new());
        if let Some(wanted) = self.shell.as_ref().filter(|wanted| *wanted != shell) {
            summary.push(format!("shell {shell} -> {wanted}"));
            options.push(format!("--shell {}", quote(wanted)));
        }
        if let Some(wanted) = self.home.as_ref().filter(|wanted| *wanted != home) {
            summary.push(format!("home {home} -> {wanted}"));
            options.push(format!("--home {}", quote(wanted)));
        }
        let has: Vec<&str> = groups.split(' ').collect();
        let missing: Vec<&str> = self.groups.iter().map(String::as_str).filter(|group| !has.contains(group)).collect();
        if !missing.is_empty() {
            summary.push(format!("groups + {}", missing.join(" ")));
            options.push(format!("--append --groups {}", quote(&missing.join(","))));
        }
        if summary.is_empty() {
            return Ok(None);
        }
        Ok(Some(Step::new(summary.join(", "), format!("usermod {} -- {}", options.join(" "), quote(&self.name)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::probe::Facts;

    fn world() -> World {
        World::new(Facts::of(&[(&USERS, "ops", &["/home/ops", "/bin/sh", "ops adm"])]))
    }

    #[test]
    fn only_what_is_named_and_differs_is_changed() {
        let wanted = User::new("ops").shell("/bin/bash").groups(["adm", "sudo"]);
        let step = wanted.diff(&mut world()).unwrap().unwrap();
        assert_eq!(step.summary, "shell /bin/sh -> /bin/bash, groups + sudo");
        assert_eq!(step.script, "usermod --shell '/bin/bash' --append --groups 'sudo' -- 'ops'");
        assert_eq!(User::new("ops").home("/home/ops").diff(&mut world()).unwrap(), None);
    }

    #[test]
    fn a_missing_user_is_created() {
        let step = User::new("etcd").system(true).shell("/usr/sbin/nologin").diff(&mut world()).unwrap().unwrap();
        assert_eq!(step.script, "useradd --system --no-create-home --shell '/usr/sbin/nologin' -- 'etcd'");
    }
}
