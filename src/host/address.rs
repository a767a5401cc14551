//! What people write as the address of a host.

use std::net::Ipv6Addr;

use crate::error::{Error, Result};

/// The parts of a destination of ssh.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub user: Option<String>,
    /// A name, an alias of `ssh_config`, or an IP address without brackets.
    pub host: String,
    pub port: Option<u16>,
}

impl Address {
    /// Reads `[ssh://][user@]host[:port]`; an IPv6 address needs brackets only if a port follows.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |why: &str| {
            Error::refused(format!("`{text}` is no SSH destination: {why}"))
                .help("write an alias of your ssh_config, host, user@host, user@host:port or user@[2001:db8::1]:port")
        };
        let rest = text.strip_prefix("ssh://").unwrap_or(text);
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, rest),
        };
        let (host, port) = if let Some(inside) = rest.strip_prefix('[') {
            let (host, after) = inside.split_once(']').ok_or_else(|| bad("a bracket is not closed"))?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(bad("something follows the closing bracket")),
            }
        } else if is_ipv6(rest) {
            (rest, None)
        } else {
            match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            }
        };
        let port = match port.map(str::parse::<u16>) {
            None => None,
            Some(Ok(port)) if port > 0 => Some(port),
            Some(_) => return Err(bad("the port must be a number from 1 to 65535")),
        };
        for part in user.iter().map(String::as_str).chain([host]) {
            mistake(part).map_or(Ok(()), |why| Err(bad(why)))?;
        }
        Ok(Address { user, host: host.to_owned(), port })
    }
}

/// What is wrong with the name of a user or a host, if anything.
pub(super) fn mistake(part: &str) -> Option<&'static str> {
    // A leading dash would be an option of ssh.
    if part.is_empty() || part.starts_with('-') {
        return Some("user and host can't be empty or start with a dash");
    }
    let strange = |c: char| c.is_whitespace() || c.is_control() || "'\"`$\\;&|<>(){},".contains(c);
    part.contains(strange).then_some("it contains a character that can't be part of one")
}

/// With or without a zone such as `%eth0`.
fn is_ipv6(text: &str) -> bool {
    text.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::Address;

    fn parts(text: &str) -> (Option<String>, String, Option<u16>) {
        let Address { user, host, port } = Address::parse(text).unwrap();
        (user, host, port)
    }

    #[test]
    fn destinations_are_taken_apart() {
        let user = |name: &str| Some(name.to_owned());
        assert_eq!(parts("master"), (None, "master".into(), None));
        assert_eq!(parts("root@198.51.100.1"), (user("root"), "198.51.100.1".into(), None));
        assert_eq!(parts("ssh://ops@master:2222"), (user("ops"), "master".into(), Some(2222)));
        assert_eq!(parts("root@2001:db8::1"), (user("root"), "2001:db8::1".into(), None));
        assert_eq!(parts("[2001:db8::1]:2222"), (None, "2001:db8::1".into(), Some(2222)));
        assert_eq!(parts("fe80::1%eth0"), (None, "fe80::1%eth0".into(), None));
        assert_eq!(parts("ops@example.org@master"), (user("ops@example.org"), "master".into(), None));
    }

    #[test]
    fn what_ssh_would_misunderstand_is_refused() {
        for text in
            ["", "-oProxyCommand=id", "root@", "@master", "master:0", "master:ssh", "[::1", "a b", "a;b", "[::1]x"]
        {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
