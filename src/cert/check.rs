//! Looks before an order at what the ACME server will look at.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Reason, Result};
use crate::host::Host;
use crate::kube::Kube;
use crate::net::{self, Method, Request, Response, Url};

/// How long one look may take.
const LIMIT: Duration = Duration::from_secs(10);

/// What to look for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckOptions {
    /// The addresses that the name may resolve to: the workers' public ones. Needed.
    pub addresses: Vec<String>,
    /// Addresses and networks of what stands in front of the workers and leads on to them: a CDN, a load balancer, a floating
    /// address. The name may resolve to them, if a challenge gets through there.
    pub via: Vec<String>,
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
/// Refused without addresses, and for what is no name; unreachable where a host's sshd doesn't let us look.
pub async fn check(kube: &Kube, name: &str, others: &[Host], options: &CheckOptions) -> Result<Vec<Finding>> {
    let allowed = Allowed { workers: workers(name, options)?, fronts: fronts(options)? };
    let from = std::iter::once(kube.host()).chain(others);
    let views = from.map(|host| look(host, name, &allowed));
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

fn workers(name: &str, options: &CheckOptions) -> Result<Vec<IpAddr>> {
    let letters = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if name.is_empty() || name.starts_with(['-', '.']) || !name.chars().all(letters) {
        return Err(Error::refused(format!("{name:?} is not a valid host name")).help("for example www.example.org"));
    }
    if options.addresses.is_empty() {
        return Err(Error::refused("cert::check() needs the option `addresses`")
            .help("where the name may lead: the public addresses of the workers"));
    }
    let address = |text: &String| {
        text.parse().map_err(|_| Error::refused(format!("{text:?} in the option `addresses` is not a valid address")))
    };
    options.addresses.iter().map(address).collect()
}

fn fronts(options: &CheckOptions) -> Result<Vec<IpNet>> {
    let network = |text: &String| {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        address
            .or_else(|_| text.parse())
            .map_err(|_| Error::refused(format!("{text:?} in the option `via` is neither an address nor a network")))
    };
    options.via.iter().map(network).collect()
}

/// Where a name may lead.
struct Allowed {
    workers: Vec<IpAddr>,
    fronts: Vec<IpNet>,
}

impl Allowed {
    fn is_front(&self, address: &IpAddr) -> bool {
        !self.workers.contains(address) && self.fronts.iter().any(|network| network.contains(address))
    }

    fn has(&self, address: &IpAddr) -> bool {
        self.workers.contains(address) || self.is_front(address)
    }
}

/// An address of the name, and what answers at its port 80. Nothing where the name may not lead there.
type Sight = (IpAddr, Option<Result<Response>>);

async fn look(host: &Host, name: &str, allowed: &Allowed) -> Result<Vec<Finding>> {
    host.activity(format!("looking at {name}"));
    let addresses = net::addresses(host, name, LIMIT).await?;
    let sights = addresses.into_iter().map(async |address| {
        let answer = if allowed.has(&address) { Some(ask(host, name, address).await) } else { None };
        (address, answer)
    });
    let sights: Vec<Sight> = futures_util::future::join_all(sights).await;
    host.activity("");
    judge(host.name(), name, allowed, sights)
}

/// As the ACME server asks (RFC 8555, section 8.3), but for a challenge that nobody has made.
async fn ask(host: &Host, name: &str, address: IpAddr) -> Result<Response> {
    let mut request =
        Request::new(Method::GET, Url::parse(&format!("http://{name}/.well-known/acme-challenge/k3srun-check"))?);
    request.address = Some(address.to_string());
    (request.redirects, request.max_body, request.timeout) = (0, 0, LIMIT);
    net::send(host, &request).await
}

/// Whether an error tells of what is at the address, and not of what keeps us from looking.
fn is_of_the_network(reason: Reason) -> bool {
    matches!(reason, Reason::ConnectionRefused | Reason::Timeout | Reason::Unavailable | Reason::BadAnswer)
}

/// What the sights mean.
fn judge(from: &str, name: &str, allowed: &Allowed, sights: Vec<Sight>) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut finding = |problem: String, remedy: String| findings.push(Finding { from: from.into(), problem, remedy });
    let wanted = |six: bool| {
        let list: Vec<String> =
            allowed.workers.iter().filter(|a| a.is_ipv6() == six).map(ToString::to_string).collect();
        list.join(" or ")
    };
    let found: Vec<IpAddr> = sights.iter().map(|(address, _)| *address).collect();
    for (address, answer) in sights {
        let port = format!("port 80 of {name} ({address})");
        match answer {
            None => {}
            // Nobody has made this challenge, and that is what Traefik says of it.
            Some(Ok(answer)) if allowed.is_front(&address) && answer.status != 404 => finding(
                format!("{port} answers a challenge with status {} instead of the worker's 404", answer.status),
                "what is in front of the worker must pass on /.well-known/acme-challenge/ to its port 80 as it is: \
                 no redirection, no cache, no login, no check of the browser there"
                    .into(),
            ),
            Some(Err(error)) if allowed.is_front(&address) && error.reason.is_some_and(is_of_the_network) => finding(
                format!("{port} gives no answer"),
                format!("it is in `addresses` of [ingress]: does what is there listen on port 80 and lead on to {}?", wanted(false)),
            ),
            Some(Ok(answer)) if (300..400).contains(&answer.status) => finding(
                format!("{port} redirects challenges to {}", answer.headers.get("location").map_or("nowhere", String::as_str)),
                "the redirection to HTTPS must leave /.well-known/acme-challenge/ out: allowACMEByPass in Traefik's values".into(),
            ),
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                let (what, remedy) = match error.reason {
                    Some(Reason::ConnectionRefused) => {
                        ("refuses connections", "is Traefik up, with hostPort 80? `kubectl -n ingress get pods`")
                    }
                    Some(Reason::Timeout) => {
                        ("does not answer", "open port 80 of the worker to everybody, at the provider's firewall, too")
                    }
                    Some(Reason::Unavailable) => ("can't be reached", "are the address and the routes to it right?"),
                    Some(Reason::BadAnswer) => ("gives no HTTP answer", "something else listens there: make room for Traefik"),
                    _ => return Err(error),
                };
                finding(format!("{port} {what}"), remedy.into());
            }
        }
    }
    if found.is_empty() {
        finding(
            format!("{name} can't be resolved: there is no such name, or no name server answers"),
            format!(
                "make an A record {name} -> {} where the domain is administered; a new one may take minutes to be seen",
                wanted(false)
            ),
        );
    } else if !found.iter().any(IpAddr::is_ipv4) && !wanted(false).is_empty() {
        finding(format!("{name} has no A record"), format!("make one: {name} -> {}", wanted(false)));
    }
    for address in found.iter().filter(|address| !allowed.has(address)) {
        let (record, six) = (if address.is_ipv6() { "AAAA" } else { "A" }, address.is_ipv6());
        let right = wanted(six);
        finding(
            format!("the {record} record of {name} leads to {address}, which is not a worker"),
            match (six, right.as_str()) {
                (true, "") => "delete the AAAA record: the ACME server asks at IPv6 first".into(),
                (true, right) => {
                    format!("delete the AAAA record, or let it lead to {right}: the ACME server asks at IPv6 first")
                }
                (false, right) => format!(
                    "let it lead to {right} where the domain is administered; an old one may be seen for a while. If {address} leads on to \
                     a worker (a CDN, a load balancer, a floating address), add it to `addresses` in [ingress]"
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
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let workers = vec![address("203.0.113.11"), address("2001:db8:1::11")];
        let allowed = Allowed { workers, fronts: vec!["198.51.100.0/24".parse().unwrap()] };
        let answer = |status| Some(Ok(Response { status, ..Response::default() }));
        let failure = |reason| Some(Err(Error::unreachable("no").because(reason)));
        let mut redirection = Response { status: 301, ..Response::default() };
        redirection
            .headers
            .insert("location".into(), format!("https://{name}/.well-known/acme-challenge/k3srun-check"));
        let front = address("198.51.100.7");
        let cases: [Vec<Sight>; 14] = [
            vec![(address("203.0.113.11"), answer(404)), (address("2001:db8:1::11"), answer(404))],
            vec![],
            vec![(address("203.0.113.10"), None)],
            vec![(address("2001:db8:1::11"), answer(404))],
            vec![(address("203.0.113.11"), answer(404)), (address("2001:db8:1::10"), None)],
            vec![(address("203.0.113.11"), failure(Reason::ConnectionRefused))],
            vec![(address("203.0.113.11"), failure(Reason::Timeout))],
            vec![(address("203.0.113.11"), Some(Ok(redirection)))],
            vec![(address("203.0.113.11"), failure(Reason::BadAnswer))],
            vec![(address("203.0.113.11"), failure(Reason::Unavailable))],
            vec![(front, answer(404))],
            vec![(front, answer(301))],
            vec![(front, answer(522))],
            vec![(front, failure(Reason::Timeout))],
        ];
        let mut text = String::new();
        for (number, sights) in cases.into_iter().enumerate() {
            for finding in judge("master", name, &allowed, sights).unwrap() {
                writeln!(text, "{number}: {}\n   -> {}", finding.problem, finding.remedy).unwrap();
            }
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_keeps_us_from_looking_is_no_finding() {
        let address = "203.0.113.11".parse().unwrap();
        let forbidden = Error::unreachable("sshd may not").because(Reason::Forbidden);
        let allowed = Allowed { workers: vec![address], fronts: Vec::new() };
        assert!(judge("master", "a.test", &allowed, vec![(address, Some(Err(forbidden)))]).is_err());
    }
}
