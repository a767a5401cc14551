//! A bootstrap that runs, and whose events are watched.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::lab::{Lab, Step};

/// The administrator's machine, as far as the runs of a test see it: where they keep sockets and temporary files.
pub struct Desk(TempDir);

/// What preflight asks of a host. A disk that can be filled without harm is smaller.
const LIMITS: &str = include_str!("../../stdlib/preflight/limits.rhai");

impl Desk {
    pub fn new() -> Step<Self> {
        let folder = tempfile::Builder::new().prefix("k3srun-f").tempdir().map_err(|error| error.to_string())?;
        let limits = LIMITS.replace("free_mb: 10000", "free_mb: 1000");
        assert_ne!(limits, LIMITS, "preflight asks for another size of disk");
        let made = ["run", "tmp", "stdlib/preflight"].map(|name| fs::create_dir_all(folder.path().join(name)));
        let mut results =
            made.into_iter().chain([fs::write(folder.path().join("stdlib/preflight/limits.rhai"), limits)]);
        results.try_for_each(|result| result.map_err(|error: std::io::Error| error.to_string()))?;
        Ok(Desk(folder))
    }

    /// Where the control sockets are.
    pub fn sockets(&self) -> PathBuf {
        self.0.path().join("run")
    }

    /// `$TMPDIR`.
    pub fn temporary(&self) -> PathBuf {
        self.0.path().join("tmp")
    }

    /// The ids of the ssh processes that hold the connections of the runs.
    pub fn masters(&self) -> Vec<String> {
        let sockets = format!("{}/.ssh-connection", self.sockets().display());
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        processes
            .filter(|process| {
                fs::read_to_string(process.path().join("cmdline")).is_ok_and(|line| line.contains(&sockets))
            })
            .filter_map(|process| process.file_name().into_string().ok())
            .collect()
    }

    /// Starts bootstrap on the machines of a lab.
    pub fn bootstrap(&self, lab: &Lab) -> Step<Bootstrap> {
        self.bootstrap_with(lab, &[])
    }

    /// The same with options.
    pub fn bootstrap_with(&self, lab: &Lab, options: &[&str]) -> Step<Bootstrap> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_k3srun"))
            .args(["--output", "json", "-c", &lab.file("cluster.toml"), "--stdlib"])
            .arg(self.0.path().join("stdlib"))
            .args(options)
            .arg("scripts/bootstrap.rhai")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("XDG_RUNTIME_DIR", self.sockets())
            .env("TMPDIR", self.temporary())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("can't start k3srun: {error}"))?;
        let output = child.stdout.take().ok_or("k3srun has no standard output")?;
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Nobody listens any more to a run that is over.
                let _ = sender.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        Ok(Bootstrap { child, events, seen: Vec::new() })
    }
}

/// A moment of a run, told by its events: the spread is over all that happens, not over time.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The phase.
    pub phase: String,
    /// After so many events in it, or when it is over.
    pub events: u64,
    /// And so much later.
    pub delay: Duration,
}

/// One run.
pub struct Bootstrap {
    child: Child,
    events: Receiver<Value>,
    seen: Vec<Value>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// None: by a signal.
    pub status: Option<i32>,
    events: Vec<Value>,
}

impl Bootstrap {
    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a moment.
    ///
    /// # Errors
    /// When the run hangs, or ends before.
    pub fn reach(&mut self, moment: &Moment, limit: Duration) -> Step {
        let phase = |event: &Value, kind: &str| event["event"] == kind && event["phase"] == moment.phase.as_str();
        let (mut inside, mut count) = (false, 0);
        let reached = self.follow(limit, |event| {
            inside |= phase(event, "phase_started");
            count += u64::from(inside);
            inside && (count > moment.events || phase(event, "phase_finished"))
        })?;
        if !reached {
            return Err(format!("the run ended before anything was done to it:\n{}", self.tail()));
        }
        std::thread::sleep(moment.delay);
        Ok(())
    }

    /// Takes in events until one is what is waited for, and returns whether it came before the end of the run.
    pub fn follow(&mut self, limit: Duration, mut until: impl FnMut(&Value) -> bool) -> Step<bool> {
        let end = Instant::now() + limit;
        loop {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    let found = until(&event);
                    self.seen.push(event);
                    if found {
                        return Ok(true);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(false),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!(
                        "bootstrap hangs: {} s passed, and last it said:\n{}",
                        limit.as_secs(),
                        self.tail()
                    ));
                }
            }
        }
    }

    /// Ends it as a power failure would.
    pub fn kill(&mut self) -> Step {
        self.child.kill().map_err(|error| error.to_string())
    }

    /// Waits for its end, at most so long.
    pub fn end(mut self, limit: Duration) -> Step<Ended> {
        self.follow(limit, |_| false)?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        Ok(Ended { status: status.code(), events: std::mem::take(&mut self.seen) })
    }

    fn tail(&self) -> String {
        tail(&self.seen)
    }
}

impl Drop for Bootstrap {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// How many resources it changed; None where it didn't come to its end.
    pub fn changed(&self) -> Option<u64> {
        self.events.iter().find(|event| event["event"] == "run_finished")?["changed"].as_u64()
    }

    /// Fails unless a run that has failed says so with an error of the kind that its status stands for, and what to do.
    pub fn is_explained(&self) -> Step {
        let kind = match self.status {
            Some(2) => "refused",
            Some(3) => "host",
            Some(4) => "unreachable",
            _ => return Ok(()),
        };
        let explains = |event: &&Value| {
            // An error for several hosts has the remedies in its message.
            let several = event["message"].as_str().is_some_and(|message| message.contains("failures:\n"));
            event["event"] == "failed" && event["kind"] == kind && (event["help"].is_string() || several)
        };
        match self.events.iter().find(explains) {
            Some(_) => Ok(()),
            None => Err(format!("a run that ended with {:?} does not explain it:\n{}", self.status, self.tail())),
        }
    }

    /// Whether an event has this text in it.
    pub fn said(&self, text: &str) -> bool {
        self.events.iter().any(|event| event.to_string().contains(text))
    }

    /// The last events, as text.
    pub fn tail(&self) -> String {
        tail(&self.events)
    }
}

fn tail(events: &[Value]) -> String {
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
