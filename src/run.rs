//! What every operation of one run shares: where it reports, whether it may change things, and when to stop.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::{Error, Result};
use crate::report::Report;
use crate::report::redact::Secrets;

/// Whether a run changes hosts or only says what it would change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Read, compare, change what differs.
    Apply,
    /// Read and compare; change nothing.
    Plan,
}

/// The shared state of one run. Cloning is cheap; all clones are the same run.
#[derive(Clone)]
pub struct Run(Arc<Shared>);

struct Shared {
    id: String,
    report: Report,
    plan: AtomicBool,
    cancel: Mutex<CancellationToken>,
    /// How many programs have the user's terminal.
    terminal: AtomicUsize,
    /// When the last one gave it back.
    returned: Mutex<Option<Instant>>,
    /// What must come to its own end.
    outlasting: TaskTracker,
}

/// While it lives, Ctrl-C belongs to the program that has the terminal.
pub struct Terminal(Run);

impl Drop for Terminal {
    fn drop(&mut self) {
        *self.0.0.returned.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.0.0.terminal.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Run {
    /// A run that reports to `report`.
    pub fn new(report: Report, mode: Mode) -> Self {
        let id = format!("k3srun-{:016x}", u64::from_le_bytes(crate::random::bytes()));
        Run(Arc::new(Shared {
            id,
            report,
            plan: AtomicBool::new(mode == Mode::Plan),
            cancel: Mutex::default(),
            terminal: AtomicUsize::new(0),
            returned: Mutex::default(),
            outlasting: TaskTracker::new(),
        }))
    }

    /// The name of this run and no other, e.g. `k3srun-0f3c…`: its shells on hosts are called so.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Where the run tells what it does.
    pub fn report(&self) -> &Report {
        &self.0.report
    }

    /// Values that no output may contain.
    pub fn secrets(&self) -> &Secrets {
        self.0.report.secrets()
    }

    /// Whether this run only plans.
    pub fn is_plan(&self) -> bool {
        self.0.plan.load(Ordering::Relaxed)
    }

    /// Plans or applies from now on: at a prompt each entry has a mode of its own.
    pub fn set_mode(&self, mode: Mode) {
        self.0.plan.store(mode == Mode::Plan, Ordering::Relaxed);
    }

    /// Cancelled when the user interrupts the run.
    pub fn cancel(&self) -> CancellationToken {
        self.0.cancel.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets work begin again after a cancellation: what must be done at the end of an interrupted run.
    pub fn renew(&self) {
        *self.0.cancel.lock().unwrap_or_else(PoisonError::into_inner) = CancellationToken::new();
    }

    /// Lets another program have the user's terminal, as long as the value lives.
    pub fn hand_over_terminal(&self) -> Terminal {
        self.0.terminal.fetch_add(1, Ordering::Relaxed);
        Terminal(self.clone())
    }

    /// Whether another program has the user's terminal, or had it a moment ago: the Ctrl-C that ended it reaches us, too, and
    /// may do so after its end.
    pub fn terminal_is_handed_over(&self) -> bool {
        const MOMENT: Duration = Duration::from_millis(300);
        let returned = *self.0.returned.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.terminal.load(Ordering::Relaxed) > 0 || returned.is_some_and(|returned| returned.elapsed() < MOMENT)
    }

    /// Starts work that comes to its own end even where nobody waits for it any more, because the run was cancelled.
    pub fn outlasting<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.0.outlasting.spawn(work)
    }

    /// Waits until all such work has ended: before the connections that it needs are closed.
    pub async fn settled(&self) {
        self.0.outlasting.close();
        self.0.outlasting.wait().await;
    }

    /// Waits for `work`, or ends with [`Error::interrupted`] as soon as the run is cancelled.
    pub async fn until_cancelled<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let cancel = self.cancel();
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Error::interrupted()),
            done = work => done,
        }
    }
}
