//! The hosts that a run is connected to: one connection each, whoever asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::{Destination, Host};
use crate::error::Result;
use crate::run::Run;

/// All hosts of a run.
#[derive(Default)]
pub struct Connections {
    local: OnceCell<Host>,
    remote: Mutex<BTreeMap<String, Arc<OnceCell<Host>>>>,
}

impl Connections {
    /// The machine that k3srun itself runs on.
    pub async fn local(&self, run: &Run) -> Host {
        self.local.get_or_init(async || Host::local(run)).await.clone()
    }

    /// The host at `destination`, connected at the first call; who asks meanwhile waits for the same connection.
    ///
    /// # Errors
    /// Those of [`Host::connect`]. The next call tries again.
    pub async fn connect(&self, run: &Run, destination: &Destination) -> Result<Host> {
        let key = format!("{destination:?}");
        let cell = self.remote.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
        cell.get_or_try_init(|| Host::connect(run, destination)).await.cloned()
    }

    /// Closes all of them at once.
    pub async fn close(&self) {
        let remote = std::mem::take(&mut *self.remote.lock().unwrap_or_else(PoisonError::into_inner));
        let hosts = remote.into_values().filter_map(|cell| cell.get().cloned()).chain(self.local.get().cloned());
        let mut closing = tokio::task::JoinSet::new();
        for host in hosts {
            closing.spawn(async move { host.close().await });
        }
        closing.join_all().await;
    }
}
