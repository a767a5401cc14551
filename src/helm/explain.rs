//! What Helm's complaints mean for a person.

use super::process::Answer;
use crate::error::{Error, Kind};

/// What a complaint contains, and what to do about it.
const REMEDIES: [(&[&str], &str); 11] = [
    (
        &["don't meet the specifications of the schema"],
        "a value is misspelt or of the wrong kind: the message names it; `helm show values CHART` lists what there is",
    ),
    (
        &["conflict with \"", "conflicts with \""],
        "another program or person manages these fields: leave them out of the values, or take them over with `force_conflicts: true`",
    ),
    (
        &["invalid ownership metadata", "cannot be imported into the current release"],
        "the object was not made by this release: remove it, or give it Helm's labels (app.kubernetes.io/managed-by, meta.helm.sh/release-name)",
    ),
    (
        &["no matches for kind", "ensure CRDs are installed first"],
        "a definition (CRD) is missing: is what brings it installed, and `crds` not switched off?",
    ),
    (
        &["another operation (install/upgrade/rollback) is in progress"],
        "another Helm works on this release at this moment: wait until it has ended, then run it again",
    ),
    (
        &["failed calling webhook"],
        "a webhook of the cluster doesn't answer: is what it belongs to up? Run it again when it is",
    ),
    (
        &["incompatible with Kubernetes", "chart requires kubeVersion"],
        "the chart is for another version of Kubernetes: take another version of the chart",
    ),
    (
        &[
            "cluster unreachable",
            "connection refused",
            "connection reset",
            "i/o timeout",
            "unexpected EOF",
            "TLS handshake",
        ],
        "the API server went away meanwhile: is k3s up on the server? Run it again: it goes on from there",
    ),
    (
        &["context deadline exceeded", "timed out waiting", "context canceled"],
        "look at the pods and jobs of the namespace; `timeout` gives more time",
    ),
    (&["forbidden"], "the cluster's rules (RBAC, quota, admission) forbid it: the message says which"),
    (
        &["YAML parse error", "execution error", "error calling include", "nil pointer"],
        "a template of the chart fails with these values: the message names the place",
    ),
];

/// The error of a call that changes or reads a release.
pub(super) fn failure(what: &str, answer: &Answer) -> Error {
    let said = cause(&answer.stderr);
    if answer.timed_out {
        let error = Error::host(format!("{what}: Helm did not come to its end in time and was stopped"));
        return error.output(said).help("look at the pods and jobs of the namespace; `timeout` gives more time");
    }
    let first = said.lines().next().unwrap_or("Helm failed without a word").to_owned();
    let rest = said.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    let remedy = REMEDIES.iter().find(|(words, _)| words.iter().any(|word| said.contains(word))).map(|(_, help)| *help);
    Error::host(format!("{what}: {first}"))
        .output(rest)
        .help(remedy.unwrap_or("these are Helm's own words; the run log has the rest"))
}

/// The error of a chart that could not be fetched.
pub(super) fn download(what: &str, answer: &Answer) -> Error {
    let mut error = failure(what, answer);
    let has = |words: &[&str]| words.iter().any(|word| answer.stderr.contains(word));
    error.help = Some(
        if has(&["not found in", "no chart version found", "404", "manifest unknown"]) {
            "there is no such chart or version there: check `chart`, `version` and `repo`"
        } else if has(&["digest"]) {
            "what is there is not what `digest` says: it is not used"
        } else {
            error.kind = Kind::Unreachable;
            "can this machine reach it? Without the internet, give a chart on this machine: a path, or `bundle`; [charts] in cluster.toml does that"
        }
        .to_owned(),
    );
    error
}

/// What comes after `Error: `, without what Helm repeats before each cause.
fn cause(stderr: &str) -> String {
    let start = stderr.find("Error: ").map_or(0, |at| at + "Error: ".len());
    let said = stderr[start..].trim();
    let said =
        said.strip_prefix("UPGRADE FAILED: ").or_else(|| said.strip_prefix("INSTALLATION FAILED: ")).unwrap_or(said);
    said.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(stderr: &str) -> Error {
        failure("upgrading web", &Answer { ok: false, stdout: String::new(), stderr: stderr.into(), timed_out: false })
    }

    #[test]
    fn every_known_complaint_has_its_remedy() {
        for (complaint, remedy) in [
            (
                "Error: UPGRADE FAILED: values don't meet the specifications of the schema(s) in the following chart(s):\nweb:\n- at '/x': got string",
                "misspelt",
            ),
            (
                "Error: UPGRADE FAILED: conflict occurred while applying object apps/web: Apply failed with 1 conflict: conflict with \"kubectl-edit\" using v1: .spec.type",
                "force_conflicts",
            ),
            (
                "level=WARN msg=x\nError: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
                "wait until",
            ),
            (
                "Error: UPGRADE FAILED: pre-upgrade hooks failed: 1 error occurred:\n* timed out waiting for the condition",
                "`timeout`",
            ),
        ] {
            let error = said(complaint);
            assert!(error.help.as_deref().unwrap().contains(remedy), "{complaint}: {:?}", error.help);
            assert!(error.message.starts_with("upgrading web: "), "{}", error.message);
            assert!(!error.message.contains("UPGRADE FAILED"));
        }
    }
}
