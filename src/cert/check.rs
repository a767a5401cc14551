//! Looks before an order at what the ACME server will look at.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::{Host, ScriptOptions};
use crate::kube::Kube;

/// What to look for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckOptions {
    /// The addresses that the name may resolve to: the workers' public ones. Needed.
    pub addresses: Vec<String>,
}

/// Something that would make an order fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where it was seen from.
    pub from: String,
    /// What it is.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

/// Looks at a name from the cluster's server, and from other hosts: whether it resolves to the right addresses only, in IPv4 and IPv6, and whether port 80
/// answers there. The hosts' own name servers are asked. It changes nothing. What is wrong comes back, the same only once.
///
/// # Errors
/// Refused without addresses, and for what is no name; host where one has no curl.
pub async fn check(kube: &Kube, name: &str, others: &[Host], options: &CheckOptions) -> Result<Vec<Finding>> {
    let expected = expected(name, options)?;
    let from = std::iter::once(kube.host()).chain(others);
    let views = from.map(|host| look(host, name, &expected));
    let mut findings: Vec<Finding> = Vec::new();
    for found in futures_util::future::join_all(views).await {
        for finding in found? {
            if !findings.iter().any(|other| other.problem == finding.problem) {
                findings.push(finding);
            }
        }
    }
    Ok(findings)
}

fn expected(name: &str, options: &CheckOptions) -> Result<Vec<IpAddr>> {
    let letters = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if name.is_empty() || name.starts_with(['-', '.']) || !name.chars().all(letters) {
        return Err(Error::refused(format!("{name:?} is no host name")).help("for example www.example.org"));
    }
    if options.addresses.is_empty() {
        return Err(Error::refused("cert::check() needs the option `addresses`")
            .help("where the name may lead: the public addresses of the workers"));
    }
    let address = |text: &String| {
        text.parse().map_err(|_| Error::refused(format!("{text:?} in the option `addresses` is no address")))
    };
    options.addresses.iter().map(address).collect()
}

async fn look(host: &Host, name: &str, expected: &[IpAddr]) -> Result<Vec<Finding>> {
    let list: Vec<String> = expected.iter().map(ToString::to_string).collect();
    let script = format!(
        "NAME={}\nEXPECTED={}\n{}",
        crate::host::quote(name),
        crate::host::quote(&list.join(" ")),
        include_str!("check.sh")
    );
    let output = host.check(&script, &ScriptOptions::titled(format!("look at {name}"))).await?;
    judge(host.name(), name, expected, &String::from_utf8_lossy(&output.stdout))
}

/// What the lines of `check.sh` mean.
fn judge(from: &str, name: &str, expected: &[IpAddr], said: &str) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut finding = |problem: String, remedy: String| findings.push(Finding { from: from.into(), problem, remedy });
    let wanted = |six: bool| {
        let list: Vec<String> = expected.iter().filter(|a| a.is_ipv6() == six).map(ToString::to_string).collect();
        list.join(" or ")
    };
    let mut found = Vec::new();
    for line in said.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["nocurl"] => {
                return Err(Error::host("this host has no curl to look at port 80 with").on(from).help("install curl there"));
            }
            ["address", address] => found.extend(address.parse::<IpAddr>()),
            ["answer", address, "0", code, rest @ ..] if code.starts_with('3') => finding(
                format!("port 80 of {name} ({address}) redirects challenges to {}", rest.join(" ")),
                "the redirection to HTTPS must leave /.well-known/acme-challenge/ out: allowACMEByPass in Traefik's values".into(),
            ),
            ["answer", _, "0", ..] => {}
            ["answer", address, status, rest @ ..] => {
                let (what, remedy) = match *status {
                    "7" => ("refuses connections", "is Traefik up, with hostPort 80? `kubectl -n ingress get pods`"),
                    "28" => ("does not answer", "open port 80 of the worker to everybody, at the provider's firewall, too"),
                    _ => ("gives no HTTP answer", "something else listens there: make room for Traefik"),
                };
                let words: Vec<&str> = rest.iter().copied().filter(|word| *word != "000").collect();
                finding(format!("port 80 of {name} ({address}) {what}: {}", words.join(" ")), remedy.into());
            }
            _ => {}
        }
    }
    let four: Vec<&IpAddr> = found.iter().filter(|address| address.is_ipv4()).collect();
    if found.is_empty() {
        finding(
            format!("{name} can't be resolved: there is no such name, or no name server answers"),
            format!(
                "make an A record {name} -> {} where the domain is administered; a new one may take minutes to be seen",
                wanted(false)
            ),
        );
    } else if four.is_empty() && !wanted(false).is_empty() {
        finding(format!("{name} has no A record"), format!("make one: {name} -> {}", wanted(false)));
    }
    for address in &found {
        if expected.contains(address) {
            continue;
        }
        let (record, six) = (if address.is_ipv6() { "AAAA" } else { "A" }, address.is_ipv6());
        let right = wanted(six);
        finding(
            format!("the {record} record of {name} leads to {address}, which is no worker"),
            match (six, right.as_str()) {
                (true, "") => "delete the AAAA record: the ACME server asks at IPv6 first".into(),
                (true, right) => {
                    format!("delete the AAAA record, or let it lead to {right}: the ACME server asks at IPv6 first")
                }
                (false, right) => format!(
                    "let it lead to {right} where the domain is administered; an old one may be seen for a while"
                ),
            },
        );
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn every_finding_has_a_remedy() {
        let name = "app.example.test";
        let expected: Vec<IpAddr> = ["203.0.113.11", "2001:db8:1::11"].iter().map(|a| a.parse().unwrap()).collect();
        let cases = [
            "address 203.0.113.11\nanswer 203.0.113.11 0 404 \naddress 2001:db8:1::11\nanswer 2001:db8:1::11 0 404 \n",
            "",
            "address 203.0.113.10\n",
            "address 2001:db8:1::11\nanswer 2001:db8:1::11 0 404 \n",
            "address 203.0.113.11\nanswer 203.0.113.11 0 404 \naddress 2001:db8:1::10\n",
            "address 203.0.113.11\nanswer 203.0.113.11 7 000 curl: (7) Failed to connect to 203.0.113.11 port 80 \n",
            "address 203.0.113.11\nanswer 203.0.113.11 28 000 curl: (28) Connection timed out after 10001 milliseconds \n",
            "address 203.0.113.11\nanswer 203.0.113.11 0 301 https://app.example.test/.well-known/acme-challenge/k3srun-check \n",
            "address 203.0.113.11\nanswer 203.0.113.11 52 000 curl: (52) Empty reply from server \n",
        ];
        let mut text = String::new();
        for (number, said) in cases.iter().enumerate() {
            for finding in judge("master", name, &expected, said).unwrap() {
                writeln!(text, "{number}: {}\n   -> {}", finding.problem, finding.remedy).unwrap();
            }
        }
        insta::assert_snapshot!(text);
        assert!(judge("master", name, &expected, "nocurl\n").is_err());
    }
}
