//! A kernel parameter: in force now and after the next boot.

use super::Kind;
use super::input::{Problems, is_word};
use super::path::{self, Content, Entry, Sort, sha256};
use super::probe::{Probe, Reader, encode};
use super::step::Step;
use super::unified;
use super::world::World;
use crate::error::{Error, Result};

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

    /// `text` with our line, once.
    fn persisted_in(&self, text: &str) -> String {
        let ours = |line: &str| {
            let line = line.trim_start().trim_start_matches('-');
            line.split_once('=').is_some_and(|(key, _)| key.trim() == self.key)
        };
        let mut lines: Vec<String> = Vec::new();
        let mut found = false;
        for line in text.lines() {
            if !ours(line) {
                lines.push(line.to_owned());
            } else if !found {
                found = true;
                lines.push(self.line());
            }
        }
        if !found {
            lines.push(self.line());
        }
        lines.join("\n") + "\n"
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

    fn claims(&self) -> Vec<String> {
        vec![format!("sysctl:{}", self.path())]
    }

    fn check(&self, problems: &mut Problems) {
        let plain = is_word(&self.key, "._-/:*") && self.key.contains(['.', '/']);
        let path = self.path();
        if !plain || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            problems.add(format_args!("{:?} is no key of a kernel parameter, e.g. vm.swappiness", self.key));
        }
        if self.value.is_empty() || self.value.contains(|c: char| c.is_control()) {
            problems.add("the value of a kernel parameter is one line of text");
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        probe.ask(&LIVE, self.path());
        path::ask_content(probe, FILE, None);
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        let path = self.path();
        let mut differences = Vec::new();
        let live = match world.facts.get(&LIVE, &path) {
            Some([word, value]) if word == "value" => {
                let value = super::probe::decode(value).unwrap_or_default();
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
        let (old, existed) = match world.at(FILE) {
            None => (String::new(), false),
            Some(Entry { sort: Sort::File, content: Content::Known(data), .. }) => {
                (String::from_utf8_lossy(data).into_owned(), true)
            }
            Some(_) => return Err(Error::refused(format!("{FILE} is not a text file that can be edited"))),
        };
        let new = self.persisted_in(&old);
        let mut script = String::new();
        let mut diff = None;
        if new != old {
            differences.push(format!("persisted in {FILE}"));
            diff = unified::diff(FILE, old.as_bytes(), new.as_bytes());
            let before = if existed { sha256(old.as_bytes()) } else { "-".to_owned() };
            script = format!(
                "mkdir -p /etc/sysctl.d\nunchanged {FILE} {before}\nreceive {FILE} {} <<'k3srun'\n{}\nk3srun\n\
                 chmod 0644 \"$temp\"\nplace {FILE}\n",
                sha256(new.as_bytes()),
                encode(&new)
            );
        }
        if differences.is_empty() {
            return Ok(None);
        }
        if live.as_ref() != Some(&self.value) {
            let live = crate::host::quote(&format!("/proc/sys/{path}"));
            script.push_str(&format!("printf '%s\\n' {} >{live}\n", crate::host::quote(&self.value)));
        }
        world.put(FILE, World::new_entry(Sort::File, 0o644, Content::Known(new.into_bytes())));
        Ok(Some(Step::new(differences.join(", "), script).diff(diff)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::probe::Facts;

    fn world(live: &str) -> World {
        World::new(Facts::of(&[(&LIVE, "vm/swappiness", &["value", &encode(live)])]))
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
    fn our_file_holds_a_key_once() {
        let text = "# kept\nvm.swappiness=5\nvm.swappiness = 7\n";
        assert_eq!(Sysctl::new("vm.swappiness", 1).persisted_in(text), "# kept\nvm.swappiness = 1\n");
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
