//! A bundle becomes the datastore of a server again.

use std::path::Path;

use super::bundle::{SNAPSHOT, TOKEN, read, token_hash};
use super::key::Key;
use crate::error::{Error, Result};
use crate::host::{Host, ScriptOptions, quote};
use crate::k3s;
use crate::report::{Change, Event};

const RESTORE: &str = include_str!("restore.sh");

/// Where the parts of a restore wait on the server; only root can enter it. It is gone when all is done.
const FOLDER: &str = "/var/lib/k3srun/restore";

/// How long the reset may take, in seconds, with the stop before it.
const TIMEOUT: u64 = 480;

/// Makes the datastore of a server that of a bundle: stops k3s, puts snapshot and token in place, and ends before the start, which is
/// `k3s::server`'s. A run that was cut off is finished by the next one with the same bundle. What the server had stays beside it.
/// In a plan it is only shown.
///
/// # Errors
/// Refused for a bundle that can't be restored, before anything is stopped; host when k3s doesn't stop or refuses the snapshot.
pub async fn restore(host: &Host, file: &Path, key: &Key) -> Result<()> {
    let found = super::check(file, key)?;
    if !found.problems.is_empty() {
        return Err(Error::refused(format!("{} can't be restored: {}", file.display(), found.problems.join("; ")))
            .help("take an older backup; nothing was changed"));
    }
    let run = host.run_context();
    if !run.is_plan() {
        let (mut snapshot, mut token) = (Vec::new(), String::new());
        read(file, key, |entry, content| {
            match entry.name.as_str() {
                SNAPSHOT => snapshot = content.to_vec(),
                TOKEN => token = String::from_utf8_lossy(content).trim().to_owned(),
                _ => {}
            }
            Ok(())
        })?;
        k3s::hide_token(host, &token);
        bring(host, &snapshot, &token).await?;
        host.activity("restoring the datastore");
        let script = format!("folder={FOLDER} data={}\n{RESTORE}", quote(k3s::settings::DATA_DIR));
        let output = host.script(&script, &ScriptOptions::titled("restoring the datastore").timeout(TIMEOUT)).await;
        host.activity("");
        let output = output?;
        if output.status != 0 {
            return Err(explain(output.status, output.error_text().trim()).on(host.name()));
        }
    }
    let summary = format!("restored from {}, made {}", file.display(), found.manifest.made);
    let change = Change { resource: "datastore:etcd".into(), summary, diff: None };
    run.report().emit(Event::Changed { host: host.name().to_owned(), planned: run.is_plan(), change });
    Ok(())
}

/// Takes away what a restore needed, when its server is up.
///
/// # Errors
/// Host where it can't be removed.
pub async fn finish(host: &Host) -> Result<()> {
    if !host.run_context().is_plan() {
        host.check(&format!("rm -rf -- {FOLDER}"), &ScriptOptions::titled("tidying up")).await?;
    }
    Ok(())
}

/// Puts snapshot and token into the folder; those of another restore that was cut off make room.
async fn bring(host: &Host, snapshot: &[u8], token: &str) -> Result<()> {
    let sum = super::bundle::sha256(snapshot);
    let begin = format!(
        "set -e\n[ \"$(cat {FOLDER}/of 2>/dev/null)\" = {0} ] || rm -rf -- {FOLDER}\nmkdir -p {1}\n[ -d {FOLDER} ] || mkdir -m 0700 {FOLDER}\n\
         chmod 0700 {FOLDER}\n[ -e {FOLDER}/of ] && echo there || :",
        quote(&format!("{sum} {}", token_hash(token))),
        "/var/lib/k3srun"
    );
    let options = ScriptOptions::titled("making the folder of the restore");
    if host.check(&begin, &options).await?.text().trim() == "there" {
        return Ok(());
    }
    host.put(&format!("{FOLDER}/snapshot"), snapshot).await?;
    host.put(&format!("{FOLDER}/token"), format!("{token}\n").as_bytes()).await?;
    let end = format!(
        "set -e\nchmod 0600 {FOLDER}/snapshot {FOLDER}/token\n[ \"$(sha256sum <{FOLDER}/snapshot | cut -c1-64)\" = {sum} ]\n\
         echo {} >{FOLDER}/of\nsync",
        quote(&format!("{sum} {}", token_hash(token)))
    );
    host.check(&end, &options).await.map(drop)
}

fn explain(status: i32, said: &str) -> Error {
    let (message, help) = match status {
        60 => (
            "k3s doesn't stop, so nothing was restored",
            "look at `systemctl status k3s` on the server, and run it again when it is stopped",
        ),
        61 => (
            "k3s could not restore the snapshot",
            "k3s is stopped. Run the restore again with the same file: it begins anew. The data from before lies beside the new one, in server/db/etcd-old-* or server.before-restore-* below /var/lib/rancher/k3s",
        ),
        _ => ("the datastore can't be restored", "look at the output, and run it again: it goes on where it stopped"),
    };
    Error::host(message).output(said.to_owned()).help(help)
}
