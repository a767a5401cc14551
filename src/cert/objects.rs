//! The objects that say what is wanted: issuers and certificates.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::chain::{condition, text};
use super::diagnosis::issuer_trouble;
use super::{CERTIFICATE, wait};
use crate::error::{Error, Reason, Result};
use crate::kube::{ApplyOptions, Kube, PatchOptions};
use crate::report::{Change, Event};

/// An ACME issuer that proves by HTTP-01, through an ingress controller, whose names they are.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IssuerOptions {
    /// The URL of the ACME server's directory. Needed.
    pub server: String,
    /// The address for the account; none by default.
    pub email: Option<String>,
    /// The authority (PEM) of the server's own certificate; default: the public ones.
    pub ca: Option<String>,
    /// An Issuer of this namespace; default: a ClusterIssuer.
    pub namespace: Option<String>,
    /// The Secret for the account's key; default: the issuer's name with `-account-key`.
    pub account_key: Option<String>,
    /// The IngressClass through which challenges are answered. Needed.
    pub ingress_class: String,
    /// Annotations of the Ingress that leads to the solver.
    pub ingress_annotations: BTreeMap<String, String>,
    /// Labels of the nodes on which solvers may run; default: all.
    pub node_selector: BTreeMap<String, String>,
    /// What a solver's pod needs: `requests` and `limits`, by `cpu` and `memory`.
    pub resources: BTreeMap<String, BTreeMap<String, String>>,
    /// Limit in seconds for the account to be registered; 60. 0: don't wait.
    pub timeout: Option<serde_json::Number>,
}

/// A certificate.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CertificateOptions {
    /// Its namespace; `default`.
    pub namespace: Option<String>,
    /// The names that it is for. Needed.
    pub hosts: Vec<String>,
    /// The issuer's name. Needed.
    pub issuer: String,
    /// `ClusterIssuer` (default) or `Issuer`.
    pub issuer_kind: Option<String>,
    /// The Secret that it is kept in; default: its name.
    pub secret: Option<String>,
    /// How many seconds before its end it is renewed, at least 300; default: when two thirds of its time are over.
    pub renew_before: Option<u64>,
}

/// Where a certificate is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Named {
    /// Its namespace; `default`.
    pub namespace: Option<String>,
}

impl IssuerOptions {
    fn kind(&self) -> &'static str {
        if self.namespace.is_some() { "Issuer" } else { "ClusterIssuer" }
    }

    fn object(&self, name: &str) -> Result<Value> {
        let missing = |option: &str| Err(Error::refused(format!("the issuer {name} lacks the option `{option}`")));
        if self.server.is_empty() {
            return missing("server").map_err(|error| error.help("the URL of the ACME directory"));
        }
        if self.ingress_class.is_empty() {
            return missing("ingress_class")
                .map_err(|error| error.help("challenges are answered through it, e.g. traefik"));
        }
        let mut pod = json!({});
        if !self.node_selector.is_empty() {
            pod["nodeSelector"] = json!(self.node_selector);
        }
        if !self.resources.is_empty() {
            pod["resources"] = json!(self.resources);
        }
        let ingress = json!({
            "ingressClassName": self.ingress_class,
            // The default, NodePort, opens a port on every node.
            "serviceType": "ClusterIP",
            "ingressTemplate": { "metadata": { "annotations": self.ingress_annotations } },
            "podTemplate": { "spec": pod },
        });
        let key = self.account_key.clone().unwrap_or_else(|| format!("{name}-account-key"));
        let mut acme = json!({
            "server": self.server,
            "privateKeySecretRef": { "name": key },
            "solvers": [{ "http01": { "ingress": ingress } }],
        });
        if let Some(email) = &self.email {
            acme["email"] = json!(email);
        }
        if let Some(ca) = &self.ca {
            if !ca.contains("-----BEGIN CERTIFICATE-----") {
                return Err(Error::refused(format!("the option `ca` of the issuer {name} holds no certificate"))
                    .help("it must be PEM: -----BEGIN CERTIFICATE----- .."));
            }
            acme["caBundle"] = json!(base64::engine::general_purpose::STANDARD.encode(ca));
        }
        let mut object = json!({
            "apiVersion": "cert-manager.io/v1", "kind": self.kind(), "metadata": { "name": name }, "spec": { "acme": acme },
        });
        if let Some(namespace) = &self.namespace {
            object["metadata"]["namespace"] = json!(namespace);
        }
        Ok(object)
    }
}

/// Makes an issuer as it is wanted, and waits until its account is registered. Returns whether anything was changed.
///
/// # Errors
/// Refused for options that lack something; host with cause and remedy where the ACME server doesn't register the account.
pub async fn issuer(kube: &Kube, name: &str, options: &IssuerOptions) -> Result<bool> {
    let object = options.object(name)?;
    let limit = wait::limit(options.timeout.as_ref(), 60)?;
    let changed = apply(kube, object).await?;
    if limit.is_zero() || kube.host().run_context().is_plan() {
        return Ok(changed);
    }
    let (kind, namespace) =
        (format!("{}s.cert-manager.io", options.kind().to_lowercase()), options.namespace.as_deref());
    let end = Instant::now() + limit;
    loop {
        kube.host().activity(format!("waiting for the account of the issuer {name}"));
        let object = kube.get(&kind, name, namespace).await?.unwrap_or_default();
        kube.host().activity("");
        let ready = condition(&object, "Ready");
        let seen = ready.and_then(|ready| ready["observedGeneration"].as_i64());
        let current = seen.is_none() || seen >= object["metadata"]["generation"].as_i64();
        let trouble = issuer_trouble(&object);
        match trouble {
            None if current => return Ok(changed),
            // The server's answer; everything else may be the moment at which it starts.
            Some(problem)
                if current
                    && (Instant::now() >= end
                        || text(&object, "/status/conditions/0/message").contains("urn:ietf")) =>
            {
                return Err(Error::host(problem.cause).on(kube.host().name()).help(problem.remedy));
            }
            _ if Instant::now() >= end => {
                return Err(Error::host(format!("the issuer {name} is not taken up after {} s", limit.as_secs()))
                    .on(kube.host().name())
                    .help("is cert-manager's controller up? `kubectl -n cert-manager get pods`"));
            }
            _ => sleep(Duration::from_millis(500)).await,
        }
    }
}

impl CertificateOptions {
    fn object(&self, name: &str) -> Result<Value> {
        let lacking = |option: &str, help: &str| {
            Err(Error::refused(format!("the certificate {name} lacks the option `{option}`")).help(help))
        };
        if self.hosts.is_empty() {
            return lacking("hosts", "the names that it is for: [\"www.example.org\"]");
        }
        if let Some(host) = self.hosts.iter().find(|host| host.starts_with('*')) {
            return Err(Error::refused(format!("the certificate {name} can't be for {host}"))
                .help("ACME proves wildcards only by DNS-01, and the issuers here prove by HTTP-01: name each host"));
        }
        if self.issuer.is_empty() {
            return lacking("issuer", "the name of an issuer; certificates::issuer_name(c) is the one in use");
        }
        let mut spec = json!({
            "secretName": self.secret.as_deref().unwrap_or(name),
            "dnsNames": self.hosts,
            "issuerRef": {
                "group": "cert-manager.io",
                "kind": self.issuer_kind.as_deref().unwrap_or("ClusterIssuer"),
                "name": self.issuer,
            },
        });
        if let Some(seconds) = self.renew_before {
            spec["renewBefore"] = json!(in_words(seconds));
        }
        let namespace = self.namespace.as_deref().unwrap_or("default");
        Ok(json!({
            "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
            "metadata": { "name": name, "namespace": namespace }, "spec": spec,
        }))
    }
}

/// A time as the API server writes it, which would otherwise be a difference: `1h30m0s`.
fn in_words(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// Makes a certificate as it is wanted; cert-manager orders it then. Returns whether anything was changed.
///
/// # Errors
/// Refused for options that lack something.
pub async fn certificate(kube: &Kube, name: &str, options: &CertificateOptions) -> Result<bool> {
    apply(kube, options.object(name)?).await
}

/// Has a certificate ordered again now, also one that sleeps after a failure. Returns whether it was not being ordered yet.
///
/// # Errors
/// Refused where there is no such certificate.
pub async fn renew(kube: &Kube, name: &str, options: &Named) -> Result<bool> {
    let namespace = options.namespace.as_deref().unwrap_or("default");
    // It may be another program's turn at the same moment.
    for _ in 0..5 {
        match ask_anew(kube, name, namespace).await {
            Err(error) if error.reason == Some(Reason::Conflict) => {}
            done => return done,
        }
    }
    ask_anew(kube, name, namespace).await
}

async fn ask_anew(kube: &Kube, name: &str, namespace: &str) -> Result<bool> {
    let chain = super::chain::Chain::read(kube, namespace, name).await?;
    if chain.is_issuing() {
        return Ok(false);
    }
    let generation = &chain.certificate["metadata"]["generation"];
    let mut conditions = chain.certificate["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.retain(|condition| condition["type"] != "Issuing");
    conditions.push(json!({
        "type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "observedGeneration": generation,
        "message": "Certificate re-issuance manually triggered",
        "lastTransitionTime": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }));
    let patch = json!({
        "metadata": { "resourceVersion": chain.certificate["metadata"]["resourceVersion"] },
        "status": { "conditions": conditions },
    });
    let options = PatchOptions {
        namespace: Some(namespace.into()),
        subresource: Some("status".into()),
        ..PatchOptions::default()
    };
    kube.patch(CERTIFICATE, name, &patch, &options).await
}

async fn apply(kube: &Kube, object: Value) -> Result<bool> {
    let id = format!("{}:{}", text(&object, "/kind").to_lowercase(), text(&object, "/metadata/name"));
    match kube.apply(vec![object], &ApplyOptions::default()).await {
        Ok(applied) => Ok(applied.changed > 0),
        // In a plan cert-manager itself may be only planned.
        Err(error) if error.reason == Some(Reason::UnknownKind) && kube.host().run_context().is_plan() => {
            let change = Change { resource: id, summary: "created".into(), diff: None };
            let host = kube.host().name().to_owned();
            kube.host().run_context().report().emit(Event::Changed { host, planned: true, change });
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_what_its_options_say() {
        let options: IssuerOptions = serde_json::from_value(json!({
            "server": "https://acme.example.test:14000/dir", "email": "ops@example.org",
            "ca": "-----BEGIN CERTIFICATE-----\n", "ingress_class": "traefik",
            "ingress_annotations": { "traefik.ingress.kubernetes.io/router.entrypoints": "web" },
            "node_selector": { "node-role": "worker" },
            "resources": { "requests": { "cpu": "10m" }, "limits": { "memory": "64Mi" } },
        }))
        .unwrap();
        let object = options.object("acme").unwrap();
        insta::assert_snapshot!(serde_yaml_ng::to_string(&object).unwrap());
    }

    #[test]
    fn what_is_missing_is_named() {
        let said = |error: Error| format!("{}\n  -> {}\n", error.message, error.help.unwrap_or_default());
        let issuer =
            |options: Value| said(serde_json::from_value::<IssuerOptions>(options).unwrap().object("a").unwrap_err());
        let certificate = |options: Value| {
            said(serde_json::from_value::<CertificateOptions>(options).unwrap().object("a").unwrap_err())
        };
        let all = [
            issuer(json!({})),
            issuer(json!({ "server": "https://x" })),
            issuer(json!({ "server": "https://x", "ingress_class": "traefik", "ca": "acme-ca.pem" })),
            certificate(json!({})),
            certificate(json!({ "hosts": ["*.example.org"] })),
            certificate(json!({ "hosts": ["www.example.org"] })),
        ];
        insta::assert_snapshot!(all.concat());
    }

    #[test]
    fn times_are_written_as_the_server_does() {
        assert_eq!([in_words(5400), in_words(300), in_words(3601)], ["1h30m0s", "5m0s", "1h0m1s"]);
    }
}
