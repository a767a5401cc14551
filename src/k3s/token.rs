//! The tokens with which nodes join: that of servers is made by the server itself; that of agents on the server's host, before
//! its first start. They are read over the connection, and never shown.

use std::fmt;

use super::probe::Facts;
use super::settings::DATA_DIR;
use crate::error::{Error, Result};
use crate::host::{Host, ScriptOptions, quote};

/// Where a server has the password with which agents join. With the server's own, root of an agent's host would get the keys of the
/// cluster's authorities, and be its administrator.
pub const FOR_AGENTS: &str = "/etc/rancher/k3s/agent-token";

const MAKE: &str = include_str!("agent_token.sh");

/// What agent_token.sh ends with where the server has begun without such a password.
const TOO_LATE: i32 = 7;

/// A token in full: `K10`, the hash of the cluster's CA, a user, a password. The hash pins the server that an agent
/// talks to; a bare password would not.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Checks the form of a token.
    ///
    /// # Errors
    /// Refused, without showing it, when it isn't one in full.
    ///
    /// ```
    /// use k3srun::k3s::Token;
    /// let token = format!("K10{}::server:secret", "a".repeat(64));
    /// assert!(Token::parse(&token).is_ok());
    /// assert!(Token::parse("secret").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let valid = text.strip_prefix("K10").and_then(|rest| rest.split_once("::")).is_some_and(|(hash, user)| {
            let bootstrap =
                |user: &str| user.split_once('.').is_some_and(|(id, secret)| id.len() == 6 && !secret.is_empty());
            hash.len() == 64
                && hash.chars().all(|c| c.is_ascii_hexdigit())
                && (user.split_once(':').is_some_and(|(name, password)| !name.is_empty() && !password.is_empty())
                    || bootstrap(user))
        });
        match valid {
            true => Ok(Token(text.to_owned())),
            false => Err(Error::refused("this is not a complete token").help(
                "one looks like K10<64 digits>::server:<password>; without the first part an agent would trust any server",
            )),
        }
    }

    /// The token itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::report::redact::MASK)
    }
}

/// Makes the password with which agents join, 32 random bytes, on the server's host: before the first start of k3s, since a
/// server that gets one later refuses its next start but one. Where the server has it already, the file gets that one.
/// It isn't sent to us.
///
/// # Errors
/// Host when it can't be written, and when the server has started without one.
pub async fn make_for_agents(host: &Host, facts: &Facts) -> Result<()> {
    let script = format!("file={} data={}\n{MAKE}", quote(FOR_AGENTS), quote(&facts.data));
    let output = host.script(&script, &ScriptOptions::titled("making the token of agents").timeout(30)).await?;
    match output.status {
        0 => Ok(()),
        TOO_LATE => Err(Error::host(format!("{FOR_AGENTS} is gone, and the server doesn't know what was in it"))
            .on(host.name())
            .help("put the file back, or take `agent-token-file` out of /etc/rancher/k3s/config.yaml on the host")),
        _ => Err(Error::host(format!("can't write {FOR_AGENTS}")).on(host.name()).output(output.tail())),
    }
}

/// Reads the token for agents from a server. From then on it is masked in everything that the run shows, and so is that of servers.
///
/// # Errors
/// Host when there is none: k3s writes it at its first start.
pub async fn token(host: &Host) -> Result<Token> {
    // The first one counts: with an agent token of its own the server accepts only that one from agents.
    let script = format!(
        "data=$(sed -n \"s/^data-dir: *[\\\"']\\{{0,1\\}}\\([^\\\"' ]*\\).*/\\1/p\" /etc/rancher/k3s/config.yaml 2>/dev/null)\n\
         cd \"${{data:-{DATA_DIR}}}/server\" 2>/dev/null || exit 7\n\
         for name in agent-token node-token token; do [ ! -s $name ] || cat $name; done"
    );
    let output = host.script(&script, &ScriptOptions::titled("reading the token").timeout(30)).await?;
    let text = output.text();
    let tokens: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    for token in &tokens {
        hide(host, token);
    }
    match tokens.first() {
        Some(token) if output.status == 0 => Token::parse(token).map_err(|error| error.on(host.name())),
        _ => Err(Error::host("no token on this host")
            .on(host.name())
            .help("the server makes it when it starts for the first time: k3s::server() has to come first")),
    }
}

/// Masks a token, and the password in it, in everything that the run shows.
pub fn hide(host: &Host, text: &str) {
    let secrets = host.run_context().secrets();
    secrets.add(text);
    if let Some((_, password)) = text.strip_prefix("K10").and_then(|rest| rest.rsplit_once(':')) {
        secrets.add(password);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// Runs agent_token.sh for a server that has these passwords; returns its exit status and the file.
    fn made(folder: &Path, passwd: Option<&str>) -> (Option<i32>, Option<String>) {
        let file = folder.join("etc/agent-token");
        let cred = folder.join("server/cred");
        std::fs::create_dir_all(&cred).unwrap();
        if let Some(text) = passwd {
            std::fs::write(cred.join("passwd"), text).unwrap();
        }
        let script = format!("file={} data={}\n{MAKE}", file.display(), folder.display());
        let status = Command::new("sh").args(["-c", &script]).status().unwrap();
        if let Ok(meta) = file.metadata() {
            assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        }
        (status.code(), std::fs::read_to_string(file).ok())
    }

    #[test]
    fn a_server_that_has_not_started_gets_a_random_password_for_agents() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let passwords = folders.each_ref().map(|folder| made(folder.path(), None).1.unwrap());
        for password in &passwords {
            assert_eq!(password.trim_end().len(), 64);
            assert!(password.trim_end().chars().all(|c| c.is_ascii_hexdigit()));
        }
        assert_ne!(passwords[0], passwords[1]);
    }

    #[test]
    fn the_password_that_a_server_knows_is_kept_and_none_is_made_for_one_that_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let own = "aaaa,node,node,k3s:agent\nbbbb,server,server,k3s:server\n";
        assert_eq!(made(folder.path(), Some(own)), (Some(0), Some("aaaa\n".into())));
        let folder = tempfile::tempdir().unwrap();
        let shared = "bbbb,node,node,k3s:agent\nbbbb,server,server,k3s:server\n";
        assert_eq!(made(folder.path(), Some(shared)), (Some(TOO_LATE), None));
    }

    #[test]
    fn only_full_tokens_are_taken_and_never_shown() {
        let hash = "0".repeat(64);
        for good in ["server:pw", "node:p:w", "abcdef.0123456789abcdef"] {
            let token = Token::parse(&format!("K10{hash}::{good}\n")).unwrap();
            assert_eq!(format!("{token:?}"), "***");
        }
        for bad in [
            format!("K10{hash}"),
            format!("K10{}::server:pw", "0".repeat(63)),
            format!("K10{hash}::server:"),
            "pw".into(),
        ] {
            assert!(Token::parse(&bad).is_err(), "{bad}");
        }
    }
}
