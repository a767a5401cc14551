//! What the words of ACME servers and of cert-manager mean.

use super::{Outlook, Problem};

use Outlook::{Lasting, Passing};

/// Whom the words are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About<'a> {
    /// The ACME server, by its address.
    Server(&'a str),
    /// The site that wants a certificate, by its host name.
    Site(&'a str),
}

/// A sign in a text, what it means, and the remedy. `{}` stands for the address or name.
type Row = (&'static [&'static str], &'static str, &'static str, Outlook);

/// Errors of the ACME protocol (RFC 8555), whoever they are about. The first that fits counts.
const PROTOCOL: [Row; 8] = [
    (
        &["rateLimited", "429 "],
        "the ACME server takes no more orders for now (rate limit)",
        "wait until the time that it names, then cert::renew(); try things out with Let's Encrypt's staging: `production = false` in [certificates]",
        Lasting,
    ),
    (
        &["error:caa"],
        "a CAA record forbids this certificate authority",
        "add the authority to the CAA records of the domain (for Let's Encrypt `0 issue \"letsencrypt.org\"`), or delete them",
        Lasting,
    ),
    (
        &["error:rejectedIdentifier"],
        "the ACME server signs no certificate for such a name",
        "correct the host name; public authorities refuse names like example.com, *.local and *.test",
        Lasting,
    ),
    (
        &["invalidContact", "unsupportedContact", "invalidEmail", "unable to parse email"],
        "the ACME server doesn't accept the e-mail address of the account",
        "correct `email` in [certificates]",
        Lasting,
    ),
    (
        &["error:externalAccountRequired"],
        "the ACME server wants an account that was opened with it before (external account binding)",
        "take an ACME server without it: k3srun sets none up",
        Lasting,
    ),
    (
        &["error:accountDoesNotExist"],
        "the ACME server doesn't know the account any more",
        "delete the Secret of the account key (ISSUER-account-key in cert-manager): a new account is made",
        Lasting,
    ),
    (&["error:badNonce"], "the ACME server wants the request again", "nothing: cert-manager repeats it", Passing),
    (
        &["error:serverInternal", "HTTP 5"],
        "the ACME server has trouble of its own",
        "wait: cert-manager tries again",
        Passing,
    ),
];

/// On the way to the ACME server.
const SERVER: [Row; 6] = [
    (
        &["certificate signed by unknown authority", "certificate is not trusted", "x509: "],
        "cert-manager doesn't trust the certificate of the ACME server {}",
        "set `acme_ca` in [certificates] to the certificate (PEM) of the authority that the server's own certificate is from",
        Lasting,
    ),
    (
        &["no such host", "NXDOMAIN", "server misbehaving"],
        "the name of the ACME server {} can't be resolved in the cluster",
        "correct `acme_server` in [certificates], or the name server of the worker (/etc/resolv.conf there; pods ask it through CoreDNS)",
        Lasting,
    ),
    (
        &["connection refused"],
        "nobody listens where the ACME server {} should be",
        "start the ACME server, or correct `acme_server` in [certificates]",
        Lasting,
    ),
    (
        &["i/o timeout", "deadline exceeded", "Client.Timeout", "no route to host", "network is unreachable"],
        "the ACME server {} does not answer the cluster",
        "is the worker allowed to reach it? Look at firewalls in between and at the server itself",
        Lasting,
    ),
    (
        &["404", "invalid character"],
        "there is no ACME directory at {}",
        "correct `acme_server` in [certificates]: the full URL of the directory",
        Lasting,
    ),
    (&["EOF", "connection reset"], "the ACME server {} breaks connections off", "look at its log", Passing),
];

/// On the way to the site.
const SITE: [Row; 9] = [
    (
        &["exceeded quota", "is forbidden"],
        "the solver for {} may not be set up in its namespace",
        "leave room for one more pod (10m CPU, 64 Mi) in the quota and limits of the namespace",
        Lasting,
    ),
    (
        &["no such host", "NXDOMAIN", "error:dns", "server misbehaving", "No valid IP addresses"],
        "the name {} can't be resolved",
        "make an A record for {} with the worker's public address; a new one may take a few minutes to be seen",
        Lasting,
    ),
    (
        &["connection refused"],
        "port 80 of {} refuses connections",
        "is Traefik up (`kubectl -n ingress get pods`), with hostPort 80? Does {} point to the worker?",
        Lasting,
    ),
    (
        &[
            "i/o timeout",
            "deadline exceeded",
            "Client.Timeout",
            "Timeout",
            "no route to host",
            "network is unreachable",
        ],
        "port 80 of {} does not answer",
        "open port 80 of the worker to everybody, at the provider's firewall, too; an AAAA record must lead to the worker as well",
        Lasting,
    ),
    (
        &["wrong status code '404'"],
        "the server at {} doesn't know the challenge",
        "does {} point to the worker, and to nobody else? Is Traefik the IngressClass `traefik`, and its solver Ingress at the entry point `web`?",
        Lasting,
    ),
    (
        &["wrong status code '50"],
        "Traefik can't reach the solver's pod for {}",
        "`kubectl describe pod -l acme.cert-manager.io/http01-solver=true` in the namespace; a NetworkPolicy must let Traefik reach port 8089",
        Lasting,
    ),
    (
        &["did not get expected response"],
        "somebody else answers for {}",
        "the name points to another machine, or something else serves /.well-known/acme-challenge/ there: make it point to the worker",
        Lasting,
    ),
    (
        &["wrong status code", "error:unauthorized"],
        "{} answers the challenge wrongly",
        "does {} point to the worker in A and AAAA, with nothing in between that answers or redirects?",
        Lasting,
    ),
    (
        &["error:connection"],
        "the ACME server can't reach {}",
        "port 80 of the worker must be open to everybody, in IPv4 and, with an AAAA record, in IPv6",
        Lasting,
    ),
];

/// What words mean; none where they are unknown.
pub(super) fn explain(said: &str, about: About<'_>) -> Option<Problem> {
    let (subject, table): (&str, &[Row]) = match about {
        About::Server(address) => (address, &SERVER),
        About::Site(name) => (name, &SITE),
    };
    let rows = PROTOCOL.iter().chain(table);
    let found = rows.into_iter().find(|(signs, ..)| signs.iter().any(|sign| said.contains(sign)))?;
    let (_, cause, remedy, outlook) = *found;
    Some(Problem {
        cause: format!("{}: {}", cause.replace("{}", subject), shortened(said)),
        remedy: remedy.replace("{}", subject),
        outlook,
    })
}

/// Words as they were said, in one line, without the challenge's path, which is long and tells nothing.
pub(super) fn shortened(said: &str) -> String {
    let mut words = Vec::new();
    for word in said.split_whitespace() {
        match word.split_once("/.well-known/acme-challenge/") {
            Some((before, after)) => {
                let rest = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-_".contains(c));
                words.push(format!("{before}/.well-known/acme-challenge/..{rest}"));
            }
            None => words.push(word.to_owned()),
        }
    }
    let line = words.join(" ");
    match line.char_indices().nth(500) {
        Some((end, _)) => format!("{}..", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn words_are_explained_with_a_remedy() {
        let (site, server) = (About::Site("app.example.test"), About::Server("https://acme.example.test:14000/dir"));
        let self_check = "Waiting for HTTP-01 challenge propagation: failed to perform self check GET request 'http://app.example.test/.well-known/acme-challenge/Xy_z-1': ";
        let cases = [
            (site, format!("{self_check}Get \"http://app.example.test/.well-known/acme-challenge/Xy_z-1\": dial tcp: lookup app.example.test on 10.43.0.10:53: no such host")),
            (site, format!("{self_check}Get \"http://app.example.test/.well-known/acme-challenge/Xy_z-1\": dial tcp 203.0.113.11:80: connect: connection refused")),
            (site, format!("{self_check}Get \"http://app.example.test/.well-known/acme-challenge/Xy_z-1\": dial tcp 203.0.113.11:80: i/o timeout")),
            (site, "Waiting for HTTP-01 challenge propagation: wrong status code '404', expected '200'".into()),
            (site, "Waiting for HTTP-01 challenge propagation: wrong status code '503', expected '200'".into()),
            (site, "Waiting for HTTP-01 challenge propagation: did not get expected response when querying endpoint, expected \"a.b\" but got: hello".into()),
            (site, "acme: authorization error for app.example.test: 400 urn:ietf:params:acme:error:connection: Fetching http://app.example.test/: reset".into()),
            (site, "acme: authorization error for app.example.test: 403 urn:ietf:params:acme:error:caa: CAA record for app.example.test prevents issuance".into()),
            (server, "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: too many certificates already issued: retry after 2026-11-25 10:00:00 UTC".into()),
            (server, "Failed to register ACME account: Get \"https://acme.example.test:14000/dir\": tls: failed to verify certificate: x509: certificate signed by unknown authority".into()),
            (server, "Failed to register ACME account: Get \"https://acme.example.test:14000/dir\": dial tcp 203.0.113.1:14000: connect: connection refused".into()),
            (server, "Failed to register ACME account: Get \"https://acme.example.test:14000/dir\": dial tcp: lookup acme.example.test on 10.43.0.10:53: no such host".into()),
            (server, "Failed to register ACME account: 400 urn:ietf:params:acme:error:invalidContact: contact email has invalid domain".into()),
            (server, "400 urn:ietf:params:acme:error:rejectedIdentifier: Cannot issue for \"example.com\"".into()),
        ];
        let mut text = String::new();
        for (about, said) in cases {
            let problem = explain(&said, about).unwrap();
            writeln!(text, "{}\n  -> {}", problem.cause, problem.remedy).unwrap();
        }
        insta::assert_snapshot!(text);
        assert_eq!(explain("something new", site), None);
    }
}
