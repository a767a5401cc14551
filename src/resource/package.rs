//! Packages of the distribution.

use super::input::{Problems, is_word};
use super::probe::{Probe, Reader};
use super::step::Step;
use super::world::World;
use super::{Claim, Kind};
use crate::error::{Error, Result};
use crate::host::quote;

const LIBRARY: &str = include_str!("package.sh");

/// How long to wait for another user of the package manager, in seconds. Unattended upgrades of a fresh machine take
/// minutes.
const WAIT: u32 = 600;

/// Which packages are installed; a record without a version is one that another package provides.
const INSTALLED: Reader = Reader {
    name: "package",
    shell: r#"
if command -v apt-get >/dev/null; then
  printf 'manager\t-\tapt\n'
  found=$(dpkg-query -W -f '${db:Status-Status}\t${Package}\t${Version}\n' -- "$@" 2>/dev/null |
    sed -n "s/^installed$tab/package$tab/p")
  echo "$found"
  for key do
    case $nl$found in *"${nl}package$tab$key$tab"*) continue ;; esac
    [ -n "${provided+x}" ] || provided=$(dpkg-query -W -f '${db:Status-Status}, ${Provides},\n' | sed -n 's/^installed,/,/p')
    case $provided in *", $key,"* | *", $key ("*) printf 'package\t%s\t\n' "$key" ;; esac
  done
elif command -v rpm >/dev/null; then
  if command -v dnf >/dev/null; then printf 'manager\t-\tdnf\n'
  elif command -v zypper >/dev/null; then printf 'manager\t-\tzypper\n'; fi
  for key do
    version=$(rpm -q --whatprovides --qf '%{VERSION}-%{RELEASE}\n' -- "$key" 2>/dev/null) &&
      printf 'package\t%s\t%s\n' "$key" "${version%%$nl*}"
  done
fi"#,
};

/// The package manager, told by [`INSTALLED`].
const MANAGER: Reader = Reader { name: "manager", shell: "" };

/// The commands that install packages by `manager`.
pub(super) fn install_script(manager: &str, names: &[&str]) -> String {
    script(manager, "install", names)
}

fn script(manager: &str, action: &str, names: &[impl AsRef<str>]) -> String {
    let words: Vec<String> = names.iter().map(|name| quote(name.as_ref())).collect();
    format!("wait={WAIT}\n{LIBRARY}\nwith_{manager} {action} {}", words.join(" "))
}

/// Whether packages should be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageState {
    /// Installed, in whatever version.
    #[default]
    Present,
    /// Not installed. Its configuration may stay.
    Absent,
}

/// Packages of the distribution, through apt, dnf or zypper. Recommended packages are not installed along. When another
/// program uses the package manager, it is waited for up to ten minutes.
#[derive(Debug, Clone)]
pub struct Package {
    names: Vec<String>,
    state: PackageState,
}

impl Package {
    /// Installed packages.
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Package { names: names.into_iter().map(Into::into).collect(), state: PackageState::Present }
    }

    /// Sets whether they should be installed.
    pub fn state(mut self, state: PackageState) -> Self {
        self.state = state;
        self
    }
}

impl Kind for Package {
    fn id(&self) -> String {
        format!("package:{}", self.names.join(","))
    }

    fn claims(&self) -> Vec<Claim> {
        self.names.iter().map(|name| Claim::Whole(format!("package:{name}"))).collect()
    }

    fn check(&self, problems: &mut Problems) {
        if self.names.is_empty() {
            problems.add("the list has no packages");
        }
        for name in &self.names {
            if !is_word(name, "+-._")
                || name.starts_with(['-', '+', '.'])
                || name.ends_with(['-', '+']) && name.len() < 3
            {
                problems.add(format_args!("{name:?} is not a valid package name"));
            }
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        for name in &self.names {
            probe.ask(&INSTALLED, name.clone());
        }
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        let Some(manager) = world.facts.field(&MANAGER, "-", 0).map(str::to_owned) else {
            return Err(Error::refused("this host has none of apt, dnf and zypper"));
        };
        let version = |name: &String| world.facts.field(&INSTALLED, name, 0);
        let (action, verb) = match self.state {
            PackageState::Present => ("install", "installed"),
            PackageState::Absent => ("remove", "removed"),
        };
        let differ: Vec<&String> = match self.state {
            PackageState::Present => self.names.iter().filter(|name| version(name).is_none()).collect(),
            // What another package provides can't be removed by this name.
            PackageState::Absent => {
                self.names.iter().filter(|name| version(name).is_some_and(|version| !version.is_empty())).collect()
            }
        };
        if differ.is_empty() {
            return Ok(None);
        }
        let names: Vec<String> = differ.iter().map(|name| (*name).clone()).collect();
        let script = script(&manager, action, &names);
        world.set_vague();
        Ok(Some(Step::new(format!("{verb}: {}", names.join(" ")), script)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::probe::Facts;

    fn world() -> World {
        World::new(Facts::of(&[
            (&MANAGER, "-", &["apt"]),
            (&INSTALLED, "nftables", &["1.0.6-2"]),
            (&INSTALLED, "awk", &[""]),
        ]))
    }

    #[test]
    fn only_what_is_missing_is_installed() {
        let step = Package::new(["nftables", "chrony"]).diff(&mut world()).unwrap().unwrap();
        assert_eq!(step.summary, "installed: chrony");
        assert!(step.script.ends_with("with_apt install 'chrony'"), "{}", step.script);
        assert_eq!(Package::new(["nftables"]).diff(&mut world()).unwrap(), None);
    }

    #[test]
    fn what_another_package_provides_counts_as_installed() {
        assert_eq!(Package::new(["awk"]).diff(&mut world()).unwrap(), None);
    }

    #[test]
    fn only_what_is_there_is_removed() {
        let absent = |names: &[&str]| Package::new(names.iter().copied()).state(PackageState::Absent);
        let step = absent(&["nftables", "chrony"]).diff(&mut world()).unwrap().unwrap();
        assert_eq!(step.summary, "removed: nftables");
        assert_eq!(absent(&["chrony"]).diff(&mut world()).unwrap(), None);
    }

    #[test]
    fn names_go_to_a_shell_and_to_a_command_line() {
        for bad in ["", "-y", "a;b", "$(reboot)", "a b", "../x", "nginx="] {
            let mut problems = Problems::default();
            problems.about("package".into());
            Package::new([bad]).check(&mut problems);
            assert!(problems.result().is_err(), "{bad:?} was accepted");
        }
    }
}
