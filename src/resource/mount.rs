//! A file system at its place, now and after the next boot.

use super::input::{Problems, is_word};
use super::path::{self, Content, Sort};
use super::probe::{Probe, Reader, decode};
use super::step::Step;
use super::world::World;
use super::{Claim, Kind, edit};
use crate::error::Result;
use crate::host::quote;

const FILE: &str = "/etc/fstab";

/// What is mounted.
const MOUNTS: Reader =
    Reader { name: "mounts", shell: r#"printf 'mounts\t-\t%s\n' "$(base64 -w0 </proc/self/mounts)""# };

/// A file system that is mounted, and by `/etc/fstab` after every boot.
#[derive(Debug, Clone)]
pub struct Mount {
    path: String,
    device: String,
    fstype: String,
    options: String,
}

impl Mount {
    /// The file system on `device` (also `UUID=..`, `LABEL=..`, `tmpfs`), of type `fstype`, at `path`. Options: `defaults`.
    pub fn new(path: impl Into<String>, device: impl Into<String>, fstype: impl Into<String>) -> Self {
        Mount { path: path.into(), device: device.into(), fstype: fstype.into(), options: "defaults".into() }
    }

    /// The mount options, with commas in between.
    pub fn options(mut self, options: impl Into<String>) -> Self {
        self.options = options.into();
        self
    }

    fn entry(&self) -> String {
        format!("{} {} {} {} 0 0", escape(&self.device), escape(&self.path), self.fstype, self.options)
    }
}

/// fstab and the list of mounts write blanks in octal.
fn escape(text: &str) -> String {
    text.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011")
}

/// The words of a line that is no comment.
fn words(line: &str) -> Vec<&str> {
    if line.trim_start().starts_with('#') { Vec::new() } else { line.split_whitespace().collect() }
}

impl Kind for Mount {
    fn id(&self) -> String {
        format!("mount:{}", self.path)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Whole(self.id()), Claim::part_of(FILE)]
    }

    fn check(&self, problems: &mut Problems) {
        problems.path(&self.path);
        if self.path == "/" {
            problems.add("the root file system is not k3srun's to mount");
        }
        if self.device.is_empty() || self.device.chars().any(char::is_control) {
            problems.add("the device is missing, or has a control character in it");
        }
        if !is_word(&self.fstype, "._-") {
            problems.add(format_args!("{:?} is not a valid file system type", self.fstype));
        }
        if self.options.is_empty() || self.options.chars().any(|c| c.is_control() || c.is_whitespace()) {
            problems.add("the mount options are words with commas in between");
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        probe.ask(&MOUNTS, "-");
        path::ask(probe, &self.path);
        edit::ask(probe, FILE);
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        let mounts = world.facts.field(&MOUNTS, "-", 0).and_then(decode).unwrap_or_default();
        let mounts = String::from_utf8_lossy(&mounts).into_owned();
        let place = escape(&self.path);
        // The last one hides those before it.
        let there = mounts.lines().rev().map(words).find(|words| words.get(1) == Some(&place.as_str()));
        let mounted = there.is_some_and(|words| words.get(2) == Some(&self.fstype.as_str()));
        let (mut summary, mut script, mut diff) = (Vec::new(), String::new(), None);
        let wanted = self.entry();
        let same = |line: &str| words(line).get(..4) == words(&wanted).get(..4);
        let old = edit::text(world, FILE)?;
        let persisted = old.lines().filter(|line| words(line).get(1) == Some(&place.as_str())).collect::<Vec<_>>();
        let persisted = matches!(persisted.as_slice(), [line] if same(line));
        let quoted = quote(&self.path);
        if world.at(&self.path).is_none() {
            script.push_str(&format!("at folder {quoted} 0755 '' '' ''\n"));
            world.put_directory(&self.path, World::new_entry(Sort::Directory, 0o755, Content::Unread));
        }
        if !persisted {
            let new = edit::with_line(&old, &wanted, |line| words(line).get(1) == Some(&place.as_str()));
            if let Some(edit) = edit::edit(world, FILE, new)? {
                summary.push(format!("persisted in {FILE}"));
                script.push_str(&edit.script);
                script.push_str("[ ! -d /run/systemd/system ] || systemctl daemon-reload\n");
                diff = edit.diff;
            }
        }
        if !mounted {
            summary.insert(0, "mounted".to_owned());
            script.push_str(&format!("mount -- {quoted}\n"));
        } else if !persisted {
            summary.insert(0, "mounted with other options".to_owned());
            script.push_str(&format!("mount -o remount -- {quoted}\n"));
        }
        // Root mounts where nobody else can put a link to another place.
        let script = format!("alone {quoted}\n{script}");
        Ok((!summary.is_empty()).then(|| Step::new(summary.join(", "), script).diff(diff)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::{Facts, encode};
    use super::*;

    fn summary(mounts: &str, fstab: &str) -> Option<String> {
        let mut world = World::new(Facts::of(&[(&MOUNTS, "-", &[&encode(mounts)])]));
        world.put("/etc", World::new_entry(Sort::Directory, 0o755, Content::Unread));
        world.put(FILE, World::new_entry(Sort::File, 0o644, Content::Known(fstab.into())));
        Mount::new("/srv/my data", "LABEL=data", "ext4").diff(&mut world).unwrap().map(|step| step.summary)
    }

    #[test]
    fn a_mount_must_be_there_and_in_fstab() {
        let fstab = "LABEL=data  /srv/my\\040data ext4 defaults 0 2\n";
        let mounts = "/dev/sdb /srv/my\\040data ext4 rw 0 0\n";
        assert_eq!(summary(mounts, fstab), None);
        assert_eq!(summary("", fstab).unwrap(), "mounted");
        assert_eq!(summary("", "").unwrap(), "mounted, persisted in /etc/fstab");
        assert_eq!(summary(mounts, "").unwrap(), "mounted with other options, persisted in /etc/fstab");
    }
}
