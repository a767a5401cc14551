//! A machine: run scripts on it, move files, learn facts. Local and remote hosts differ only in how a shell is opened.

mod address;
mod answer;
mod channel;
mod connections;
mod dial;
mod explain;
mod facts;
#[cfg(test)]
mod hostile;
mod interfaces;
mod keys;
mod lock;
mod master;
mod moment;
mod options;
mod reboot;
mod shell;
mod ssh;
mod sudo;
mod terminal;
mod transfer;
mod transport;
mod tunnel;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use crate::error::{Error, Kind, Result};
use crate::report::{Event, Level};
use crate::run::Run;

pub use connections::Connections;
pub use dial::Stream;
pub use facts::{Facts, Login};
pub use interfaces::Interface;
pub(crate) use moment::moment;
pub use options::{Live, Output, ScriptOptions, VariableName, quote};
pub use ssh::{Destination, SshOptions};
pub(crate) use transfer::bytes;
pub use tunnel::{Defect, Tunnel};

/// The functions of a shell that act at paths of which others could change the meaning: `at`, `ask` and `reach`.
pub(crate) const PATHS: &str =
    concat!("work='", include_str!("work.sh"), "'\neval \"$work\"\n", include_str!("paths.sh"));

use lock::Held;
use shell::Shell;
use transfer::Progress;
use transport::Transport;
use tunnel::Forward;

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
    idle: Mutex<Idle>,
    permits: Semaphore,
    traffic: Traffic,
    facts: Mutex<Option<Arc<Facts>>>,
    forwards: Mutex<Vec<Forward>>,
    locks: Mutex<Vec<Held>>,
}

/// Shells that wait for work.
#[derive(Default)]
struct Idle {
    shells: Vec<Shell>,
    /// The number of the connection that they belong to.
    generation: u64,
}

/// A shell in use, and the permission to use it.
struct Lease<'a> {
    shell: Shell,
    generation: u64,
    _permit: Option<SemaphorePermit<'a>>,
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

/// The error for a text that can't carry a secret, but was joined with one.
pub(crate) fn joined_with_secret(what: &str) -> Error {
    Error::script(format!("`{what}` was joined with a secret, which others could read there")).help(
        "pass it beside the text: in `env` or `stdin` of a command, in content or `vars` of a file; both take texts joined with it",
    )
}

impl Host {
    /// The machine that k3srun itself runs on, as the user that runs it.
    pub fn local(run: &Run) -> Self {
        Self::with(run, "local".to_owned(), Transport::local(run.id()))
    }

    /// Connects to a host over SSH, honouring the user's `ssh_config`, agent and `known_hosts`, and makes sure that
    /// commands run as root there. Failures that may be over in a moment are tried again within the time limit.
    ///
    /// # Errors
    /// Unreachable with the cause and the remedy; refused where the login is not root's and sudo is not asked for.
    pub async fn connect(run: &Run, destination: &Destination) -> Result<Self> {
        let host = Self::with(run, destination.name().to_owned(), Transport::ssh(run.id(), destination));
        host.activity("connecting");
        let connected = run
            .until_cancelled(async {
                let lease = host.lease().await?;
                host.give_back(lease).await;
                Ok(())
            })
            .await;
        host.activity("");
        match connected {
            Ok(()) => Ok(host),
            Err(error) => {
                host.0.transport.close().await;
                Err(host.named(error))
            }
        }
    }

    /// The same host over a connection of its own, made now: what says whether one still gets in. The local host is itself.
    ///
    /// # Errors
    /// Those of [`Host::connect`], after `limit` at the latest.
    pub async fn afresh(&self, limit: Duration) -> Result<Self> {
        let Some(destination) = self.0.transport.destination() else { return Ok(self.clone()) };
        let mut destination = destination.clone();
        destination.options.connect_timeout = destination.options.connect_timeout.min(limit);
        Host::connect(&self.0.run, &destination).await
    }

    fn with(run: &Run, name: String, transport: Transport) -> Self {
        Host(Arc::new(Inner {
            name,
            run: run.clone(),
            transport,
            idle: Mutex::default(),
            permits: Semaphore::new(CHANNELS),
            traffic: Traffic::default(),
            facts: Mutex::default(),
            forwards: Mutex::default(),
            locks: Mutex::default(),
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
        self.0.transport.destination().is_none()
    }

    /// Runs a POSIX shell script as root and returns its output, whatever its exit status.
    ///
    /// The text goes to the host on standard input: it may contain secrets. What the script starts is killed when the
    /// script times out, the run is cancelled or the connection ends.
    ///
    /// # Errors
    /// Unreachable when the connection breaks, host when the time is up, interrupted.
    pub async fn script(&self, text: &str, options: &ScriptOptions) -> Result<Output> {
        let report = self.0.run.report();
        let script = options.wrap(text);
        if self.0.run.secrets().is_lost_in(script.as_bytes()) || self.0.run.secrets().is_lost_in(text.as_bytes()) {
            return Err(joined_with_secret(options.what(text)).on(self.name()));
        }
        let work = async {
            if script.contains('\0') {
                return Err(Error::refused("a command can't have a NUL byte in it")
                    .help("write it to a file on the host and name that, or send it with `stdin`"));
            }
            let mut lease = self.lease().await?;
            let output = lease.shell.run(&script, options.timeout, &self.0.traffic, |stderr, line| {
                let text = || String::from_utf8_lossy(line).into_owned();
                match options.live {
                    Live::Silent => {}
                    Live::Output => {
                        report.emit(Event::Output { host: self.0.name.clone(), line: text(), stderr });
                    }
                    Live::Progress => self.activity(text()),
                    Live::Told => {
                        if let Some(what) = text().strip_prefix("progress ") {
                            self.activity(what);
                        }
                    }
                }
            });
            let output = output.await;
            if options.live == Live::Progress {
                self.activity("");
            }
            let output = output?;
            self.give_back(lease).await;
            Ok(output)
        };
        let output = self.finish(self.0.run.until_cancelled(work).await).await?;
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

    /// Runs a script with `length` bytes from a stream on its standard input, as part of `title`, e.g. `sending k3s`. How far a
    /// large one is, is told.
    ///
    /// # Errors
    /// As for [`Host::script`]; refused where the stream can't be read or ends too soon.
    pub(crate) async fn feed(
        &self,
        script: &str,
        title: &str,
        length: u64,
        content: &mut (dyn AsyncRead + Send + Unpin),
    ) -> Result<Output> {
        let progress = Progress::new(self, title.to_owned(), length);
        self.feed_telling(script, length, content, |done| progress.at(done)).await
    }

    async fn feed_telling(
        &self,
        script: &str,
        length: u64,
        content: &mut (dyn AsyncRead + Send + Unpin),
        sent: impl FnMut(u64) + Send,
    ) -> Result<Output> {
        let work = async {
            let mut lease = self.lease().await?;
            let output = lease.shell.feed(script, length, content, &self.0.traffic, sent).await?;
            self.give_back(lease).await;
            Ok(output)
        };
        self.finish(self.0.run.until_cancelled(work).await).await
    }

    /// Makes the file `path` on the host with this content and mode 0600.
    ///
    /// # Errors
    /// Host where it can't be written.
    pub async fn put(&self, path: &str, content: &[u8]) -> Result<()> {
        self.put_from(path, content.len() as u64, &mut &*content, |_| {}).await
    }

    /// Makes the file `path` on the host of `length` bytes from a stream, with mode 0600, and tells how many are sent.
    pub(crate) async fn put_from(
        &self,
        path: &str,
        length: u64,
        content: &mut (dyn AsyncRead + Send + Unpin),
        sent: impl FnMut(u64) + Send,
    ) -> Result<()> {
        let script = format!("set -e\n{PATHS}\nat put {} size{length} 0600 0600 '' ''", quote(path));
        let output = self.feed_telling(&script, length, content, sent).await?;
        match output.status {
            0 => Ok(()),
            _ => Err(Error::host(format!("can't write {path}"))
                .on(self.name())
                .help("look at the free space of that file system on the host (df -h), and whether it is read-only")
                .output(output.tail())),
        }
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
        self.0.idle.lock().await.shells.clear();
        for lock in std::mem::take(&mut *self.0.locks.lock().await) {
            lock.release().await;
        }
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

    /// A shell for one request: an idle one, or a new one if there is none. Where the connection was lost since the
    /// last request, it is made again.
    async fn lease(&self) -> Result<Lease<'_>> {
        let permit = self.0.permits.acquire().await.ok();
        let generation = self.reconnect().await?;
        let idle = self.0.idle.lock().await.shells.pop();
        let shell = match idle {
            Some(shell) => shell,
            None => self.open_shell().await?,
        };
        Ok(Lease { shell, generation, _permit: permit })
    }

    /// Makes sure that there is a connection, and with a new one opens tunnels and takes locks again. Returns its number.
    async fn reconnect(&self) -> Result<u64> {
        let generation = self.0.transport.ensure().await?;
        let mut idle = self.0.idle.lock().await;
        if idle.generation != generation {
            idle.shells.clear();
            let again = idle.generation > 0;
            if again {
                self.note(Level::Info, "connected again");
                self.restore_tunnels().await?;
            }
            idle.generation = generation;
            if again {
                self.restore_locks().await?;
            }
        }
        Ok(generation)
    }

    /// Makes sure that tunnels lead to the host: where the connection was lost, it and they are made again. Asks only ssh's
    /// master process here while the connection is there.
    ///
    /// # Errors
    /// Those of [`Host::connect`].
    pub async fn restore(&self) -> Result<()> {
        self.finish(self.reconnect().await.map(drop)).await
    }

    /// Keeps a shell for the next request. One that was in use when a request failed or was cancelled is not given
    /// back: dropping it ends what runs in it.
    async fn give_back(&self, lease: Lease<'_>) {
        let mut idle = self.0.idle.lock().await;
        if idle.generation == lease.generation {
            idle.shells.push(lease.shell);
        }
    }

    async fn open_shell(&self) -> Result<Shell> {
        let pipes = self.0.transport.open().await?;
        Traffic::add(&self.0.traffic.channels, 1);
        let transport = &self.0.transport;
        let shell = Shell::start(pipes, transport.sudo_password(), transport.shell_limit(), &self.0.traffic).await?;
        match self.0.transport.destination() {
            Some(destination) if !shell.is_root() => {
                let message = format!("{} lets us in, but not as root", destination.address);
                Err(Error::refused(message)
                    .help("pass `sudo: true` (and sudo_password where sudo asks for one), or log in as root"))
            }
            _ => Ok(shell),
        }
    }

    /// Names the host in an error, and says what ssh knows about a lost connection.
    async fn finish<T>(&self, result: Result<T>) -> Result<T> {
        let mut error = match result {
            Ok(value) => return Ok(value),
            Err(error) => self.named(error),
        };
        if error.kind == Kind::Unreachable
            && let Some(words) = self.0.transport.last_words().await
            && !words.is_empty()
        {
            error.output = Some(words);
        }
        Err(error)
    }

    fn named(&self, mut error: Error) -> Error {
        error.host.get_or_insert_with(|| self.0.name.clone());
        error
    }
}
