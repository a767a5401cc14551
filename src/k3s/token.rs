//! The token with which agents join: made once by the server itself, read over the connection, never shown.

use std::fmt;

use super::settings::DATA_DIR;
use crate::error::{Error, Result};
use crate::host::{Host, ScriptOptions};

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

/// Reads the token for agents from a server. From then on it is masked in everything that the run shows.
///
/// # Errors
/// Host when there is none: k3s makes it at its first start.
pub async fn token(host: &Host) -> Result<Token> {
    // With an agent token of its own the server accepts only that one.
    let script = format!(
        "data=$(sed -n \"s/^data-dir: *[\\\"']\\{{0,1\\}}\\([^\\\"' ]*\\).*/\\1/p\" /etc/rancher/k3s/config.yaml 2>/dev/null)\n\
         cd \"${{data:-{DATA_DIR}}}/server\" 2>/dev/null || exit 7\n\
         for name in agent-token node-token token; do [ ! -s $name ] || exec cat $name; done\nexit 7"
    );
    let output = host.script(&script, &ScriptOptions::titled("reading the token").timeout(30)).await?;
    let text = output.text();
    let text = text.trim();
    if output.status != 0 || text.is_empty() {
        return Err(Error::host("no token on this host")
            .on(host.name())
            .help("the server makes it when it starts for the first time: k3s::server() has to come first"));
    }
    hide(host, text);
    Token::parse(text).map_err(|error| error.on(host.name()))
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
    use super::*;

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
