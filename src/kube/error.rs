//! What the API server's refusals mean for a person.

use ::kube::Error as Cause;

use super::Kube;
use crate::error::Error;

impl Kube {
    /// The error of a request, with cause and remedy. `what` says what was tried.
    pub(super) fn error(&self, what: &str, error: Cause) -> Error {
        explain(what, &error).on(self.host().name())
    }
}

fn explain(what: &str, error: &Cause) -> Error {
    let Cause::Api(status) = error else {
        let mut said = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            said = format!("{said}: {cause}");
            source = cause.source();
        }
        return match error {
            Cause::Service(_) | Cause::HyperError(_) | Cause::ReadEvents(_) => {
                Error::unreachable(format!("{what}: the API server does not answer"))
                    .help("is k3s up on the server? k3s::status(host) tells, `journalctl -u k3s` there says why. Does its sshd forward ports (AllowTcpForwarding)? The API is reached through it")
                    .output(said)
            }
            _ => Error::host(format!("{what}: the answer of the API server can't be used")).output(said),
        };
    };
    let (message, help) = match (status.code, status.reason.as_str()) {
        (401, _) => (
            "the API server doesn't accept the kubeconfig".to_owned(),
            "k3s rewrites it when its certificates are renewed: connect again",
        ),
        (403, _) => (status.message.clone(), "the API server forbids it: a rule of RBAC or an admission policy"),
        (404, _) => (status.message.clone(), "check the name and the namespace"),
        (409, _) if status.message.contains("conflict") => (
            status.message.clone(),
            "another program manages these fields: leave them out, or take them over with the option `force`",
        ),
        (409, _) => (status.message.clone(), "the object was changed at the same moment: run it again"),
        // The fields are checked in two places; the second one calls it an internal error.
        (500, _) if status.message.contains("typed patch object") => {
            (status.message.clone(), "correct the object: the message names the field")
        }
        (400 | 422, _) => (status.message.clone(), "correct the object: the message names the field"),
        (429 | 500..=599, _) => {
            (status.message.clone(), "the API server is overloaded or still starting: run it again")
        }
        _ => (status.message.clone(), "the API server's own words; `kubectl explain` describes the fields"),
    };
    Error::host(format!("{what}: {message}")).help(help)
}

#[cfg(test)]
mod tests {
    use ::kube::core::Status;

    use super::*;

    fn said(code: u16, reason: &str, message: &str) -> Error {
        let status = Status::failure(message, reason).with_code(code);
        explain("applying deployment:web", &Cause::Api(Box::new(status)))
    }

    #[test]
    fn every_refusal_has_a_remedy() {
        let conflict = said(409, "Conflict", "Apply failed with 1 conflict: conflict with \"helm\": .spec.replicas");
        assert!(conflict.message.ends_with("conflict with \"helm\": .spec.replicas"));
        assert!(conflict.help.unwrap().contains("`force`"));
        assert!(said(403, "Forbidden", "no").help.unwrap().contains("RBAC"));
        let unknown =
            said(500, "", "failed to create typed patch object (default/x): .dat: field not declared in schema");
        assert!(unknown.help.unwrap().contains("names the field"));
        assert!(said(422, "Invalid", "spec.x: no").help.unwrap().contains("names the field"));
    }
}
