//! A block of lines in a file, between two comments.

use super::input::Problems;
use super::probe::Probe;
use super::step::Step;
use super::world::World;
use super::{Claim, Kind, edit};
use crate::error::{Error, Result};

/// Lines in a text file, between `# BEGIN marker` and `# END marker`. The file is made where there is none.
#[derive(Debug, Clone)]
pub struct Block {
    path: String,
    text: String,
    marker: String,
}

impl Block {
    /// The lines of `text` in the file `path`; added at the end where they are missing.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Block { path: path.into(), text: text.into(), marker: "k3srun".into() }
    }

    /// The name in the comments around the block; `k3srun` by default. Every block of a file has its own.
    pub fn marker(mut self, marker: impl Into<String>) -> Self {
        self.marker = marker.into();
        self
    }

    fn comments(&self) -> (String, String) {
        (format!("# BEGIN {}", self.marker), format!("# END {}", self.marker))
    }

    /// `text` with the block.
    fn put_in(&self, text: &str) -> Result<String> {
        let (begin, end) = self.comments();
        let lines: Vec<&str> = text.lines().collect();
        let places = |comment: &str| -> Vec<usize> {
            lines.iter().enumerate().filter(|(_, line)| line.trim_end() == comment).map(|(at, _)| at).collect()
        };
        let (before, after) = match (places(&begin).as_slice(), places(&end).as_slice()) {
            ([], []) => (lines.as_slice(), [].as_slice()),
            ([first], [last]) if first < last => (&lines[..*first], &lines[last + 1..]),
            _ => {
                let message = format!("{} has {begin:?} and {end:?} not just once and in this order", self.path);
                return Err(Error::refused(message).help("remove the comments that are too many by hand"));
            }
        };
        let block = std::iter::once(begin.as_str()).chain(self.text.lines()).chain([end.as_str()]);
        let new: Vec<&str> = before.iter().copied().chain(block).chain(after.iter().copied()).collect();
        let new = new.join("\n");
        Ok(if new == text { new } else { new + "\n" })
    }
}

impl Kind for Block {
    fn id(&self) -> String {
        format!("block:{}:{}", self.path, self.marker)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::part_of(&self.path), Claim::Whole(self.id())]
    }

    fn check(&self, problems: &mut Problems) {
        problems.path(&self.path);
        if self.marker.trim().is_empty() || self.marker.chars().any(char::is_control) {
            problems.add("the marker must be one line, not empty");
        }
        let (begin, end) = self.comments();
        if self.text.lines().any(|line| line.trim_end() == begin || line.trim_end() == end) {
            problems.add("the text has the comments of its own marker in it");
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        edit::ask(probe, &self.path);
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        let new = self.put_in(&edit::text(world, &self.path)?)?;
        let edit = edit::edit(world, &self.path, new)?;
        Ok(edit.map(|edit| Step::new(edit.summary(), &*edit.script).diff(edit.diff)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_added_at_the_end_and_replaced_in_its_place() {
        let block = Block::new("/etc/x", "one\ntwo\n").marker("m");
        let added = block.put_in("a\n").unwrap();
        assert_eq!(added, "a\n# BEGIN m\none\ntwo\n# END m\n");
        assert_eq!(block.put_in(&added).unwrap(), added);
        let changed = Block::new("/etc/x", "three").marker("m").put_in(&format!("{added}z\n")).unwrap();
        assert_eq!(changed, "a\n# BEGIN m\nthree\n# END m\nz\n");
    }

    #[test]
    fn half_a_block_is_not_guessed_at() {
        let block = Block::new("/etc/x", "one").marker("m");
        assert!(block.put_in("# BEGIN m\n").is_err());
        assert!(block.put_in("# END m\n# BEGIN m\n").is_err());
    }
}
