//! Swap space: used or not, now and after the next boot.

use super::input::Problems;
use super::probe::{Probe, Reader};
use super::step::Step;
use super::world::World;
use super::{Claim, Kind, edit};
use crate::error::{Error, Result};

const FILE: &str = "/etc/fstab";

/// Marks entries of fstab that we have switched off.
const OFF: &str = "#k3srun: swap is off# ";

/// How much swap space is in use. A container sees that of the machine it runs on: not its own to decide about.
const ACTIVE: Reader = Reader {
    name: "swap",
    shell: r#"
if command -v systemd-detect-virt >/dev/null && systemd-detect-virt -q --container; then printf 'swap\t-\tforeign\n'
else printf 'swap\t-\t%s\n' "$(tail -n +2 /proc/swaps 2>/dev/null | wc -l)"; fi"#,
};

/// Whether the host uses swap space. Without: none in use, and the entries of `/etc/fstab` commented out.
#[derive(Debug, Clone)]
pub struct Swap {
    on: bool,
}

impl Swap {
    /// Swap is used (true), or not (false).
    pub fn new(on: bool) -> Self {
        Swap { on }
    }

    fn put_in(&self, text: &str) -> String {
        let is_swap = |line: &str| {
            !line.trim_start().starts_with('#') && line.split_whitespace().nth(2).is_some_and(|kind| kind == "swap")
        };
        text.split_inclusive('\n')
            .map(|line| match (self.on, line.strip_prefix(OFF)) {
                (true, Some(entry)) => entry.to_owned(),
                (false, None) if is_swap(line) => format!("{OFF}{line}"),
                _ => line.to_owned(),
            })
            .collect()
    }
}

impl Kind for Swap {
    fn id(&self) -> String {
        "swap".to_owned()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Whole(self.id()), Claim::part_of(FILE)]
    }

    fn check(&self, _problems: &mut Problems) {}

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        probe.ask(&ACTIVE, "-");
        edit::ask(probe, FILE);
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        // None: there is nothing to decide about.
        let active = world.facts.field(&ACTIVE, "-", 0).and_then(|count| count.parse::<u32>().ok());
        let old = edit::text(world, FILE)?;
        let new = self.put_in(&old);
        let (mut words, mut script, mut diff) = (Vec::new(), String::new(), None);
        if new != old
            && let Some(edit) = edit::edit(world, FILE, new.clone())?
        {
            words.push(FILE);
            script.push_str(&edit.script);
            script.push_str("[ ! -d /run/systemd/system ] || systemctl daemon-reload\n");
            diff = edit.diff;
        }
        match (self.on, active) {
            (false, Some(1..)) => {
                words.push("switched off");
                script.push_str("swapoff -a\n");
            }
            (true, Some(0)) => {
                if !new.split_inclusive('\n').any(|line| Swap::new(false).put_in(line) != line) {
                    let help = "make one first, e.g. with command(..) and mkswap, and name it in /etc/fstab";
                    return Err(Error::refused("no swap space in /etc/fstab").help(help));
                }
                words.push("switched on");
                script.push_str("swapon -a\n");
            }
            _ => {}
        }
        Ok((!words.is_empty()).then(|| Step::new(words.join(", "), script).diff(diff)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::path::{Content, Sort};
    use crate::resource::probe::Facts;

    const FSTAB: &str = "/dev/sda1 / ext4 defaults 0 1\n/dev/sda2 none swap sw 0 0\n";

    fn step(on: bool, active: &str, fstab: &str) -> Option<Step> {
        let mut world = World::new(Facts::of(&[(&ACTIVE, "-", &[active])]));
        world.put("/etc", World::new_entry(Sort::Directory, 0o755, Content::Unread));
        world.put(FILE, World::new_entry(Sort::File, 0o644, Content::Known(fstab.into())));
        Swap::new(on).diff(&mut world).unwrap()
    }

    #[test]
    fn off_is_off_now_and_after_a_boot() {
        assert_eq!(step(false, "1", FSTAB).unwrap().summary, "/etc/fstab, switched off");
        assert_eq!(step(false, "0", FSTAB).unwrap().summary, "/etc/fstab");
        let off = Swap::new(false).put_in(FSTAB);
        assert_eq!(step(false, "0", &off), None);
        assert_eq!(Swap::new(true).put_in(&off), FSTAB);
    }

    #[test]
    fn a_container_has_no_swap_space_of_its_own() {
        assert_eq!(step(false, "foreign", ""), None);
        assert_eq!(step(true, "foreign", ""), None);
    }

    #[test]
    fn on_needs_swap_space() {
        assert_eq!(step(true, "0", FSTAB).unwrap().summary, "switched on");
        let mut world = World::new(Facts::of(&[(&ACTIVE, "-", &["0"])]));
        assert!(Swap::new(true).diff(&mut world).is_err());
    }
}
