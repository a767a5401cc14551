//! A kernel parameter: in force now and after the next boot.

use super::input::{Problems, is_word};
use super::probe::{Probe, Reader, decode};
use super::step::Step;
use super::world::World;
use super::{Claim, Kind, edit};
use crate::error::{Error, Result};
use crate::host::quote;

/// Where all parameters of ours are. Files are read in the order of their names and the last one wins: this comes after
/// the distributions' own `99-sysctl.conf`.
const FILE: &str = "/etc/sysctl.d/99-zz-k3srun.conf";

/// Values in force: the keys are paths below `/proc/sys`.
const LIVE: Reader = Reader {
    name: "sysctl",
    shell: r#"
for key do
  [ -e "/proc/sys/$key" ] || { printf 'sysctl\t%s\tmissing\n' "$key"; continue; }
  printf 'sysctl\t%s\tvalue\t%s\n' "$key" "$(base64 -w0 <"/proc/sys/$key" 2>/dev/null)"
done"#,
};

/// A kernel parameter: written to `/etc/sysctl.d/99-zz-k3srun.conf` and set at once. Both are checked.
#[derive(Debug, Clone)]
pub struct Sysctl {
    key: String,
    value: String,
}

impl Sysctl {
    /// The parameter `key`, e.g. `vm.swappiness`. As with sysctl(8), in a key that uses `/` between its parts a dot is an
    /// ordinary character: `net/ipv4/conf/eth0.5/rp_filter`.
    pub fn new(key: impl Into<String>, value: impl ToString) -> Self {
        Sysctl { key: key.into(), value: words(&value.to_string()) }
    }

    /// Below `/proc/sys`.
    fn path(&self) -> String {
        match self.key.find(['.', '/']).map(|at| &self.key[at..=at]) {
            Some(".") => self
                .key
                .chars()
                .map(|c| {
                    if c == '.' {
                        '/'
                    } else if c == '/' {
                        '.'
                    } else {
                        c
                    }
                })
                .collect(),
            _ => self.key.clone(),
        }
    }

    fn line(&self) -> String {
        format!("{} = {}", self.key, self.value)
    }

    /// Whether a line of our file is about this parameter.
    fn is_ours(&self, line: &str) -> bool {
        let line = line.trim_start().trim_start_matches('-');
        line.split_once('=').is_some_and(|(key, _)| key.trim() == self.key)
    }
}

/// Values of several numbers come with tabs from the kernel.
fn words(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Kind for Sysctl {
    fn id(&self) -> String {
        format!("sysctl:{}", self.key)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Whole(format!("sysctl:{}", self.path()))]
    }

    fn check(&self, problems: &mut Problems) {
        let plain = is_word(&self.key, "._-/:*") && self.key.contains(['.', '/']);
        let path = self.path();
        if !plain || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            problems.add(format_args!("{:?} is not a valid kernel parameter, e.g. vm.swappiness", self.key));
        }
        if self.value.is_empty() || self.value.contains(|c: char| c.is_control()) {
            problems.add("the value of a kernel parameter is one line of text");
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        probe.ask(&LIVE, self.path());
        edit::ask(probe, FILE);
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        let path = self.path();
        let mut differences = Vec::new();
        let live = match world.facts.get(&LIVE, &path) {
            Some([word, value]) if word == "value" => {
                let value = decode(value).unwrap_or_default();
                Some(words(&String::from_utf8_lossy(&value)))
            }
            _ => None,
        };
        match &live {
            Some(live) if *live == self.value => {}
            Some(live) => differences.push(format!("{live} -> {}", self.value)),
            // A module that the same list loads may bring it.
            None if world.is_vague() => differences.push(format!("set to {}", self.value)),
            None => {
                return Err(Error::refused("this kernel has no such parameter")
                    .help("check the spelling; some come with a module: put kernel_module(..) before it in the list"));
            }
        }
        let (mut script, mut diff) = (String::new(), None);
        let new = edit::with_line(&edit::text(world, FILE)?, &self.line(), |line| self.is_ours(line));
        if let Some(edit) = edit::edit(world, FILE, new)? {
            differences.push(format!("persisted in {FILE}"));
            script.push_str(&edit.script);
            diff = edit.diff;
        }
        if differences.is_empty() {
            return Ok(None);
        }
        if live.as_ref() != Some(&self.value) {
            let live = quote(&format!("/proc/sys/{path}"));
            script.push_str(&format!("printf '%s\\n' {} >{live}\n", quote(&self.value)));
        }
        Ok(Some(Step::new(differences.join(", "), script).diff(diff)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::path::{Content, Sort};
    use crate::resource::probe::{Facts, encode};

    fn world(live: &str) -> World {
        let mut world = World::new(Facts::of(&[(&LIVE, "vm/swappiness", &["value", &encode(live)])]));
        world.put("/etc/sysctl.d", World::new_entry(Sort::Directory, 0o755, Content::Unread));
        world
    }

    #[test]
    fn a_key_with_dots_and_one_with_slashes_are_the_same_parameter() {
        assert_eq!(Sysctl::new("net.ipv4.conf.eth0/5.rp_filter", 1).path(), "net/ipv4/conf/eth0.5/rp_filter");
        assert_eq!(Sysctl::new("net/ipv4/conf/eth0.5/rp_filter", 1).path(), "net/ipv4/conf/eth0.5/rp_filter");
    }

    #[test]
    fn a_value_must_be_in_force_and_persisted() {
        let mut world = world("60\n");
        let wanted = Sysctl::new("vm.swappiness", 10);
        let step = wanted.diff(&mut world).unwrap().unwrap();
        assert_eq!(step.summary, format!("60 -> 10, persisted in {FILE}"));
        assert!(step.script.ends_with("printf '%s\\n' '10' >'/proc/sys/vm/swappiness'\n"), "{}", step.script);
        // The file is as planned now, so that the next parameter is added to it.
        assert!(world.at(FILE).unwrap().content.is(b"vm.swappiness = 10\n"));
    }

    #[test]
    fn lines_of_the_file_are_known_by_their_key() {
        let wanted = Sysctl::new("vm.swappiness", 1);
        assert!(wanted.is_ours("vm.swappiness=5") && wanted.is_ours("  -vm.swappiness = 7"));
        assert!(!wanted.is_ours("# vm.swappiness = 1") && !wanted.is_ours("vm.swappiness2 = 1"));
    }

    #[test]
    fn tabs_between_numbers_do_not_matter() {
        assert_eq!(words("4096\t131072\t6291456\n"), "4096 131072 6291456");
    }

    #[test]
    fn a_parameter_that_the_kernel_lacks_is_refused() {
        let mut world = World::new(Facts::of(&[(&LIVE, "vm/swapiness", &["missing"])]));
        let error = Sysctl::new("vm.swapiness", 1).diff(&mut world).unwrap_err();
        assert_eq!(error.message, "this kernel has no such parameter");
    }
}
