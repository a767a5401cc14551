//! The objects of one certificate, from the Certificate down to the solvers' pods.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{CERTIFICATE, CHALLENGE, ORDER, REQUEST};
use crate::error::{Error, Reason, Result};
use crate::kube::{GetOptions, Kube};
use crate::net::Certificate;

/// What there is of a certificate and of its newest order.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain {
    pub certificate: Value,
    /// What its Secret has served.
    pub served: Vec<Certificate>,
    /// The issuer, where it exists.
    pub issuer: Option<Value>,
    pub request: Option<Value>,
    pub order: Option<Value>,
    pub challenges: Vec<Value>,
    /// The solvers' pods.
    pub pods: Vec<Value>,
    /// What was said about challenges, of which some may be gone by now.
    pub events: Vec<Value>,
}

/// The text at a path of an object; empty where there is none.
pub(super) fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// A condition of an object.
pub(super) fn condition<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.pointer("/status/conditions")?.as_array()?.iter().find(|condition| condition["type"] == name)
}

/// Whether a condition holds.
pub(super) fn holds(object: &Value, name: &str) -> bool {
    condition(object, name).is_some_and(|condition| condition["status"] == "True")
}

/// The newest of the objects that belong to `owner`.
fn newest(objects: Vec<Value>, owner: &Value) -> Option<Value> {
    // Revision numbers first: two may be of the same second.
    let age = |object: &Value| {
        let revision = text(object, "/metadata/annotations/cert-manager.io~1certificate-revision");
        (revision.parse::<u64>().unwrap_or(0), text(object, "/metadata/creationTimestamp").to_owned())
    };
    owned(objects, owner).max_by_key(age)
}

fn owned(objects: Vec<Value>, owner: &Value) -> impl Iterator<Item = Value> {
    let uid = text(owner, "/metadata/uid").to_owned();
    objects.into_iter().filter(move |object| {
        let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        owners.is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == uid.as_str()))
    })
}

impl Chain {
    /// Reads the chain of a certificate.
    pub async fn read(kube: &Kube, namespace: &str, name: &str) -> Result<Self> {
        let Some(certificate) = kube.get(CERTIFICATE, name, Some(namespace)).await? else {
            return Err(Error::refused(format!("no certificate {name} in the namespace {namespace}"))
                .because(Reason::NotFound)
                .on(kube.host().name())
                .help("cert::certificate() makes one; cert::status(k) lists all"));
        };
        let here = GetOptions { namespace: Some(namespace.into()), ..GetOptions::default() };
        let pods = GetOptions { selector: Some("acme.cert-manager.io/http01-solver=true".into()), ..here.clone() };
        let events = GetOptions { fields: Some("involvedObject.kind=Challenge".into()), ..here.clone() };
        let reference = &certificate["spec"]["issuerRef"];
        let (kind, issuer) = (reference["kind"].as_str().unwrap_or("Issuer"), reference["name"].as_str());
        let kind = format!("{}s.cert-manager.io", kind.to_lowercase());
        let (secret, requests, orders, challenges, pods, events, issuer) = tokio::try_join!(
            kube.get("secrets", text(&certificate, "/spec/secretName"), Some(namespace)),
            kube.list(REQUEST, &here),
            kube.list(ORDER, &here),
            kube.list(CHALLENGE, &here),
            kube.list("pods", &pods),
            kube.list("events", &events),
            kube.get(&kind, issuer.unwrap_or_default(), Some(namespace)),
        )?;
        let pem = STANDARD.decode(secret.as_ref().map_or("", |secret| text(secret, "/data/tls.crt")));
        let served = Certificate::chain(&pem.unwrap_or_default());
        Ok(Chain { certificate, served, issuer, ..Chain::default() }.with(requests, orders, challenges, pods, events))
    }

    /// Takes from lists what belongs to the certificate.
    fn with(
        mut self,
        requests: Vec<Value>,
        orders: Vec<Value>,
        challenges: Vec<Value>,
        pods: Vec<Value>,
        events: Vec<Value>,
    ) -> Self {
        self.request = newest(requests, &self.certificate);
        self.order = self.request.as_ref().and_then(|request| newest(orders, request));
        if let Some(order) = &self.order {
            self.challenges = owned(challenges, order).collect();
            let prefix = format!("{}-", text(order, "/metadata/name"));
            self.events = events;
            self.events.retain(|event| text(event, "/involvedObject/name").starts_with(&prefix));
        }
        for challenge in &self.challenges {
            self.pods.extend(owned(pods.clone(), challenge));
        }
        self
    }

    /// Whether the certificate is there, valid, and as it is wanted now.
    pub fn is_ready(&self) -> bool {
        let seen = condition(&self.certificate, "Ready").and_then(|ready| ready["observedGeneration"].as_i64());
        let generation = self.certificate["metadata"]["generation"].as_i64();
        holds(&self.certificate, "Ready") && !self.is_issuing() && (seen.is_none() || seen >= generation)
    }

    /// Whether an order is under way.
    pub fn is_issuing(&self) -> bool {
        holds(&self.certificate, "Issuing")
    }

    /// The names of the certificate.
    pub fn hosts(&self) -> Vec<String> {
        let names = self.certificate.pointer("/spec/dnsNames").and_then(Value::as_array);
        names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The kind and name of the issuer.
    pub fn issuer_name(&self) -> (&str, &str) {
        let kind = text(&self.certificate, "/spec/issuerRef/kind");
        (if kind.is_empty() { "Issuer" } else { kind }, text(&self.certificate, "/spec/issuerRef/name"))
    }

    /// The address of the ACME server.
    pub fn server(&self) -> &str {
        self.issuer.as_ref().map_or("", |issuer| text(issuer, "/spec/acme/server"))
    }

    /// How far it is, in words.
    pub fn step(&self) -> String {
        if self.is_ready() {
            return "issued".into();
        }
        let open = |challenge: &&Value| text(challenge, "/status/state") != "valid";
        if let Some(challenge) = self.challenges.iter().find(open) {
            let name = text(challenge, "/spec/dnsName");
            return match text(challenge, "/status/state") {
                "" | "pending" if challenge["status"]["presented"] != true => {
                    format!("the challenge for {name} is being set up")
                }
                "" | "pending" => format!("cert-manager tries the challenge for {name} itself"),
                "processing" => format!("the ACME server looks at {name}"),
                state => format!("the challenge for {name} is {state}"),
            };
        }
        match (&self.order, &self.request) {
            (Some(order), _) => match text(order, "/status/state") {
                "" => "the order is being placed".into(),
                "pending" => "the order is placed".into(),
                "ready" | "processing" => "the ACME server signs the certificate".into(),
                "valid" => "the certificate is being fetched".into(),
                state => format!("the order is {state}"),
            },
            (None, Some(_)) => "the request waits for its issuer".into(),
            (None, None) => "cert-manager has not begun".into(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// An object of a chain, owned by the one before it.
    pub fn link(kind: &str, name: &str, owner: &str, rest: Value) -> Value {
        let mut object = json!({
            "kind": kind,
            "metadata": { "name": name, "uid": name, "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z" },
        });
        if !owner.is_empty() {
            object["metadata"]["ownerReferences"] = json!([{ "uid": owner }]);
        }
        for (key, value) in rest.as_object().unwrap() {
            object[key] = value.clone();
        }
        object
    }

    /// The chain of `app.example.test`: without the objects whose state is null.
    pub fn chain(certificate: Value, request: Value, order: Value, challenge: Value) -> Chain {
        let issuer = json!({
            "kind": "ClusterIssuer", "metadata": { "name": "acme" },
            "spec": { "acme": { "server": "https://acme.example.test:14000/dir" } },
            "status": { "conditions": [{ "type": "Ready", "status": "True", "reason": "ACMEAccountRegistered" }] },
        });
        let spec = json!({ "dnsNames": ["app.example.test"], "issuerRef": { "kind": "ClusterIssuer", "name": "acme" }, "secretName": "app-tls" });
        let list = |kind: &str, name: &str, owner: &str, rest: Value| {
            if rest.is_null() { Vec::new() } else { vec![link(kind, name, owner, rest)] }
        };
        Chain {
            certificate: link("Certificate", "app", "", json!({ "spec": spec, "status": certificate })),
            issuer: Some(issuer),
            ..Chain::default()
        }
        .with(
            list("CertificateRequest", "app-1", "app", request),
            list("Order", "app-1-7", "app-1", order),
            list("Challenge", "app-1-7-9", "app-1-7", challenge),
            Vec::new(),
            vec![json!({
                "involvedObject": { "kind": "Challenge", "name": "app-1-7-9" }, "reason": "Failed",
                "message": "Accepting challenge authorization failed: acme: authorization error for app.example.test: 403 urn:ietf:params:acme:error:unauthorized: no",
            })],
        )
    }

    #[test]
    fn every_step_has_a_name() {
        let issuing = json!({ "conditions": [{ "type": "Issuing", "status": "True" }] });
        let state = |state: &str| json!({ "status": { "state": state } });
        let challenge = |state: &str, presented: bool| json!({ "spec": { "dnsName": "app.example.test" }, "status": { "state": state, "presented": presented } });
        let step =
            |request: Value, order: Value, challenge: Value| chain(issuing.clone(), request, order, challenge).step();
        let steps = [
            step(Value::Null, Value::Null, Value::Null),
            step(json!({}), Value::Null, Value::Null),
            step(json!({}), json!({}), Value::Null),
            step(json!({}), state("pending"), Value::Null),
            step(json!({}), state("pending"), challenge("pending", false)),
            step(json!({}), state("pending"), challenge("pending", true)),
            step(json!({}), state("pending"), challenge("processing", true)),
            step(json!({}), state("ready"), challenge("valid", true)),
            step(json!({}), state("valid"), Value::Null),
        ];
        insta::assert_snapshot!(steps.join("\n"));
    }

    #[test]
    fn the_newest_request_counts() {
        let request = |name: &str, revision: &str| {
            let mut request = link("CertificateRequest", name, "app", json!({}));
            request["metadata"]["annotations"] = json!({ "cert-manager.io/certificate-revision": revision });
            request
        };
        let owner = link("Certificate", "app", "", json!({}));
        let found =
            newest(vec![request("app-9", "9"), request("app-10", "10"), link("X", "x", "b", json!({}))], &owner);
        assert_eq!(found.unwrap()["metadata"]["name"], "app-10");
    }
}
