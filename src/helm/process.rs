//! Runs the Helm CLI: with homes of its own, with the kubeconfig it is given and no other, and not a moment longer than its
//! caller lives.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::run::Run;

/// What runs beside Helm and ends it with us.
const SUPERVISOR: &str = include_str!("process.sh");

/// How long Helm may take to write down that it was stopped.
const GRACE: Duration = Duration::from_secs(30);

/// One call of Helm.
#[derive(Debug, Default)]
pub(super) struct Call {
    /// The arguments. Everybody on this machine can read them: never secrets.
    pub arguments: Vec<String>,
    /// What it reads on standard input, e.g. values.
    pub input: Vec<u8>,
    /// The kubeconfig; an empty one leads to no cluster.
    pub kubeconfig: String,
    /// It is ended after this time.
    pub limit: Duration,
}

/// How a call ended.
#[derive(Debug)]
pub(super) struct Answer {
    /// Whether the exit status was 0.
    pub ok: bool,
    /// What it printed. May hold secrets.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
    /// Whether its time was up.
    pub timed_out: bool,
}

/// Runs a call to its end. If the run is cancelled or the time is up, Helm gets SIGTERM and the time to mark its release as
/// failed: the run doesn't end before it has.
pub(super) async fn run(run: &Run, program: &Path, home: &Path, call: Call) -> Result<Answer> {
    let failed = |error: std::io::Error| {
        Error::refused(format!("can't run {}: {error}", program.display())).help("is it an executable of this machine?")
    };
    let mut command = Command::new("sh");
    command.args(["-c", SUPERVISOR, "sh"]).arg(runtime_folder());
    command.arg(call.kubeconfig.len().to_string()).arg(call.input.len().to_string());
    command.arg(program).args(&call.arguments);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("HELM_") || text == "KUBECONFIG" {
            command.env_remove(&name);
        }
    }
    for (name, folder) in [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")] {
        command.env(name, home.join(folder));
    }
    command.env("HELM_NO_PLUGINS", "1");
    // A group of its own: Ctrl-C at the terminal is for us.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let work = run.outlasting(async move {
        let stdin = child.stdin.take();
        let fed = async move {
            if let Some(mut stdin) = stdin {
                // A program that ended without reading says so by its status.
                let _ = stdin.write_all(call.kubeconfig.as_bytes()).await;
                let _ = stdin.write_all(&call.input).await;
                let _ = stdin.flush().await;
                stopped.cancelled().await;
            }
        };
        let ended = child.wait_with_output();
        tokio::pin!(ended);
        tokio::select! {
            ended = &mut ended => return ended,
            () = fed => {}
        }
        if let Ok(ended) = tokio::time::timeout(GRACE, &mut ended).await {
            return ended;
        }
        if let Some(group) = group {
            // Where it is gone by now that is as well.
            let _ = kill_process_group(group, Signal::KILL);
        }
        ended.await
    });
    let _stop = stop.clone().drop_guard();
    tokio::pin!(work);
    let (ended, timed_out) = match tokio::time::timeout(call.limit, &mut work).await {
        Ok(ended) => (ended, false),
        Err(_) => {
            stop.cancel();
            (work.await, true)
        }
    };
    let output = ended.map_err(|error| Error::refused(format!("Helm was lost: {error}")))?.map_err(failed)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Answer { ok: output.status.success(), stdout: text(&output.stdout), stderr: text(&output.stderr), timed_out })
}

/// Where files of a moment live: in memory, if there is such a place.
fn runtime_folder() -> std::path::PathBuf {
    let given = std::env::var_os("XDG_RUNTIME_DIR").map(std::path::PathBuf::from).filter(|folder| folder.is_dir());
    given.unwrap_or_else(std::env::temp_dir)
}
