//! What is wrong with a configuration: each problem with its place and its remedy.

use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource};

use crate::error::Error;

use super::document::{Place, Sources};

/// A problem before its excerpt is cut out of the sources.
#[derive(Debug)]
pub(super) struct Finding {
    message: String,
    help: String,
    /// The first is where the problem is; others belong to it.
    labels: Vec<(Place, Option<String>)>,
}

impl Finding {
    pub fn new(message: impl Into<String>, help: impl Into<String>, place: Place) -> Self {
        Self { message: message.into(), help: help.into(), labels: vec![(place, None)] }
    }

    /// A problem between several settings. The newest one is its place: an argument rather than the file.
    pub fn between(message: impl Into<String>, help: impl Into<String>, mut labels: Vec<(Place, String)>) -> Self {
        labels.sort_by_key(|(place, _)| (usize::MAX - place.source, place.start));
        let labels = labels.into_iter().map(|(place, text)| (place, Some(text))).collect();
        Self { message: message.into(), help: help.into(), labels }
    }

    /// The problem and its remedy in one line, for who has no text with places.
    pub fn line(&self) -> String {
        format!("{}; {}", self.message, self.help.replace('\n', " "))
    }

    pub fn place(&self) -> Option<Place> {
        self.labels.first().map(|(place, _)| *place)
    }

    pub fn into_problem(self, sources: &Sources) -> Problem {
        let place = self.place().unwrap_or_else(|| sources.end_of_file());
        let source = sources.get(place);
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            self.labels.into_iter().partition(|(other, _)| other.source == place.source);
        let mut help = self.help;
        for (place, text) in elsewhere {
            let source = sources.get(place);
            let (line, column) = line_and_column(&source.shown, place.start);
            help += &format!("\n{}:{line}:{column}: {}", source.name, text.unwrap_or_default());
        }
        let (line, column) = line_and_column(&source.shown, place.start);
        Problem {
            message: self.message,
            help,
            file: source.name.clone(),
            line,
            column,
            excerpt: NamedSource::new(&source.name, Arc::clone(&source.shown)),
            labels: here
                .into_iter()
                .map(|(place, text)| LabeledSpan::new(text, place.start, place.end - place.start))
                .collect(),
        }
    }
}

/// The line and the column, in characters, of a byte of the text; both count from 1.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// One problem of a configuration. As a [`Diagnostic`] it renders with an excerpt of its source, in which secrets are masked.
#[derive(Clone, Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct Problem {
    message: String,
    #[help]
    help: String,
    file: String,
    line: usize,
    column: usize,
    #[source_code]
    excerpt: NamedSource<Arc<str>>,
    #[label(collection)]
    labels: Vec<LabeledSpan>,
}

impl Problem {
    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn remedy(&self) -> &str {
        &self.help
    }

    /// The file as the user named it, or `--set`.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line of [`Problem::file`], from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> usize {
        self.column
    }
}

/// All problems of a configuration, in the order of the file, then of the `--set` arguments.
#[derive(Clone, Debug, thiserror::Error, Diagnostic)]
#[error("{}", self.summary())]
pub struct ConfigProblems {
    file: String,
    /// Instead of problems: why there is no text to have problems.
    unreadable: Option<String>,
    #[help]
    help: Option<String>,
    #[related]
    problems: Vec<Problem>,
}

impl ConfigProblems {
    pub(super) fn unreadable(file: String, reason: String, help: String) -> Self {
        Self { file, unreadable: Some(reason), help: Some(help), problems: Vec::new() }
    }

    pub(super) fn new(mut findings: Vec<Finding>, sources: &Sources) -> Self {
        findings.sort_by_key(Finding::place);
        let file = sources.get(sources.end_of_file()).name.clone();
        let problems = findings.into_iter().map(|finding| finding.into_problem(sources)).collect();
        Self { file, unreadable: None, help: None, problems }
    }

    /// The problems; empty if the file itself could not be read.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn summary(&self) -> String {
        match (&self.unreadable, self.problems.len()) {
            (Some(reason), _) => format!("the configuration {} {reason}", self.file),
            (None, 1) => format!("the configuration {} has a problem", self.file),
            (None, count) => format!("the configuration {} has {count} problems", self.file),
        }
    }
}

impl From<ConfigProblems> for Error {
    /// Bad input. Its help has a line for each problem, for those who don't show the problems with their excerpts.
    fn from(problems: ConfigProblems) -> Self {
        let line = |problem: &Problem| {
            let Problem { file, line, column, message, help, .. } = problem;
            format!("{file}:{line}:{column}: {message}; {help}")
        };
        let lines: Vec<String> = problems.problems.iter().map(line).collect();
        match problems.help.clone() {
            Some(help) => Error::refused(problems.to_string()).help(help),
            None => Error {
                problems: Some(Arc::new(problems.clone())),
                ..Error::refused(problems.to_string()).help(lines.join("\n"))
            },
        }
    }
}
