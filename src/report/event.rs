//! What can be reported.

use serde::{Serialize, Serializer};

use super::harmless::{coloured, harmless};
use super::redact::{MASK, Secrets};

/// How loud a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Shown with `-vv`.
    Debug,
    /// Shown with `-v`.
    Detail,
    /// Shown by default.
    Info,
    /// Shown even with `-q`.
    Warning,
    /// Shown even with `-q`.
    Error,
}

/// One thing on a host that differs from what is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The id of the resource, e.g. `file:/etc/motd`.
    pub resource: String,
    /// What changes, in a few words, e.g. `created` or `mode 0644 -> 0600`.
    pub summary: String,
    /// A unified diff of the content, where there is one to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// What was done on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostTally {
    /// The host.
    pub host: String,
    /// Resources changed, or that would be in a plan.
    pub changed: u64,
    /// Resources that were as wanted.
    pub ok: u64,
}

/// One thing that happened in a run.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run starts.
    RunStarted {
        /// The script's name as the user gave it.
        script: String,
        /// Whether nothing will be changed.
        plan: bool,
    },
    /// A phase of a playbook starts.
    PhaseStarted {
        /// Its name.
        phase: String,
    },
    /// A phase ended.
    PhaseFinished {
        /// Its name.
        phase: String,
        /// Whether it came to its end without an error.
        ok: bool,
        /// Time taken.
        seconds: f64,
        /// What it did on each host, those left out where it did nothing that is counted.
        hosts: Vec<HostTally>,
    },
    /// A phase was left out because of `--only`, `--skip` or `--from`.
    PhaseSkipped {
        /// Its name.
        phase: String,
    },
    /// Something that takes a while starts or goes on; replaces the last activity of the host.
    Activity {
        /// On which host; none for the run itself.
        host: Option<String>,
        /// What goes on. Empty: nothing any more.
        text: String,
    },
    /// A resource or another unit of work differs (plan) or was changed (apply).
    Changed {
        /// On which host.
        host: String,
        /// Whether it is only planned.
        planned: bool,
        /// What.
        #[serde(flatten)]
        change: Change,
    },
    /// So many resources of a host were as wanted.
    Unchanged {
        /// On which host.
        host: String,
        /// How many.
        count: u64,
    },
    /// A command of the script runs on a host, or would in a plan.
    Command {
        /// On which host.
        host: String,
        /// The command as the script gave it.
        command: String,
        /// Whether it is only planned.
        planned: bool,
    },
    /// A line of output of a command.
    Output {
        /// From which host.
        host: String,
        /// The line without its end.
        line: String,
        /// Whether it came on standard error.
        stderr: bool,
    },
    /// What the script prints.
    Print {
        /// The text.
        text: String,
    },
    /// A secret that the user asked for: people see it, programs and logs get `***`.
    Reveal {
        /// The secret.
        #[serde(serialize_with = "masked")]
        text: String,
    },
    /// Anything else that the user should know.
    Note {
        /// How loud.
        level: Level,
        /// On which host; none for the run itself.
        host: Option<String>,
        /// The text.
        text: String,
    },
    /// A host was connected, or its connection was closed: what it cost.
    Connection {
        /// Which host.
        host: String,
        /// Channels opened over the one connection.
        channels: u64,
        /// Requests that waited for an answer.
        round_trips: u64,
        /// Bytes sent to the host.
        sent: u64,
        /// Bytes received from the host.
        received: u64,
    },
    /// The run ended with an error.
    Failed {
        /// `script`, `refused`, `host`, `unreachable` or `interrupted`.
        kind: String,
        /// What failed.
        message: String,
        /// On which host.
        #[serde(skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        /// `file:line:column` of the script.
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<String>,
        /// What to do.
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<String>,
        /// The last output of what failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        output: Option<String>,
        /// The error as people see it, with the source excerpt and the call stack.
        #[serde(skip)]
        rendered: String,
    },
    /// The run is over.
    RunFinished {
        /// The exit status.
        status: u8,
        /// Whether nothing was changed on purpose.
        plan: bool,
        /// Resources changed, or that would be.
        changed: u64,
        /// Resources that were as wanted.
        ok: u64,
        /// Failures.
        failed: u64,
        /// Time taken.
        seconds: f64,
        /// Where the run log is.
        log: Option<String>,
    },
}

impl Event {
    /// A note about the run as a whole.
    pub fn note(level: Level, text: impl Into<String>) -> Self {
        Event::Note { level, host: None, text: text.into() }
    }

    /// The same event with every secret masked.
    pub(super) fn redacted(mut self, secrets: &Secrets) -> Self {
        self.each_text(|text| secrets.mask(text));
        self
    }

    /// The same event without what drives a terminal. What scripts print is for whoever reads standard output.
    pub(super) fn harmless(&self) -> Self {
        let mut event = self.clone();
        match &mut event {
            Event::Print { .. } | Event::Reveal { .. } => {}
            Event::Failed { rendered, .. } => *rendered = coloured(rendered),
            other => other.each_text(|text| *text = harmless(text)),
        }
        event
    }

    fn each_text(&mut self, mut change: impl FnMut(&mut String)) {
        match self {
            Event::Changed { change: Change { resource, summary, diff }, .. } => {
                change(resource);
                change(summary);
                diff.iter_mut().for_each(change);
            }
            Event::RunStarted { script: text, .. }
            | Event::PhaseStarted { phase: text }
            | Event::PhaseFinished { phase: text, .. }
            | Event::PhaseSkipped { phase: text }
            | Event::Command { command: text, .. }
            | Event::Output { line: text, .. }
            | Event::Print { text }
            | Event::Note { text, .. }
            | Event::Activity { text, .. } => change(text),
            Event::Failed { message, at, help, output, rendered, .. } => {
                change(message);
                change(rendered);
                at.iter_mut().chain(help).chain(output).for_each(change);
            }
            Event::Reveal { .. } | Event::Unchanged { .. } | Event::Connection { .. } | Event::RunFinished { .. } => {}
        }
    }
}

/// What is stored or read by programs in the place of a secret.
fn masked<S: Serializer>(_: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(MASK)
}
