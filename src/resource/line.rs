//! A line in a file.

use regex::Regex;

use super::input::Problems;
use super::probe::Probe;
use super::step::Step;
use super::world::World;
use super::{Claim, Kind, edit};
use crate::error::{Error, Result};

/// A line that a text file has once. The file is made where there is none.
#[derive(Debug, Clone)]
pub struct Line {
    path: String,
    text: String,
    matching: Option<String>,
}

impl Line {
    /// The line `text` in the file `path`; added at the end where it is missing.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Line { path: path.into(), text: text.into(), matching: None }
    }

    /// The first line that matches this regular expression becomes the line, others that match go.
    pub fn matching(mut self, pattern: impl Into<String>) -> Self {
        self.matching = Some(pattern.into());
        self
    }

    fn pattern(&self) -> Result<Option<Regex>, String> {
        let compile = |pattern: &String| {
            Regex::new(pattern).map_err(|error| format!("`matching` is not a valid regular expression: {error}"))
        };
        self.matching.as_ref().map(compile).transpose()
    }
}

impl Kind for Line {
    fn id(&self) -> String {
        format!("line:{}:{}", self.path, self.text)
    }

    fn claims(&self) -> Vec<Claim> {
        let subject = self.matching.as_ref().unwrap_or(&self.text);
        vec![Claim::part_of(&self.path), Claim::Whole(format!("line:{}:{subject}", self.path))]
    }

    fn check(&self, problems: &mut Problems) {
        problems.path(&self.path);
        if self.text.contains(['\n', '\r', '\0']) || self.text.is_empty() {
            problems.add("the text must be one line, not empty");
        }
        if let Err(problem) = self.pattern() {
            problems.add(problem);
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        edit::ask(probe, &self.path);
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        let pattern = self.pattern().map_err(Error::refused)?;
        let ours = |line: &str| pattern.as_ref().is_some_and(|pattern| pattern.is_match(line));
        let new = edit::with_line(&edit::text(world, &self.path)?, &self.text, ours);
        let edit = edit::edit(world, &self.path, new)?;
        Ok(edit.map(|edit| Step::new(edit.summary(), &*edit.script).diff(edit.diff)))
    }
}
