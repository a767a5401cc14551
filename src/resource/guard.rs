//! Changes that could lock us out, of the firewall or of sshd: the host takes them back by itself unless they are confirmed
//! over a new connection, also when it reboots in between. See `guard.sh`.
//!
//! A connection that exists says nothing: the kernel lets its packets through for as long as it lives.

use std::time::Duration;

use super::probe::{Facts, Probe, Reader};
use super::step::{LIBRARY, Step};
use super::world::World;
use crate::error::{Error, Kind, Result};
use crate::host::{Host, PATHS, ScriptOptions};

/// After so many seconds the host takes a change back: enough for [`LOGIN`] and the confirmation.
pub(crate) const SECONDS: u64 = 40;

/// Limit for the new connection to be made.
const LOGIN: Duration = Duration::from_secs(15);

/// What is left of an earlier change that nobody confirmed: a key is the name of a guard.
const PENDING: Reader = Reader {
    name: "pending",
    shell: r#"
for key do
  folder=/var/lib/k3srun/rollback/$key
  for path in "$folder" "$folder.new" "$folder.undone" "$folder.confirmed" \
    "/etc/systemd/system/rollback-k3srun-$key.service" "/etc/systemd/system/k3srun-rollback-$key.service"; do
    [ -e "$path" ] || continue
    printf 'pending\t%s\n' "$key"
    break
  done
done"#,
};

/// Asks for what [`unfinished`] needs.
pub(crate) fn ask(probe: &mut Probe, name: &str) {
    probe.ask(&PENDING, name);
}

/// Whether an earlier change waits for its confirmation, or left something behind.
pub(crate) fn is_pending(facts: &Facts, name: &str) -> bool {
    facts.get(&PENDING, name).is_some()
}

/// The step that takes back what an earlier run has not confirmed; None where there is nothing. What is on the host until
/// then counts for nothing, so everything is read again after it.
pub(crate) fn unfinished(world: &World, name: &str) -> Option<Step> {
    if !is_pending(&world.facts, name) {
        return None;
    }
    let script = format!("take_back {name}\nstale 'a change of {name} was not confirmed'\n");
    Some(Step::new("takes back what an earlier run has not confirmed, then looks again", script))
}

/// Confirms the change over a connection of its own, or takes it back.
///
/// # Errors
/// Host, when no new connection gets in or the confirmation fails: then the change is taken back.
pub(super) async fn confirm(host: &Host, name: &str) -> Result<()> {
    host.activity("confirming over a new connection");
    let confirmed = over_new_connection(host, name).await;
    host.activity("");
    let Err(error) = confirmed else { return Ok(()) };
    if error.kind == Kind::Interrupted {
        return Err(foretell(error, Some(name)));
    }
    let take_back = format!("{PATHS}{LIBRARY}take_back {name}\n");
    let options = ScriptOptions::titled(format!("taking back the change of {name}")).timeout(10);
    let outcome = match host.check(&take_back, &options).await {
        Ok(_) => "it was taken back at once".to_owned(),
        Err(_) => format!("the host takes it back by itself within {SECONDS} s"),
    };
    let message = format!("the change of {name} could not be confirmed over a new connection; {outcome}");
    let mut output = error.message;
    if let Some(said) = error.output {
        output = format!("{output}\n{said}");
    }
    Err(Error::host(message)
        .on(host.name())
        .output(output)
        .help("it would have locked us out, or the network failed meanwhile: look at the change, then run it again"))
}

/// Tells with an error in the middle of a guarded change what the host will do by itself.
pub(super) fn foretell(error: Error, name: Option<&str>) -> Error {
    let Some(name) = name.filter(|_| matches!(error.kind, Kind::Unreachable | Kind::Interrupted)) else { return error };
    let help = error.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    error.help(format!(
        "the host takes the change of {name} back within {SECONDS} s if it had begun, since nobody confirmed it{help}"
    ))
}

async fn over_new_connection(host: &Host, name: &str) -> Result<()> {
    let again = host.afresh(LOGIN).await?;
    let script =
        format!("{PATHS}{LIBRARY}confirm {name} || refuse 'the time was up, and the host took the change back'\n");
    let confirmed = again.check(&script, &ScriptOptions::titled("the confirmation").timeout(15)).await;
    if !host.is_local() {
        again.close().await;
    }
    confirmed.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_confirmed_is_taken_back_before_anything_else() {
        let world = World::new(Facts::of(&[(&PENDING, "firewall", &[])]));
        let step = unfinished(&world, "firewall").unwrap();
        assert!(step.script.starts_with("take_back firewall\nstale "), "{}", step.script);
        assert!(unfinished(&world, "sshd").is_none());
    }
}
