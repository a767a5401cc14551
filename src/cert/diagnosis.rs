//! Why a certificate doesn't come: the first object of its chain that has trouble, in its own words and ours.

use serde_json::Value;

use super::chain::{Chain, condition, holds, text};
use super::reason::{About, explain, shortened};
use super::{Outlook, Problem};

/// What keeps a certificate from being issued; nothing where all is well or on its way.
pub(super) fn diagnose(chain: &Chain) -> Option<Problem> {
    if chain.is_ready() {
        return None;
    }
    let problem = without_issuer(chain)
        .or_else(|| chain.issuer.as_ref().and_then(issuer_trouble))
        .or_else(|| order_trouble(chain))
        .or_else(|| request_trouble(chain))
        .or_else(|| chain.challenges.iter().find_map(|challenge| challenge_trouble(chain, challenge)));
    match given_up(chain) {
        Some(said) => {
            let said = shortened(said);
            let problem = problem.unwrap_or(Problem {
                cause: format!("cert-manager has given up: {said}"),
                remedy: "cert::renew() tries again at once".into(),
                outlook: Outlook::Final,
            });
            Some(Problem { outlook: Outlook::Final, ..problem })
        }
        None => problem.or_else(|| not_begun(chain)),
    }
}

/// What cert-manager says when it has stopped trying for an hour or more. Not of what the certificate was before.
fn given_up(chain: &Chain) -> Option<&str> {
    let issuing = condition(&chain.certificate, "Issuing")?;
    let seen = issuing["observedGeneration"].as_i64();
    let current = seen.is_none() || seen >= chain.certificate["metadata"]["generation"].as_i64();
    (issuing["status"] == "False" && issuing["reason"] == "Failed" && current).then(|| text(issuing, "/message"))
}

fn without_issuer(chain: &Chain) -> Option<Problem> {
    let (kind, name) = chain.issuer_name();
    chain.issuer.is_none().then(|| Problem {
        cause: format!("there is no {kind} {name}"),
        remedy: "make it with cert::issuer(), or name one that there is: `kubectl get clusterissuers,issuers -A`"
            .into(),
        outlook: Outlook::Lasting,
    })
}

/// What keeps an issuer from issuing anything.
pub(super) fn issuer_trouble(issuer: &Value) -> Option<Problem> {
    let (kind, name) = (text(issuer, "/kind"), text(issuer, "/metadata/name"));
    let Some(ready) = condition(issuer, "Ready") else {
        return Some(Problem {
            cause: format!("cert-manager has not taken the {kind} {name} up"),
            remedy: "is its controller up? `kubectl -n cert-manager get pods`".into(),
            outlook: Outlook::Lasting,
        });
    };
    if ready["status"] == "True" {
        return None;
    }
    let said = text(ready, "/message");
    let server = text(issuer, "/spec/acme/server");
    let problem = explain(said, About::Server(server)).unwrap_or_else(|| Problem {
        cause: shortened(said),
        remedy: format!("`kubectl describe {} {name}` tells more", kind.to_lowercase()),
        outlook: Outlook::Lasting,
    });
    Some(Problem { cause: format!("the {kind} {name} is not ready: {}", problem.cause), ..problem })
}

fn order_trouble(chain: &Chain) -> Option<Problem> {
    let order = chain.order.as_ref()?;
    let state = text(order, "/status/state");
    if !["invalid", "errored", "expired"].contains(&state) {
        return None;
    }
    // The challenges of an order that has ended are removed; what was said about them is still there.
    let failed = chain.events.iter().rev().find(|event| event["reason"] == "Failed");
    let reason = text(order, "/status/reason");
    let site = failed.map(|event| (text(event, "/message"), About::Site(named(chain, event))));
    let said = site.or((!reason.is_empty()).then_some((reason, About::Server(chain.server()))));
    let explained = said.and_then(|(said, about)| explain(said, about));
    let problem = explained.unwrap_or_else(|| Problem {
        cause: format!(
            "the order is {state}{}",
            said.map(|(said, _)| format!(": {}", shortened(said))).unwrap_or_default()
        ),
        remedy: "correct what it says, then cert::renew() tries again at once".into(),
        outlook: Outlook::Final,
    });
    Some(Problem { outlook: Outlook::Final, ..problem })
}

/// The host name that an event of a challenge is about.
fn named<'a>(chain: &'a Chain, event: &'a Value) -> &'a str {
    let hosts = chain.certificate.pointer("/spec/dnsNames").and_then(Value::as_array);
    let hosts: Vec<&str> = hosts.into_iter().flatten().filter_map(Value::as_str).collect();
    let said = text(event, "/message");
    hosts.iter().find(|host| said.contains(**host)).or(hosts.first()).copied().unwrap_or("the site")
}

fn request_trouble(chain: &Chain) -> Option<Problem> {
    let request = chain.request.as_ref()?;
    let told = |name: &str| {
        condition(request, name).map(|condition| shortened(text(condition, "/message"))).unwrap_or_default()
    };
    for (name, meaning) in [("Denied", "the request was denied"), ("InvalidRequest", "the request is invalid")] {
        if holds(request, name) {
            return Some(Problem {
                cause: format!("{meaning}: {}", told(name)),
                remedy: "correct the certificate's names and settings, or the policy that denies it".into(),
                outlook: Outlook::Final,
            });
        }
    }
    let ready = condition(request, "Ready")?;
    if ready["reason"] != "Failed" {
        return None;
    }
    // Of an order that failed at once the request may be the only one that tells, with words before those of the order.
    let said = text(ready, "/message");
    let reason = said.split_once(" state: ").map_or(said, |(_, reason)| reason);
    let problem = explain(reason, About::Server(chain.server())).unwrap_or_else(|| Problem {
        cause: format!("the request has failed: {}", told("Ready")),
        remedy: "correct what it says, then cert::renew() tries again at once".into(),
        outlook: Outlook::Final,
    });
    Some(Problem { outlook: Outlook::Final, ..problem })
}

fn challenge_trouble(chain: &Chain, challenge: &Value) -> Option<Problem> {
    let (name, state) = (text(challenge, "/spec/dnsName"), text(challenge, "/status/state"));
    if state == "valid" {
        return None;
    }
    // What the solver's pod lacks is behind whatever Traefik answers in its place.
    if let Some(problem) = chain.pods.iter().find_map(|pod| pod_trouble(pod, name)) {
        return Some(problem);
    }
    let said = text(challenge, "/status/reason");
    if said.is_empty() {
        return None;
    }
    let authority = chain.server().split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let about = match !authority.is_empty() && said.contains(&format!("://{authority}")) {
        true => About::Server(chain.server()),
        false => About::Site(name),
    };
    let problem = explain(said, about).unwrap_or_else(|| Problem {
        cause: format!("the challenge for {name} does not succeed: {}", shortened(said)),
        remedy: format!("`kubectl describe challenge {}` tells more", text(challenge, "/metadata/name")),
        outlook: Outlook::Lasting,
    });
    Some(match state {
        "invalid" | "errored" | "expired" => Problem { outlook: Outlook::Final, ..problem },
        _ => problem,
    })
}

/// Why a solver's pod doesn't answer.
fn pod_trouble(pod: &Value, site: &str) -> Option<Problem> {
    let statuses = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
    let mut waiting = statuses.into_iter().flatten().map(|status| &status["state"]["waiting"]);
    let stuck = waiting.find(|waiting| !["", "ContainerCreating"].contains(&text(waiting, "/reason")));
    let scheduled = condition(pod, "PodScheduled").filter(|condition| condition["status"] == "False");
    let (said, remedy) = match (stuck, scheduled) {
        (Some(waiting), _) => (
            format!("{} {}", text(waiting, "/reason"), shortened(text(waiting, "/message"))),
            "the worker must be able to pull the image of cert-manager's acmesolver: look at registries and image archives",
        ),
        (None, Some(condition)) => (
            shortened(text(condition, "/message")),
            "is the worker ready and not cordoned? Does the issuer's node_selector fit its labels?",
        ),
        (None, None) => return None,
    };
    Some(Problem {
        cause: format!("the pod that answers the challenge for {site} doesn't run: {said}"),
        remedy: remedy.into(),
        outlook: Outlook::Lasting,
    })
}

/// Where the chain ends without a word. Some of it is only in cert-manager's log.
fn not_begun(chain: &Chain) -> Option<Problem> {
    let placed = chain.order.as_ref().is_none_or(|order| !text(order, "/status/state").is_empty());
    if placed && chain.request.is_some() {
        return None;
    }
    let cause = match &chain.request {
        Some(_) => "cert-manager can't place the order with the ACME server",
        None => "cert-manager has not begun with the certificate",
    };
    Some(Problem {
        cause: cause.into(),
        remedy: "is its controller up, and what does its log say? `kubectl -n cert-manager logs deploy/cert-manager`"
            .into(),
        outlook: Outlook::Lasting,
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use serde_json::json;

    use super::super::chain::tests::{chain, link};
    use super::*;

    fn issuing() -> Value {
        json!({ "conditions": [{ "type": "Issuing", "status": "True" }] })
    }

    fn challenge(state: &str, reason: &str) -> Value {
        json!({ "spec": { "dnsName": "app.example.test" }, "status": { "state": state, "presented": true, "reason": reason } })
    }

    fn order(state: &str, reason: &str) -> Value {
        json!({ "status": { "state": state, "reason": reason } })
    }

    /// The chain up to a challenge that cert-manager itself can't get an answer to.
    fn pending() -> Chain {
        let said = "Waiting for HTTP-01 challenge propagation: wrong status code '503', expected '200'";
        chain(issuing(), json!({}), order("pending", ""), challenge("pending", said))
    }

    #[test]
    fn the_first_object_with_trouble_counts() {
        let given_up = json!({ "conditions": [{ "type": "Issuing", "status": "False", "reason": "Failed", "message": "The certificate request has failed to complete and will be retried: no" }] });
        let denied =
            json!({ "status": { "conditions": [{ "type": "Denied", "status": "True", "message": "by policy" }] } });
        let no_issuer = Chain { issuer: None, ..chain(issuing(), json!({}), Value::Null, Value::Null) };
        let mut bad_issuer = chain(issuing(), json!({}), Value::Null, Value::Null);
        bad_issuer.issuer.as_mut().unwrap()["status"] = json!({ "conditions": [{
            "type": "Ready", "status": "False", "reason": "ErrRegisterACMEAccount",
            "message": "Failed to register ACME account: Get \"https://acme.example.test:14000/dir\": dial tcp 203.0.113.1:14000: connect: connection refused",
        }] });
        let mut no_pod = pending();
        no_pod.pods = vec![link(
            "Pod",
            "solver",
            "",
            json!({ "status": { "conditions": [{
            "type": "PodScheduled", "status": "False", "message": "0/2 nodes are available: 1 node(s) were unschedulable",
        }] } }),
        )];
        let mut no_image = pending();
        no_image.pods = vec![link(
            "Pod",
            "solver",
            "",
            json!({ "status": { "containerStatuses": [{ "state": { "waiting": {
            "reason": "ImagePullBackOff", "message": "Back-off pulling image \"quay.io/jetstack/cert-manager-acmesolver:v1\"",
        } } }] } }),
        )];
        let mut rate_limited = chain(
            given_up.clone(),
            json!({}),
            order("errored", "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: too many"),
            Value::Null,
        );
        rate_limited.events.clear();
        let failed = json!({ "status": { "conditions": [{ "type": "Ready", "status": "False", "reason": "Failed",
            "message": "Failed to wait for order resource \"limited-1-6\" to become ready: order is in \"errored\" state: \
                Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: too many" }] } });
        let only_the_request_tells = chain(given_up.clone(), failed, json!({}), Value::Null);
        let cases = [
            (
                "issued",
                chain(
                    json!({ "conditions": [{ "type": "Ready", "status": "True" }] }),
                    json!({}),
                    order("valid", ""),
                    Value::Null,
                ),
            ),
            ("nobody works on it", chain(json!({}), Value::Null, Value::Null, Value::Null)),
            ("no issuer", no_issuer),
            ("the issuer is not ready", bad_issuer),
            ("denied", chain(issuing(), denied, Value::Null, Value::Null)),
            ("an order that isn't placed", chain(issuing(), json!({}), json!({}), Value::Null)),
            ("an order on its way", chain(issuing(), json!({}), order("pending", ""), Value::Null)),
            ("a challenge on its way", pending()),
            ("no node for the solver", no_pod),
            ("no image of the solver", no_image),
            ("refused by the authority", chain(issuing(), json!({}), order("invalid", ""), Value::Null)),
            ("rate limited", rate_limited),
            ("rate limited, and only the request tells", only_the_request_tells),
            ("given up", chain(given_up, Value::Null, Value::Null, Value::Null)),
        ];
        let mut said = String::new();
        for (name, chain) in cases {
            match diagnose(&chain) {
                Some(problem) => {
                    writeln!(said, "{name}: {:?}\n  {}\n  -> {}", problem.outlook, problem.cause, problem.remedy)
                        .unwrap();
                }
                None => writeln!(said, "{name}: nothing").unwrap(),
            }
        }
        insta::assert_snapshot!(said);
    }

    #[test]
    fn a_failure_before_the_last_change_is_history() {
        let failed = json!({ "conditions": [{ "type": "Issuing", "status": "False", "reason": "Failed", "observedGeneration": 1 }] });
        let mut chain = chain(failed, json!({}), order("pending", ""), Value::Null);
        assert_eq!(diagnose(&chain).unwrap().outlook, Outlook::Final);
        chain.certificate["metadata"]["generation"] = 2.into();
        assert_eq!(diagnose(&chain), None);
    }
}
