//! The host's own name.

use super::input::{Problems, is_word};
use super::probe::{Probe, Reader};
use super::step::Step;
use super::world::World;
use super::{Claim, Kind, edit};
use crate::error::Result;

const FILE: &str = "/etc/hostname";

/// The name in force.
const LIVE: Reader = Reader { name: "hostname", shell: r#"printf 'hostname\t-\t%s\n' "$(uname -n)""# };

/// The host's name: in force now and, by `/etc/hostname`, after every boot.
#[derive(Debug, Clone)]
pub struct Hostname {
    name: String,
}

impl Hostname {
    /// The name, of letters, digits and hyphens, with dots between its parts.
    pub fn new(name: impl Into<String>) -> Self {
        Hostname { name: name.into() }
    }
}

/// Whether `name` is a host name by RFC 1123.
pub fn is_host_name(name: &str) -> bool {
    let label =
        |label: &str| is_word(label, "-") && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-');
    name.len() <= 253 && name.split('.').all(label)
}

impl Kind for Hostname {
    fn id(&self) -> String {
        format!("hostname:{}", self.name)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Whole("hostname".into())]
    }

    fn check(&self, problems: &mut Problems) {
        if !is_host_name(&self.name) || self.name.len() > 64 {
            problems
                .add(format_args!("{:?} is not a valid host name: letters, digits and hyphens, at most 64", self.name));
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        probe.ask(&LIVE, "-");
        edit::ask(probe, FILE);
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        let live = world.facts.field(&LIVE, "-", 0).unwrap_or_default().to_owned();
        let (mut words, mut script, mut diff) = (Vec::new(), String::new(), None);
        if let Some(edit) = edit::edit(world, FILE, format!("{}\n", self.name))? {
            words.push(format!("persisted in {FILE}"));
            script.push_str(&edit.script);
            diff = edit.diff;
        }
        if live != self.name {
            words.insert(0, format!("{live} -> {}", self.name));
            script.push_str(&format!("hostname {0} 2>/dev/null || echo {0} >/proc/sys/kernel/hostname\n", self.name));
        }
        Ok((!words.is_empty()).then(|| Step::new(words.join(", "), script).diff(diff)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_rfc_1123() {
        for good in ["master", "k3s-1", "a.example.org", "9lives"] {
            assert!(is_host_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a_b", "a b", "a..b", "ä"] {
            assert!(!is_host_name(bad), "{bad}");
        }
    }
}
