//! Applies what differs, all in one round trip: in the order of the list, up to the first failure.

use std::path::PathBuf;

use super::archive::Archive;
use super::guard;
use super::probe::encode;
use crate::error::{Error, Result};
use crate::host::{Host, Live, Output, PATHS, ScriptOptions};
use crate::report::Level;

/// The functions that the scripts of steps may call, besides those of `PATHS`.
pub(super) const LIBRARY: &str = concat!(include_str!("apply.sh"), include_str!("guard.sh"));

/// The exit status of a step that found the host other than it was read.
const STALE: i32 = 211;

/// What has to be done for one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What changes, in a few words.
    pub summary: String,
    /// A unified diff of the content.
    pub diff: Option<String>,
    /// The shell script that does it, run with `set -e`. It may use the functions of `apply.sh`.
    pub script: String,
    /// What the script reads on standard input, where that is too large for a script itself.
    pub payload: Option<Payload>,
    /// The name of the guard that the script sets, if it does: the change must be confirmed before anything else is done.
    pub guard: Option<&'static str>,
}

impl Step {
    /// A step without content.
    pub(crate) fn new(summary: impl Into<String>, script: impl Into<String>) -> Self {
        Step { summary: summary.into(), diff: None, script: script.into(), payload: None, guard: None }
    }

    /// The script sets the guard `name`.
    pub(crate) fn guarded(mut self, name: &'static str) -> Self {
        self.guard = Some(name);
        self
    }

    /// The script reads this on standard input. It may take the time that a slow line needs for it.
    pub(crate) fn payload(mut self, payload: Payload) -> Self {
        const SLOW: u64 = 50_000;
        self.script = format!("patience={}\n{}", 60 + payload.size() / SLOW, self.script);
        self.payload = Some(payload);
        self
    }

    /// Adds what is shown of the content.
    pub(crate) fn diff(mut self, diff: Option<String>) -> Self {
        self.diff = diff;
        self
    }
}

/// Content that is too large for a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    Bytes(Vec<u8>),
    File { path: PathBuf, size: u64 },
    Archive(Archive),
}

/// The command with `data` on its standard input.
pub(super) fn fed(data: &[u8], command: &str) -> String {
    format!("base64 -d <<'k3srun' | {}\n{}\nk3srun\n", command.trim_end(), encode(data))
}

/// How far the steps got.
#[derive(Debug)]
pub struct Progress {
    /// So many were done.
    pub done: usize,
    /// Why the next one was not.
    pub stopped: Option<Stop>,
}

/// Why the steps did not come to their end.
#[derive(Debug)]
pub enum Stop {
    /// The host changed since it was read.
    Stale,
    /// It failed with this status and output.
    Failed(i32, String),
    /// It could not be confirmed, and was taken back.
    Unconfirmed(Error),
}

/// Runs the steps; a guarded one is confirmed before the next one begins.
///
/// # Errors
/// When the host can't be talked to. What a step says is in [`Progress`].
pub(super) async fn apply(host: &Host, steps: &[&Step]) -> Result<Progress> {
    let mut done = 0;
    for batch in batches(steps) {
        let guard = batch.last().and_then(|step| step.guard);
        let progress = at_once(host, batch).await.map_err(|error| guard::foretell(error, guard))?;
        done += progress.done;
        if progress.stopped.is_some() {
            return Ok(Progress { done, ..progress });
        }
        if let Some(name) = guard
            && let Err(error) = guard::confirm(host, name).await
        {
            return Ok(Progress { done: done - 1, stopped: Some(Stop::Unconfirmed(error)) });
        }
    }
    Ok(Progress { done, stopped: None })
}

/// What is done in one round trip each: up to a guarded step, and a step with a payload by itself.
fn batches<'a, 's>(steps: &'a [&'s Step]) -> impl Iterator<Item = &'a [&'s Step]> {
    steps.chunk_by(|step, next| step.guard.is_none() && step.payload.is_none() && next.payload.is_none())
}

async fn at_once(host: &Host, steps: &[&Step]) -> Result<Progress> {
    let script = script(steps);
    let output = match steps {
        [Step { payload: Some(payload), .. }] => payload.send(host, &script).await?,
        _ => {
            let options = ScriptOptions { live: Live::Told, ..ScriptOptions::titled("applying what differs") };
            host.script(&script, &options).await?
        }
    };
    for warning in output.text().lines().filter_map(|line| line.strip_prefix("warning ")) {
        host.note(Level::Warning, warning);
    }
    progress(&output, steps.len())
}

impl Payload {
    /// Bytes, more or less.
    fn size(&self) -> u64 {
        match self {
            Payload::Bytes(bytes) => bytes.len() as u64,
            Payload::File { size, .. } | Payload::Archive(Archive { size, .. }) => *size,
        }
    }

    /// Runs the script with this on its standard input.
    async fn send(&self, host: &Host, script: &str) -> Result<Output> {
        match self {
            Payload::Archive(archive) => {
                let (mut file, size) = archive.pack().await?;
                let title = format!("sending {} files", archive.entries.len());
                host.feed(script, &title, size, &mut file).await
            }
            Payload::Bytes(bytes) => host.feed(script, "sending a file", bytes.len() as u64, &mut &**bytes).await,
            Payload::File { path, size } => {
                let unreadable = |error| Error::refused(format!("can't read {}: {error}", path.display()));
                let mut file = tokio::fs::File::open(path).await.map_err(unreadable)?;
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                host.feed(script, &format!("sending {name}"), *size, &mut file).await
            }
        }
    }
}

fn script(steps: &[&Step]) -> String {
    let mut script = format!("{PATHS}{LIBRARY}");
    for (index, step) in steps.iter().enumerate() {
        script.push_str(&format!("begin {index}\n(\nset -e\n{}\n)\nfinish {index} $?\n", step.script.trim_end()));
    }
    script
}

fn progress(output: &Output, steps: usize) -> Result<Progress> {
    let text = String::from_utf8_lossy(&output.stdout);
    let done = text.lines().filter(|line| line.starts_with("done ")).count();
    if done == steps {
        return Ok(Progress { done, stopped: None });
    }
    let failed = text.lines().find_map(|line| line.strip_prefix("failed ")?.split_once(' '));
    let Some(status) = failed.and_then(|(_, status)| status.parse().ok()) else {
        return Err(Error::host("applying what differs ended in the middle").output(output.tail()));
    };
    let said = output.error_text();
    let said = said.rsplit_once(&format!("k3srun-step {done}\n")).map_or("", |(_, said)| said);
    Ok(Progress {
        done,
        stopped: Some(match status {
            STALE => Stop::Stale,
            status => Stop::Failed(status, Output { stderr: said.into(), ..Output::default() }.tail()),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(stdout: &str, stderr: &str) -> Output {
        Output { stdout: stdout.into(), stderr: stderr.into(), ..Output::default() }
    }

    #[test]
    fn a_failure_shows_the_output_of_its_own_step_only() {
        let output = said("done 0\nfailed 1 7\n", "k3srun-step 0\nnoise\nk3srun-step 1\nno space left\n");
        let progress = progress(&output, 3).unwrap();
        assert_eq!(progress.done, 1);
        assert!(matches!(progress.stopped, Some(Stop::Failed(7, text)) if text == "no space left"));
    }

    #[test]
    fn a_step_that_finds_another_host_than_was_read_is_no_failure() {
        let progress = progress(&said("failed 0 211\n", "k3srun-step 0\nchanged\n"), 1).unwrap();
        assert!(matches!(progress.stopped, Some(Stop::Stale)));
    }
}
