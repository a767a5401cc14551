//! A machine: run scripts on it, move files, learn facts. Local and remote hosts differ only in how a shell is opened.

mod options;
mod shell;
mod ssh;
mod transport;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};

use crate::error::{Error, Result};
use crate::report::{Event, Level};
use crate::run::Run;

pub use options::{Output, ScriptOptions, quote};
pub use ssh::{Destination, SshOptions};

use shell::Shell;
use transport::Transport;

/// Channels at one time over one connection. sshd's default `MaxSessions` is 10 and counts channels that are still
/// closing: from 6 in flight on refusals were seen, at 4 none.
const CHANNELS: usize = 4;

/// A machine that can be told what to do. Cloning is cheap; all clones share the connection.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    name: String,
    run: Run,
    transport: Transport,
    idle: Mutex<Vec<Shell>>,
    permits: Semaphore,
    traffic: Traffic,
}

/// What the conversation with a host has cost so far.
#[derive(Default)]
struct Traffic {
    channels: AtomicU64,
    round_trips: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Traffic {
    fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }
}

impl Host {
    /// The machine that k3srun itself runs on.
    pub fn local(run: &Run) -> Self {
        Self::with(run, "local".to_owned(), Transport::local())
    }

    /// Connects to a host over SSH, honouring the user's `ssh_config`, agent and `known_hosts`.
    ///
    /// # Errors
    /// [`Kind::Unreachable`](crate::error::Kind::Unreachable) with the cause and the remedy.
    pub async fn connect(run: &Run, destination: &Destination) -> Result<Self> {
        let name = destination.name().to_owned();
        run.report().emit(Event::Activity { host: Some(name.clone()), text: "connecting".into() });
        let connected = run.until_cancelled(Transport::ssh(destination)).await;
        run.report().emit(Event::Activity { host: Some(name.clone()), text: String::new() });
        Ok(Self::with(run, name, connected?))
    }

    fn with(run: &Run, name: String, transport: Transport) -> Self {
        Host(Arc::new(Inner {
            name,
            run: run.clone(),
            transport,
            idle: Mutex::default(),
            permits: Semaphore::new(CHANNELS),
            traffic: Traffic::default(),
        }))
    }

    /// The name used in reports.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The run this host belongs to.
    pub fn run_context(&self) -> &Run {
        &self.0.run
    }

    /// Whether this is the machine that k3srun runs on.
    pub fn is_local(&self) -> bool {
        self.0.transport.is_local()
    }

    /// Runs a POSIX shell script as root and returns its output, whatever its exit status.
    ///
    /// The text goes to the host on standard input: it may contain secrets. What the script starts is killed when the
    /// script times out, the run is cancelled or the connection ends.
    ///
    /// # Errors
    /// Unreachable when the connection breaks, host when the time is up, interrupted.
    pub async fn script(&self, text: &str, options: &ScriptOptions) -> Result<Output> {
        let permit = self.0.permits.acquire().await;
        let run = &self.0.run;
        let result = run
            .until_cancelled(async {
                let mut shell = self.shell().await?;
                let script = options.wrap(text);
                let output = shell.run(&script, options.timeout, &self.0.traffic, |stderr, line| {
                    if options.live {
                        let line = String::from_utf8_lossy(line).into_owned();
                        run.report().emit(Event::Output { host: self.0.name.clone(), line, stderr });
                    }
                });
                let output = output.await?;
                self.0.idle.lock().await.push(shell);
                Ok(output)
            })
            .await;
        drop(permit);
        let output = result.map_err(|error| self.named(error))?;
        if output.timed_out {
            let seconds = options.timeout.unwrap_or_default().as_secs_f32();
            return Err(Error::host(format!(
                "`{}` was still running after {seconds} s and was stopped",
                options.what(text)
            ))
            .on(self.name())
            .output(output.tail())
            .help("raise it with the option `timeout` (seconds), or look on the host for what it waits for"));
        }
        Ok(output)
    }

    /// Like [`Host::script`], but an exit status other than 0 is an error that shows the last output.
    pub async fn check(&self, text: &str, options: &ScriptOptions) -> Result<Output> {
        let output = self.script(text, options).await?;
        if output.status == 0 {
            return Ok(output);
        }
        let message = format!("`{}` failed with exit status {}", options.what(text), output.status);
        Err(Error::host(message).on(self.name()).output(output.tail()))
    }

    /// Writes `content` to the file `path` on the host, created with mode 0600. Meant for temporary files that a
    /// script then puts in place.
    pub async fn put(&self, path: &str, content: &[u8]) -> Result<()> {
        let permit = self.0.permits.acquire().await;
        let result = self
            .0
            .run
            .until_cancelled(async {
                let mut shell = self.shell().await?;
                let output = shell.put(path, content, &self.0.traffic).await?;
                self.0.idle.lock().await.push(shell);
                match output.status {
                    0 => Ok(()),
                    _ => Err(Error::host(format!("can't write {path}")).output(output.tail())),
                }
            })
            .await;
        drop(permit);
        result.map_err(|error| self.named(error))
    }

    /// Tells something about this host.
    pub fn note(&self, level: Level, text: impl Into<String>) {
        self.0.run.report().emit(Event::Note { level, host: Some(self.0.name.clone()), text: text.into() });
    }

    /// Says what goes on at this host now; an empty text ends it.
    pub fn activity(&self, text: impl Into<String>) {
        self.0.run.report().emit(Event::Activity { host: Some(self.0.name.clone()), text: text.into() });
    }

    /// Closes the shells and the connection, and reports what the conversation cost.
    pub async fn close(&self) {
        self.0.idle.lock().await.clear();
        let traffic = &self.0.traffic;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.0.run.report().emit(Event::Connection {
            host: self.0.name.clone(),
            channels: count(&traffic.channels),
            round_trips: count(&traffic.round_trips),
            sent: count(&traffic.sent),
            received: count(&traffic.received),
        });
        // A connection that doesn't end in time is left to ssh's own keep-alive.
        let _ = tokio::time::timeout(Duration::from_secs(5), self.0.transport.close()).await;
    }

    async fn shell(&self) -> Result<Shell> {
        if let Some(shell) = self.0.idle.lock().await.pop() {
            return Ok(shell);
        }
        let pipes = self.0.transport.open().await?;
        Traffic::add(&self.0.traffic.channels, 1);
        Shell::start(pipes, self.0.transport.sudo_password(), &self.0.traffic).await
    }

    fn named(&self, mut error: Error) -> Error {
        error.host.get_or_insert_with(|| self.0.name.clone());
        error
    }
}
