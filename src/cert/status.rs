//! How a certificate is: its chain of objects, its dates, its last problem.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::CERTIFICATE;
use super::chain::{Chain, condition, text};
use super::diagnosis::diagnose;
use crate::error::Result;
use crate::kube::{GetOptions, Kube};
use crate::net::Certificate;

/// A certificate and the way it takes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Status {
    /// The Certificate's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Whether it is there, valid, and as it is wanted now.
    pub ready: bool,
    /// Whether an order is under way: the first one, or a renewal.
    pub issuing: bool,
    /// The names that it is for.
    pub hosts: Vec<String>,
    /// The issuer, e.g. `ClusterIssuer/acme`.
    pub issuer: String,
    /// The Secret that it is kept in.
    pub secret: String,
    /// How often it was issued.
    pub revision: u64,
    /// Since when it is valid (RFC 3339); empty without one.
    pub not_before: String,
    /// Until when.
    pub not_after: String,
    /// When it will be renewed.
    pub renewal: String,
    /// The X.509 certificates that its Secret has served, the site's own first.
    pub served: Vec<Certificate>,
    /// How far it is, in words.
    pub step: String,
    /// The objects of the newest order, from the Certificate down.
    pub chain: Vec<Link>,
    /// What keeps it from being issued, or renewed; empty where nothing does.
    pub problem: String,
    /// What to do about that.
    pub remedy: String,
    /// When cert-manager tries again by itself after a failure; empty where it is not waiting.
    pub next_try: String,
    /// All of it, for people.
    pub text: String,
}

/// An object of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its state: a condition that holds, or the word of ACME (`pending`, `valid`, ..).
    pub state: String,
    /// What it says about itself.
    pub reason: String,
}

/// The state of a certificate.
///
/// # Errors
/// Refused where there is none of this name.
pub async fn status(kube: &Kube, name: &str, namespace: &str) -> Result<Status> {
    Chain::read(kube, namespace, name).await.map(|chain| Status::of(&chain))
}

/// The state of all certificates of the cluster, or of a namespace.
///
/// # Errors
/// Refused where cert-manager is not installed.
pub async fn all(kube: &Kube, namespace: Option<&str>) -> Result<Vec<Status>> {
    let options = GetOptions { namespace: namespace.map(str::to_owned), ..GetOptions::default() };
    let mut found = Vec::new();
    for certificate in kube.list(CERTIFICATE, &options).await? {
        let (name, namespace) = (text(&certificate, "/metadata/name"), text(&certificate, "/metadata/namespace"));
        found.push(status(kube, name, namespace).await?);
    }
    Ok(found)
}

impl Status {
    pub(super) fn of(chain: &Chain) -> Self {
        let certificate = &chain.certificate;
        let date = |path: &str| text(certificate, path).to_owned();
        let (kind, issuer) = chain.issuer_name();
        let problem = diagnose(chain);
        let mut status = Status {
            name: date("/metadata/name"),
            namespace: date("/metadata/namespace"),
            ready: chain.is_ready(),
            issuing: chain.is_issuing(),
            hosts: chain.hosts(),
            issuer: format!("{kind}/{issuer}"),
            secret: date("/spec/secretName"),
            revision: certificate["status"]["revision"].as_u64().unwrap_or_default(),
            not_before: date("/status/notBefore"),
            not_after: date("/status/notAfter"),
            renewal: date("/status/renewalTime"),
            served: chain.served.clone(),
            step: chain.step(),
            chain: links(chain),
            next_try: next_try(certificate),
            ..Status::default()
        };
        if let Some(problem) = problem {
            (status.problem, status.remedy) = (problem.cause, problem.remedy);
        }
        status.text = status.for_people();
        status
    }

    /// The objects of the chain, one a line.
    pub(super) fn way(&self) -> String {
        let line = |link: &Link| {
            let reason = if link.reason.is_empty() { String::new() } else { format!(": {}", link.reason) };
            format!("{} {}: {}{reason}", link.kind, link.name, link.state)
        };
        self.chain.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn for_people(&self) -> String {
        // That of an authority has none.
        let hosts = if self.hosts.is_empty() { "for no host".into() } else { self.hosts.join(", ") };
        let mut text = format!("{}/{}: {} ({hosts}, by {})\n", self.namespace, self.name, self.step, self.issuer);
        let mut line = |name: &str, value: &str| {
            if !value.is_empty() {
                // Writing to a String can't fail.
                let _ = writeln!(text, "  {name:<9} {value}");
            }
        };
        line(
            "valid",
            &match self.not_after.is_empty() {
                true => String::new(),
                false => format!("{} to {}", self.not_before, self.not_after),
            },
        );
        line("signed by", self.served.first().map_or("", |own| &own.issuer));
        line("renewal", &self.renewal);
        for link in self.way().lines() {
            line("", link);
        }
        line("problem", &self.problem);
        line("remedy", &self.remedy);
        line("next try", &self.next_try);
        text.truncate(text.trim_end().len());
        text
    }
}

fn links(chain: &Chain) -> Vec<Link> {
    let objects = [Some(&chain.certificate), chain.request.as_ref(), chain.order.as_ref()];
    objects.into_iter().flatten().chain(&chain.challenges).map(link).collect()
}

fn link(object: &Value) -> Link {
    let (state, reason) = match text(object, "/kind") {
        "Order" | "Challenge" => {
            let state = text(object, "/status/state");
            (if state.is_empty() { "new" } else { state }.to_owned(), text(object, "/status/reason").to_owned())
        }
        _ => conditions(object),
    };
    let word = |path: &str| text(object, path).to_owned();
    Link { kind: word("/kind"), name: word("/metadata/name"), state, reason: super::reason::shortened(&reason) }
}

/// The conditions that hold, and what the one that matters says.
fn conditions(object: &Value) -> (String, String) {
    let all = object.pointer("/status/conditions").and_then(Value::as_array);
    let holding = all.into_iter().flatten().filter(|condition| condition["status"] == "True");
    let names: Vec<&str> = holding.map(|condition| text(condition, "/type")).collect();
    let ready = names.contains(&"Ready");
    let said = ["Issuing", "Ready"].into_iter().find_map(|name| condition(object, name)).filter(|_| !ready);
    let state = if names.is_empty() { "not ready".into() } else { names.join(", ") };
    (state, said.map(|condition| text(condition, "/message").to_owned()).unwrap_or_default())
}

/// After a failure cert-manager waits an hour, then twice as long each time, up to 32 hours.
fn next_try(certificate: &Value) -> String {
    let failed: Option<Timestamp> = text(certificate, "/status/lastFailureTime").parse().ok();
    let attempts = certificate["status"]["failedIssuanceAttempts"].as_u64().unwrap_or(1).clamp(1, 6);
    let next = failed.and_then(|failed| failed.checked_add(SignedDuration::from_hours(1 << (attempts - 1))).ok());
    next.map(|next| next.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::chain::tests::chain;
    use super::*;

    #[test]
    fn it_shows_what_there_is() {
        let issued = json!({
            "conditions": [{ "type": "Ready", "status": "True", "message": "Certificate is up to date and has not expired" }],
            "notBefore": "2026-01-01T00:00:00Z", "notAfter": "2026-04-01T00:00:00Z", "renewalTime": "2026-03-02T00:00:00Z", "revision": 2,
        });
        let approved = json!({ "status": { "conditions": [{ "type": "Approved", "status": "True" }, { "type": "Ready", "status": "True" }] } });
        let status = Status::of(&chain(issued, approved, json!({ "status": { "state": "valid" } }), Value::Null));
        assert!(status.ready && status.revision == 2 && status.problem.is_empty());
        insta::assert_snapshot!(status.text);
    }

    #[test]
    fn it_shows_what_keeps_it() {
        let failed = json!({
            "conditions": [
                { "type": "Ready", "status": "False", "message": "Issuing certificate as Secret does not exist" },
                { "type": "Issuing", "status": "False", "reason": "Failed", "message": "The certificate request has failed to complete and will be retried: no" },
            ],
            "lastFailureTime": "2026-01-01T00:00:00Z", "failedIssuanceAttempts": 3,
        });
        let request = json!({ "status": { "conditions": [{ "type": "Approved", "status": "True" }, { "type": "Ready", "status": "False", "reason": "Failed", "message": "no" }] } });
        let status = Status::of(&chain(failed, request, json!({ "status": { "state": "invalid" } }), Value::Null));
        assert_eq!(status.next_try, "2026-01-01T04:00:00Z");
        insta::assert_snapshot!(status.text);
    }
}
