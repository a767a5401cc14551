//! Which addresses a name has.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use crate::error::{Error, Reason, Result};
use crate::host::{Host, ScriptOptions};

/// The addresses of a name, in IPv4 and IPv6, as programs on this host find them: by `/etc/hosts`, name servers, and whatever
/// else it is set up to ask. None where there are none, or no name server answers.
///
/// On other machines `getent` is asked, which comes with their C library. A query of our own over the connection would
/// know nothing of `/etc/hosts`, and need a name server that answers over TCP.
///
/// # Errors
/// Host where it has no `getent`, or the time is up; those of [`Host::script`].
pub async fn addresses(host: &Host, name: &str, limit: Duration) -> Result<Vec<IpAddr>> {
    let found: BTreeSet<IpAddr> = if host.is_local() {
        let asked = tokio::time::timeout(limit, tokio::net::lookup_host((name, 0))).await;
        let Ok(found) = asked else { return Err(silent(name).on(host.name())) };
        found.map(|found| found.map(|at| at.ip()).collect()).unwrap_or_default()
    } else {
        let mut options = ScriptOptions::titled(format!("resolve {name}")).with("NAME", name);
        options.timeout = Some(limit);
        let output = host.script(include_str!("names.sh"), &options).await?;
        if output.status == 127 {
            let error = Error::host("this host has no `getent` to resolve names with").on(host.name());
            return Err(error.help("install it: it belongs to the C library (Debian: libc-bin, Alpine: musl-utils)"));
        }
        read(&output.text())
    };
    Ok(found.into_iter().collect())
}

/// The first word of each line. IPv4 addresses in the form of IPv6 are the same ones again.
fn read(said: &str) -> BTreeSet<IpAddr> {
    let addresses = said.lines().filter_map(|line| line.split_whitespace().next()?.parse::<IpAddr>().ok());
    addresses.map(|address| address.to_canonical()).collect()
}

fn silent(name: &str) -> Error {
    Error::host(format!("no name server says in time what {name} is"))
        .because(Reason::Timeout)
        .help("look at /etc/resolv.conf, and at the network")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_counts_once() {
        let said = "203.0.113.11    STREAM www.example.test\n203.0.113.11    DGRAM\n203.0.113.11    RAW\n\
                    2001:db8:1::11  STREAM www.example.test\n::ffff:203.0.113.11 STREAM www.example.test\n";
        let found: Vec<String> = read(said).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["203.0.113.11", "2001:db8:1::11"]);
        assert!(read("").is_empty());
    }
}
