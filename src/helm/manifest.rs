//! The objects that a release is made of, and what differs between two sets of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::error::Result;
use crate::kube::documents;
use crate::report::Change;
use crate::report::redact::MASK;
use crate::resource::unified;

/// Objects by what identifies them. Their order and layout are no difference.
#[derive(Debug, Default)]
pub(super) struct Manifest(BTreeMap<Key, Value>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: String,
    namespace: String,
    name: String,
}

/// An object whose pods one waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Workload {
    pub kind: String,
    pub namespace: String,
    pub name: String,
}

/// What makes pods.
const WORKLOADS: [&str; 4] = ["DaemonSet", "Deployment", "Job", "StatefulSet"];

impl Manifest {
    /// Reads the objects of a release in `namespace`.
    pub fn parse(text: &str, namespace: &str) -> Result<Self> {
        let mut objects = BTreeMap::new();
        for object in documents(text)? {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let metadata = &object["metadata"];
            let key = Key {
                kind: text(&object["kind"]),
                namespace: metadata["namespace"].as_str().unwrap_or(namespace).to_owned(),
                name: text(&metadata["name"]),
            };
            objects.insert(key, object);
        }
        Ok(Manifest(objects))
    }

    /// What must happen to these objects to become `other`.
    pub fn changes(&self, other: &Manifest) -> Vec<Change> {
        let keys: BTreeSet<&Key> = self.0.keys().chain(other.0.keys()).collect();
        keys.into_iter().filter_map(|key| change(key, self.0.get(key), other.0.get(key))).collect()
    }

    /// The objects whose pods one waits for.
    pub fn workloads(&self) -> impl Iterator<Item = Workload> {
        self.0.keys().filter(|key| WORKLOADS.contains(&key.kind.as_str())).map(|key| {
            let Key { kind, namespace, name } = key.clone();
            Workload { kind, namespace, name }
        })
    }
}

fn change(key: &Key, old: Option<&Value>, new: Option<&Value>) -> Option<Change> {
    let resource = format!("{}:{}", key.kind.to_lowercase(), key.name);
    let summary = match (old, new) {
        (Some(old), Some(new)) if old == new => return None,
        (Some(_), Some(_)) => "changed",
        (None, _) => "created",
        (_, None) => "removed",
    };
    let diff = old.zip(new).and_then(|(old, new)| {
        let (old, new) = if key.kind == "Secret" { masked(old, new) } else { (old.clone(), new.clone()) };
        let text = |value: &Value| serde_yaml_ng::to_string(value).unwrap_or_default().into_bytes();
        unified::diff(&resource, &text(&old), &text(&new))
    });
    Some(Change { resource, summary: summary.into(), diff })
}

/// Two states of a Secret: which of its data differ is seen, what they are is not.
fn masked(old: &Value, new: &Value) -> (Value, Value) {
    let (mut hidden_old, mut hidden_new) = (old.clone(), new.clone());
    for field in ["data", "stringData"] {
        for (hidden, other, note) in [(&mut hidden_old, new, "before"), (&mut hidden_new, old, "after")] {
            for (key, value) in hidden.get_mut(field).and_then(Value::as_object_mut).into_iter().flatten() {
                let same = other.get(field).and_then(|data| data.get(key)) == Some(value);
                *value = if same { MASK.into() } else { format!("{MASK} ({note})").into() };
            }
        }
    }
    (hidden_old, hidden_new)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "
kind: Deployment
metadata: {name: web}
spec: {replicas: 1}
---
kind: Secret
metadata: {name: login}
data: {password: aHVudGVyMjI=, user: bWU=}
---
kind: Service
metadata: {name: web}
";
    const NEW: &str = "
kind: Secret
metadata: {name: login, namespace: apps}
data: {user: bWU=, password: aHVudGVyMjM=}
---
kind: ConfigMap
metadata: {name: web}
---
kind: Deployment
spec: {replicas: 2}
metadata: {name: web}
";

    #[test]
    fn objects_are_compared_one_by_one_and_secrets_are_not_shown() {
        let manifest = |text| Manifest::parse(text, "apps").unwrap();
        let shown: String = manifest(OLD)
            .changes(&manifest(NEW))
            .iter()
            .map(|change| {
                format!("{} {}\n{}", change.resource, change.summary, change.diff.as_deref().unwrap_or_default())
            })
            .collect();
        insta::assert_snapshot!(shown);
        assert!(manifest(OLD).changes(&manifest(OLD)).is_empty());
        let workloads: Vec<_> = manifest(NEW).workloads().collect();
        assert_eq!(workloads, [Workload { kind: "Deployment".into(), namespace: "apps".into(), name: "web".into() }]);
    }
}
