//! Turns what ssh says into cause and remedy.

use super::ssh::Destination;
use crate::error::Error;

/// Whether a failure to connect may be over in a moment, as while sshd reads its settings again. Wrong keys and refused logins
/// never are.
pub(super) fn is_transient(error: &openssh::Error) -> bool {
    let said = said(error).to_lowercase();
    [
        "connection refused",
        "timed out",
        "no route to host",
        "network is unreachable",
        "connection reset",
        "kex_exchange_identification",
        "temporary failure in name resolution",
    ]
    .iter()
    .any(|text| said.contains(text))
}

/// Everything that an error and its causes say.
fn said(error: &openssh::Error) -> String {
    let mut said = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        said = format!("{said}: {cause}");
        source = cause.source();
    }
    said.replace('\r', "")
}

/// The failure to connect as a person can act on it.
pub(super) fn explain(destination: &Destination, error: &openssh::Error) -> Error {
    let said = said(error);
    let address = &destination.address;
    let host = address.rsplit('@').next().unwrap_or(address);
    let seconds = destination.options.connect_timeout.as_secs_f32();
    let lower = said.to_lowercase();
    let has = |text: &str| lower.contains(text);
    let error = if has("remote host identification has changed") {
        unreachable(
            format!("the host key of {address} is not the one in known_hosts"),
            format!(
                "someone may listen in, or the machine was set up anew. If you know it was: ssh-keygen -R {host}, then connect once with ssh and compare the fingerprint"
            ),
        )
    } else if has("host key verification failed") || has("host key is known for") {
        unreachable(
            format!("the host key of {address} is not known yet"),
            format!(
                "connect once with `ssh {address}` and compare the fingerprint with the one your provider shows, or pass accept_new_host_keys"
            ),
        )
    } else if has("unprotected private key") || has("bad permissions") {
        unreachable("ssh ignores the private key: others can read it", "chmod 600 the key file")
    } else if has("bad owner or permissions on") || has("bad configuration option") || has("terminating, ") {
        unreachable("ssh does not accept its ssh_config", "correct the file that ssh names")
    } else if has("too many authentication failures") {
        unreachable(
            format!("{address} gave up before the right key was offered"),
            "name the key with the option `key`, or with IdentityFile and IdentitiesOnly in ssh_config",
        )
    } else if has("permission denied") {
        unreachable(
            format!("{address} does not let us in"),
            "check the user and the key: `ssh -v` shows which keys are offered; `ssh-add -l` lists the agent's",
        )
    } else if has("could not resolve hostname") {
        unreachable(format!("the name {host} can't be resolved"), "check the spelling, or use the address")
    } else if has("unknown port") {
        let way = destination.options.jump.join(",");
        let (what, option) = if way.is_empty() {
            ("the jump host".to_owned(), String::new())
        } else {
            (format!("the jump host {way}"), format!("-J {way} "))
        };
        unreachable(
            format!("{what} does not lead to {address}"),
            format!(
                "`ssh {option}{address}` shows which of the two fails: the login on the way, or the way on from there"
            ),
        )
    } else if has("connection refused") {
        unreachable(
            format!("{address} refuses connections"),
            "is sshd running there, and on this port? Is the machine still booting?",
        )
    } else if has("timed out") || has("timeout") {
        unreachable(
            format!("{address} does not answer within {seconds} s"),
            "is the machine on, the address right, and port 22 open to your address in every firewall?",
        )
    } else if has("no route to host") || has("network is unreachable") {
        unreachable(format!("there is no way to {address} from here"), "check the address and your own network (IPv6?)")
    } else if has("kex_exchange_identification") || has("connection reset") || has("connection closed by") {
        unreachable(
            format!("{address} closed the connection before the login"),
            "is it an SSH server? Does fail2ban or a limit like MaxStartups keep you out? Look at sshd's log there",
        )
    } else if has("no matching") {
        unreachable(format!("{address} and your ssh have no algorithm in common"), "update the older of the two")
    } else if has("no such file or directory") && has("failed to connect to the remote host") {
        Error::refused("there is no `ssh` on this machine")
            .help("install OpenSSH's client (apt-get install openssh-client)")
    } else if has("session open refused") {
        unreachable(
            format!("{address} refuses one more session on the connection"),
            "raise MaxSessions in its sshd_config to the default of 10",
        )
    } else {
        unreachable(format!("can't connect to {address}"), format!("try `ssh -v {address}`"))
    };
    error.on(destination.name()).output(said)
}

fn unreachable(message: impl Into<String>, help: impl Into<String>) -> Error {
    Error::unreachable(message).help(help)
}
