//! What the API server's refusals mean for a person, and by what callers tell them apart.

use ::kube::Error as Cause;
use ::kube::core::Status;

use super::Kube;
use crate::error::{Error, Reason};
use crate::host::Defect;

impl Kube {
    /// The error of a request, with cause and remedy. `what` says what was tried.
    pub(super) fn error(&self, what: &str, error: Cause) -> Error {
        explain(what, &error).on(self.host().name())
    }

    /// The error of a request that found no way to the API server.
    pub(super) fn no_way(&self, what: &str, defect: Defect) -> Error {
        let (why, help) = match defect {
            Defect::Forbidden => (
                "it listens, but sshd does not lead to it",
                "allow that in sshd_config: `AllowTcpForwarding local`, and no PermitOpen that leaves its port out. The API is reached through SSH alone",
            ),
            Defect::NobodyListens => (
                "nothing listens at its port",
                "is k3s up on the server? k3s::status(host) tells, `journalctl -u k3s` there says why",
            ),
        };
        Error::unreachable(format!("{what}: the API server does not answer: {why}"))
            .because(Reason::Unavailable)
            .help(help)
            .on(self.host().name())
    }
}

fn explain(what: &str, error: &Cause) -> Error {
    match error {
        Cause::Api(status) => refusal(what, status),
        Cause::Service(_) | Cause::HyperError(_) | Cause::ReadEvents(_) => {
            Error::unreachable(format!("{what}: the API server does not answer"))
                .because(Reason::Unavailable)
                .help("is k3s up on the server? k3s::status(host) tells, `journalctl -u k3s` there says why")
                .output(causes(error))
        }
        Cause::UpgradeConnection(_) => Error::host(format!("{what}: the API server can't lead into the pod"))
            .help("does its container run? k.diagnosis(\"pod\", name) tells")
            .output(causes(error)),
        _ => Error::host(format!("{what}: the answer of the API server can't be used")).output(causes(error)),
    }
}

/// An error and what is behind it, in one line.
fn causes(error: &Cause) -> String {
    let mut said = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        said = format!("{said}: {cause}");
        source = cause.source();
    }
    said
}

fn refusal(what: &str, status: &Status) -> Error {
    let said = without_object(&status.message);
    let said = said.as_str();
    let (reason, help) = match status.code {
        401 => {
            let message = format!("{what}: the API server doesn't accept the kubeconfig");
            return Error::host(message)
                .because(Reason::Unauthorized)
                .help("k3s rewrites it when its certificates are renewed: connect again");
        }
        403 if said.contains("exceeded quota") => {
            (Reason::Forbidden, "the quota of the namespace is used up: raise it, or remove something")
        }
        403 => (Reason::Forbidden, "the API server forbids it: a rule of RBAC or an admission policy"),
        404 => (Reason::NotFound, "check the name and the namespace"),
        409 if status.reason == "AlreadyExists" => {
            (Reason::AlreadyExists, "remove the other one, or take another name")
        }
        409 if said.contains("conflict") => (
            Reason::Conflict,
            "another program manages these fields: leave them out, or take them over with the option `force`",
        ),
        409 => (Reason::Conflict, "the object was changed at the same moment: run it again"),
        410 => (Reason::Gone, "what was asked for is too long ago: read again"),
        // The fields are checked in two places; the second one calls it an internal error.
        500 if said.contains("typed patch object") => {
            (Reason::Invalid, "correct the object: the message names the field")
        }
        500 if said.contains("failed calling webhook") => (
            Reason::Unavailable,
            "the webhook's program is not up yet, or can't be reached from the server: run it again",
        ),
        400 | 422 => (Reason::Invalid, "correct the object: the message names the field"),
        504 => (Reason::Timeout, "the API server is overloaded or still starting: run it again"),
        429 | 500..=599 => (Reason::Unavailable, "the API server is overloaded or still starting: run it again"),
        _ => {
            return Error::host(format!("{what}: {said}"))
                .help("the API server's own words; `kubectl explain` describes the fields");
        }
    };
    Error::host(format!("{what}: {said}")).because(reason).help(help)
}

/// What is said about an invalid object, without the whole object, which may be a Secret.
fn without_object(said: &str) -> String {
    match (said.find("Invalid value: \"{"), said.rfind("}\": ")) {
        (Some(begin), Some(end)) if begin < end => format!("{}{}", &said[..begin], &said[end + 4..]),
        _ => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: u16, reason: &str, message: &str) -> Error {
        let status = Status::failure(message, reason).with_code(code);
        explain("applying deployment:web", &Cause::Api(Box::new(status)))
    }

    #[test]
    fn every_refusal_has_a_remedy_and_can_be_told_from_others() {
        let conflict = said(409, "Conflict", "Apply failed with 1 conflict: conflict with \"helm\": .spec.replicas");
        assert!(conflict.message.ends_with("conflict with \"helm\": .spec.replicas"));
        assert!(conflict.help.unwrap().contains("`force`"));
        assert_eq!(conflict.reason, Some(Reason::Conflict));
        let forbidden = said(403, "Forbidden", "no");
        assert!(forbidden.help.unwrap().contains("RBAC"));
        assert_eq!(forbidden.reason, Some(Reason::Forbidden));
        let unknown =
            said(500, "", "failed to create typed patch object (default/x): .dat: field not declared in schema");
        assert!(unknown.help.unwrap().contains("names the field"));
        assert_eq!(unknown.reason, Some(Reason::Invalid));
        assert!(said(422, "Invalid", "spec.x: no").help.unwrap().contains("names the field"));
        assert_eq!(said(410, "Expired", "too old resource version").reason, Some(Reason::Gone));
        assert_eq!(said(404, "NotFound", "no").reason, Some(Reason::NotFound));
        assert_eq!(said(409, "AlreadyExists", "there").reason, Some(Reason::AlreadyExists));
        assert_eq!(said(504, "Timeout", "late").reason, Some(Reason::Timeout));
        let whole = said(
            422,
            "Invalid",
            "patch: Invalid value: \"{\\\"data\\\":{\\\"key\\\":\\\"c2VjcmV0\\\"}}\": unknown field \"dat\"",
        );
        assert_eq!(whole.message, "applying deployment:web: patch: unknown field \"dat\"");
        assert_eq!(said(401, "Unauthorized", "who").reason, Some(Reason::Unauthorized));
    }
}
