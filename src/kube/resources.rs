//! Kinds of objects, by the names that people use for them.

use std::sync::Arc;

use ::kube::Resource as _;
use ::kube::api::DynamicObject;
use ::kube::discovery::{ApiCapabilities, ApiResource, Discovery, Scope};
use serde_json::Value;

use super::Kube;
use crate::error::{Error, Reason, Result};
use crate::suggestion::nearest;

/// A kind of objects that the API server knows.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub api: ApiResource,
    pub namespaced: bool,
}

impl Resource {
    fn new((api, capabilities): (ApiResource, ApiCapabilities)) -> Self {
        Resource { api, namespaced: capabilities.scope == Scope::Namespaced }
    }

    /// What names an object in reports, e.g. `deployment:web`.
    pub fn id(&self, name: &str) -> String {
        format!("{}:{name}", self.api.kind.to_lowercase())
    }

    /// Where the API has these objects, or one of them, or a part of it.
    pub fn path(&self, namespace: Option<&str>, name: Option<&str>, part: Option<&str>) -> String {
        let namespace = self.namespaced.then_some(namespace).flatten();
        let mut path = DynamicObject::url_path(&self.api, namespace);
        for word in name.into_iter().chain(part) {
            path.push('/');
            path.push_str(word);
        }
        path
    }

    /// An object as JSON, with its kind, which lists leave out.
    pub fn value(&self, object: &DynamicObject) -> Value {
        let mut value = serde_json::to_value(object).unwrap_or_default();
        if let Some(map) = value.as_object_mut() {
            map.insert("apiVersion".into(), self.api.api_version.clone().into());
            map.insert("kind".into(), self.api.kind.clone().into());
            if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("managedFields");
            }
        }
        value
    }
}

/// What people abbreviate, as kubectl does.
const SHORT: [(&str, &str); 22] = [
    ("po", "pods"),
    ("svc", "services"),
    ("deploy", "deployments"),
    ("ds", "daemonsets"),
    ("sts", "statefulsets"),
    ("cm", "configmaps"),
    ("ns", "namespaces"),
    ("no", "nodes"),
    ("pv", "persistentvolumes"),
    ("pvc", "persistentvolumeclaims"),
    ("sa", "serviceaccounts"),
    ("ing", "ingresses"),
    ("sc", "storageclasses"),
    ("crd", "customresourcedefinitions"),
    ("cj", "cronjobs"),
    ("ep", "endpoints"),
    ("ev", "events"),
    ("hpa", "horizontalpodautoscalers"),
    ("netpol", "networkpolicies"),
    ("pdb", "poddisruptionbudgets"),
    ("quota", "resourcequotas"),
    ("rs", "replicasets"),
];

impl Kube {
    /// The kind that a person calls `name`: `pods`, `pod`, `Pod`, `po` or `pods.metrics.k8s.io`.
    pub(super) async fn resource(&self, name: &str) -> Result<Resource> {
        let wanted = name.to_lowercase();
        let wanted = SHORT.iter().find(|(short, _)| *short == wanted).map_or(wanted.as_str(), |(_, long)| long);
        let (word, group) = wanted.split_once('.').map_or((wanted, None), |(word, group)| (word, Some(group)));
        for fresh in [false, true] {
            let discovery = self.discover(fresh).await?;
            // The core group comes first: `pods` are never those of the metrics.
            let groups = discovery.groups_alphabetical();
            let found = groups
                .iter()
                .filter(|api| group.is_none_or(|group| api.name() == group))
                .flat_map(|api| api.recommended_resources())
                .find(|(api, _)| api.plural == word || api.kind.to_lowercase() == word);
            if let Some(found) = found {
                return Ok(Resource::new(found));
            }
            if fresh {
                let known: Vec<String> =
                    groups.iter().flat_map(|api| api.recommended_resources()).map(|(api, _)| api.plural).collect();
                let error = Error::refused(format!("the cluster knows no kind {name:?}"))
                    .because(Reason::UnknownKind)
                    .on(self.host().name());
                return Err(error.help(match nearest(word, known.iter().map(String::as_str)) {
                    Some(name) => format!("did you mean {name:?}?"),
                    None => "kinds are named like \"pods\", \"Deployment\" or \"certificates.cert-manager.io\"".into(),
                }));
            }
        }
        unreachable!("the second round returns")
    }

    /// The kind of an object with these `apiVersion` and `kind`; none where the cluster doesn't know it.
    pub(super) async fn resource_of(&self, version: &str, kind: &str) -> Result<Option<Resource>> {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        for fresh in [false, true] {
            let discovery = self.discover(fresh).await?;
            let found = discovery
                .get(group)
                .into_iter()
                .flat_map(|api| api.versioned_resources(version))
                .find(|(api, _)| api.kind == kind);
            if found.is_some() {
                return Ok(found.map(Resource::new));
            }
        }
        Ok(None)
    }

    /// The versions of groups that the API server offers, and the kinds in them: `apps/v1`, `apps/v1/Deployment`.
    ///
    /// # Errors
    /// Unreachable or host with what the API server said.
    pub async fn api_versions(&self) -> Result<Vec<String>> {
        let discovery = self.discover(true).await?;
        let mut all = Vec::new();
        for group in discovery.groups_alphabetical() {
            for version in group.versions() {
                let kinds = group.versioned_resources(version);
                let name = kinds.first().map(|(api, _)| api.api_version.clone());
                all.extend(kinds.iter().map(|(api, _)| format!("{}/{}", api.api_version, api.kind)));
                all.extend(name);
            }
        }
        Ok(all)
    }

    /// What the API server offers; asked once, and again with `fresh`.
    async fn discover(&self, fresh: bool) -> Result<Arc<Discovery>> {
        let mut known = self.discovery.lock().await;
        match &*known {
            Some(discovery) if !fresh => Ok(discovery.clone()),
            _ => {
                let request = || Discovery::new(self.client.clone()).run_aggregated();
                let discovery = Arc::new(self.read_only("asking which kinds there are", request).await?);
                *known = Some(discovery.clone());
                Ok(discovery)
            }
        }
    }
}
