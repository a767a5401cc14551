//! Starts ssh's master process, over which everything with a host goes.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use openssh::Session;
use tokio::process::Command;

use super::address::{Address, mistake};
use super::ssh::Destination;
use crate::error::{Error, Result};

/// How the names of the folders with control sockets begin.
pub(super) const FOLDER: &str = ".ssh-connection";

/// Always: nobody is asked, and of what the user's `ssh_config` adds to a connection for people nothing takes effect, such as ports
/// that are forwarded and commands that are run here.
const ALWAYS: &[&str] = &[
    "BatchMode=yes",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "Tunnel=no",
    "ServerAliveInterval=5",
    // If k3srun is killed, its shells end at once and the connection soon after.
    "ControlPersist=30s",
];

/// The arguments of ssh that make a connection.
///
/// # Errors
/// Refused where the destination can't be one, or a file is missing.
pub(super) fn words(destination: &Destination) -> Result<Vec<String>> {
    let options = &destination.options;
    let address = Address::parse(&destination.address)?;
    for hop in &options.jump {
        Address::parse(hop)?;
    }
    let known = if options.accept_new_host_keys { "accept-new" } else { "yes" };
    // Whole seconds; 0 would mean no limit.
    let seconds = options.connect_timeout.as_secs_f64().ceil().max(1.0);
    let mut words: Vec<String> = ALWAYS.iter().map(|option| format!("-o{option}")).collect();
    words.extend([format!("-oStrictHostKeyChecking={known}"), format!("-oConnectTimeout={seconds}")]);
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    if let Some(port) = address.port.or(options.port) {
        option("-p", port.to_string());
    }
    if let Some(user) = address.user.or_else(|| options.user.clone()) {
        if let Some(why) = mistake(&user) {
            return Err(Error::refused(format!("{user:?} is not the name of a user: {why}")));
        }
        option("-l", user);
    }
    if let Some(key) = &options.key {
        option("-o", "IdentitiesOnly=yes".to_owned());
        option("-i", existing("the key", key)?);
    }
    if let Some(config) = &options.config {
        option("-F", existing("the ssh_config", config)?);
    }
    if !options.jump.is_empty() {
        option("-J", options.jump.join(","));
    }
    words.extend(["--".to_owned(), address.host]);
    Ok(words)
}

/// Starts it with these arguments. Its socket is in a folder of its own in `folder`.
///
/// # Errors
/// What ssh said.
pub(super) async fn start(words: &[String], folder: &Path) -> Result<Session, openssh::Error> {
    let own = tempfile::Builder::new()
        .prefix(FOLDER)
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(folder)
        .map_err(openssh::Error::Master)?;
    let log = own.path().join("log");
    let mut ssh = Command::new("ssh");
    ssh.arg("-E").arg(&log).arg("-S").arg(own.path().join("master")).args(["-M", "-f", "-N"]).args(words);
    // It goes to the background, and this ends, when the login is done.
    ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let status = ssh.status().await.map_err(openssh::Error::Connect)?;
    if status.success() {
        return Ok(Session::new_native_mux(own));
    }
    // Where it has not come as far as its log, the status is all there is.
    let said = tokio::fs::read_to_string(log).await.unwrap_or_default();
    let lines: Vec<&str> = said.trim().lines().map(|line| line.strip_prefix("ssh: ").unwrap_or(line)).collect();
    let said = if lines.is_empty() { format!("ssh ended with {status} and said nothing") } else { lines.join("\n") };
    Err(openssh::Error::Connect(std::io::Error::other(said)))
}

/// ssh itself goes on without a file that is not there, and fails later for another reason.
fn existing(what: &str, path: &Path) -> Result<String> {
    match std::fs::File::open(path) {
        Ok(_) => Ok(path.display().to_string()),
        Err(error) => Err(Error::refused(format!("can't read {what} {}: {error}", path.display()))
            .help("check the path; a relative one starts at the folder where k3srun was started")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::SshOptions;

    fn to(address: &str, options: SshOptions) -> Result<Vec<String>> {
        words(&Destination { address: address.to_owned(), name: None, options })
    }

    #[test]
    fn nothing_of_what_is_meant_for_people_takes_effect() {
        let words = to("ops@master:2222", SshOptions::default()).unwrap().join(" ");
        for option in ["ClearAllForwardings=yes", "ForwardAgent=no", "ForwardX11=no", "PermitLocalCommand=no"] {
            assert!(words.contains(&format!("-o{option} ")), "{words}");
        }
        assert!(words.ends_with("-p 2222 -l ops -- master"), "{words}");
    }

    #[test]
    fn a_user_is_a_name_wherever_it_is_written() {
        for user in ["-oProxyCommand=touch x", "x;touch y", "", "a b"] {
            let error = to("master", SshOptions { user: Some(user.to_owned()), ..SshOptions::default() }).unwrap_err();
            assert!(error.message.contains("is not the name of a user"), "{}", error.message);
        }
    }
}
