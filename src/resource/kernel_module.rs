//! A kernel module: there now and after the next boot.

use super::input::{Problems, is_word};
use super::probe::{Probe, Reader};
use super::step::Step;
use super::world::World;
use super::{Claim, Kind, edit};
use crate::error::{Error, Result};

/// Where our modules are listed.
const FILE: &str = "/etc/modules-load.d/k3srun.conf";

/// Whether modules are loaded, built in, or missing. What is built in is recognised by one of: its folder below
/// `/sys/module`, the kernel's list of built-in modules, its file system, the symbol of its start function.
const MODULES: Reader = Reader {
    name: "module",
    shell: r#"
for key do
  if grep -q "^$key " /proc/modules 2>/dev/null; then state=loaded
  elif [ -e "/sys/module/$key" ] || grep -qw "$key" /proc/filesystems ||
    tr - _ 2>/dev/null <"/lib/modules/$(uname -r)/modules.builtin" | grep -q "/$key\.ko" ||
    grep -qE " [tT] ${key}_(init|init_module|module_init)$" /proc/kallsyms 2>/dev/null; then state=builtin
  else state=missing; fi
  printf 'module\t%s\t%s\n' "$key" "$state"
done"#,
};

/// A kernel module, loaded now and, by `/etc/modules-load.d/k3srun.conf`, at every boot. One that is built into the kernel
/// is as wanted.
#[derive(Debug, Clone)]
pub struct KernelModule {
    name: String,
}

impl KernelModule {
    /// The module `name`, e.g. `br_netfilter`.
    pub fn new(name: impl Into<String>) -> Self {
        KernelModule { name: name.into() }
    }

    /// As the kernel writes it.
    fn key(&self) -> String {
        self.name.replace('-', "_")
    }
}

impl Kind for KernelModule {
    fn id(&self) -> String {
        format!("kernel_module:{}", self.name)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Whole(format!("module:{}", self.key()))]
    }

    fn check(&self, problems: &mut Problems) {
        if !is_word(&self.name, "_-") {
            problems.add(format_args!("{:?} is not a valid module name", self.name));
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        probe.ask(&MODULES, self.key());
        edit::ask(probe, FILE);
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        let key = self.key();
        let loaded = match world.facts.field(&MODULES, &key, 0) {
            Some("builtin") => return Ok(None),
            Some("loaded") => true,
            Some(_) => false,
            None => return Err(Error::host("the kernel's modules could not be read")),
        };
        let (mut words, mut script, mut diff) = (Vec::new(), String::new(), None);
        if !loaded {
            words.push("loaded".to_owned());
            script.push_str(&format!(
                "modprobe -- {key} || refuse 'the kernel has no module {key}, neither built in nor to be loaded'\n"
            ));
        }
        let new = edit::with_line(&edit::text(world, FILE)?, &key, |line| line.trim().replace('-', "_") == key);
        if let Some(edit) = edit::edit(world, FILE, new)? {
            words.push(format!("persisted in {FILE}"));
            script.push_str(&edit.script);
            diff = edit.diff;
        }
        if words.is_empty() {
            return Ok(None);
        }
        world.set_vague();
        Ok(Some(Step::new(words.join(", "), script).diff(diff)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::path::{Content, Sort};
    use crate::resource::probe::Facts;

    fn summary(state: &str) -> Option<String> {
        let mut world = World::new(Facts::of(&[(&MODULES, "br_netfilter", &[state])]));
        world.put("/etc/modules-load.d", World::new_entry(Sort::Directory, 0o755, Content::Unread));
        KernelModule::new("br-netfilter").diff(&mut world).unwrap().map(|step| step.summary)
    }

    #[test]
    fn a_module_is_loaded_and_persisted_unless_it_is_built_in() {
        assert_eq!(summary("builtin"), None);
        assert_eq!(summary("loaded"), Some(format!("persisted in {FILE}")));
        assert_eq!(summary("missing"), Some(format!("loaded, persisted in {FILE}")));
    }
}
