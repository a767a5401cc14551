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
        "connection closed by",
        "kex_exchange_identification",
        "temporary failure in name resolution",
    ]
    .iter()
    .any(|text| said.contains(text))
}

/// Whether the host refused the login.
pub(super) fn is_denied(error: &openssh::Error) -> bool {
    let said = said(error).to_lowercase();
    said.contains("permission denied") && !said.contains("bad permissions")
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

/// The entry of known_hosts that ssh complains about, quoted for a shell: a host, or `[host]:port`.
fn known_as(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("Host key for ")?;
    let (entry, _) = rest.split_once(" has changed")?;
    Some(if entry.contains('[') { format!("'{entry}'") } else { entry.to_owned() })
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
                "someone may listen in, or the machine was reinstalled. If you know it was: ssh-keygen -R {}, then connect once with ssh and compare the fingerprint",
                known_as(&said).unwrap_or_else(|| host.to_owned())
            ),
        )
    } else if has("host key verification failed") || has("host key is known for") {
        unreachable(
            format!("the host key of {address} is not known yet"),
            format!(
                "connect once with `ssh {address}` and compare the fingerprint with the one your provider shows, or set accept_new_host_keys"
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
            if has("root@") {
                "is your key in root's authorized_keys there, and may root log in (PermitRootLogin in sshd_config)? Else name another user, with sudo. `ssh -v` shows which keys are offered, sshd's log on the host why it refuses"
            } else {
                "is the user right, and your key in its authorized_keys there? `ssh -v` shows which keys are offered, sshd's log on the host why it refuses"
            },
        )
    } else if has("temporary failure in name resolution") {
        unreachable(
            format!("the name {host} can't be resolved: no name server answers this machine"),
            "look at your own network and /etc/resolv.conf, or use the address",
        )
    } else if has("could not resolve hostname") {
        unreachable(format!("the name {host} can't be resolved"), "check the spelling, or use the address")
    } else if has("unknown port") {
        match destination.options.jump.as_slice() {
            [] => unreachable(
                format!("the jump host does not lead to {address}"),
                format!("`ssh {address}` shows which of the two fails: the login on the way, or the way on from there"),
            ),
            way => unreachable(
                format!("the jump host {} lets us in, but does not lead to {address}", way.join(",")),
                "is the machine on, its address right as seen from there, and its SSH port open to the jump host? May the jump host forward (AllowTcpForwarding)?",
            ),
        }
    } else if has("connection refused") {
        unreachable(
            format!("{address} refuses connections"),
            "is sshd running there, and on this port? Is the machine still booting?",
        )
    } else if has("during banner exchange") {
        unreachable(
            format!("{address} takes the connection, but no SSH server answers on it within {seconds} s"),
            "is the port right? If it is, the machine may be overloaded, or a firewall on the way may hold the answer back",
        )
    } else if has("timed out") || has("timeout") {
        unreachable(
            format!("{address} does not answer within {seconds} s"),
            "is the machine on, the address right, and its SSH port open to your address in every firewall?",
        )
    } else if has("no route to host") {
        unreachable(
            format!("nobody answers at the address of {address}"),
            "is the machine on, and the address right? Its router or a firewall says that it can't be reached",
        )
    } else if has("network is unreachable") {
        unreachable(
            format!("this machine has no network that leads to {address}"),
            "look at your own network and VPN; where the address is one of IPv6 and you have none, use that of IPv4",
        )
    } else if has("connection closed by") && !has("kex_exchange_identification") {
        unreachable(
            format!("{address} closed the connection during the login"),
            "is the machine still booting (/run/nologin), or the account locked or kept out (AllowUsers, PAM)? sshd's log there tells",
        )
    } else if has("kex_exchange_identification") || has("connection reset") {
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

/// Why a login that was let in has no shell, by what it printed.
pub(super) fn explain_shell(said: &str) -> Error {
    let lower = said.to_lowercase();
    let has = |text: &str| lower.contains(text);
    let error = if has("password has expired") || has("password change required") {
        unreachable(
            "the password of this login has expired, and nothing runs before it has a new one",
            "log in once with ssh and set it (passwd), or have it set at your provider",
        )
    } else if has("please login as the user") {
        unreachable(
            "this login only says that another one is to be used",
            "log in as that user and become root by sudo: `user` and `sudo: true`, in cluster.toml ssh.user and ssh.sudo",
        )
    } else if has("account is currently not available") {
        unreachable(
            "this user has no login shell",
            "give it one on the host (usermod -s /bin/sh USER), or log in as another user",
        )
    } else {
        unreachable(
            "the login shell ended before it answered",
            "does this user have a real login shell? Look at /etc/passwd and the login profiles there",
        )
    };
    error.output(said)
}

fn unreachable(message: impl Into<String>, help: impl Into<String>) -> Error {
    Error::unreachable(message).help(help)
}
