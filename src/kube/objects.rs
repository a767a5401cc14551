//! Objects of any kind: get, list, apply, delete.

use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiCapabilities, ApiResource, Discovery, Scope};
use serde::Deserialize;
use serde_json::Value;
use similar::TextDiff;

use super::Client;
use crate::error::{Error, Result};
use crate::report::{Change, Event};

/// Who we are to server-side apply.
const MANAGER: &str = "k3srun";

/// Which objects of a kind.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    /// Only in this namespace; by default in all of them, and `default` for one object.
    pub namespace: Option<String>,
    /// Only the object of this name.
    pub name: Option<String>,
    /// Only objects with these labels, as kubectl takes them: `app=web,tier!=cache`.
    pub selector: Option<String>,
}

impl Client {
    /// All objects of a kind, which is named like kubectl does: `pods`, `Deployment`, `certificates.cert-manager.io`.
    ///
    /// # Errors
    /// Refused for a kind or an object that isn't there.
    pub async fn get(&self, kind: &str, query: &Query) -> Result<Vec<Value>> {
        let (resource, capabilities) = self.kind(kind).await?;
        if let Some(name) = &query.name {
            let api = self.api(&resource, &capabilities, Some(query.namespace.as_deref().unwrap_or("default")));
            let object = api.get(name).await.map_err(|error| self.explain(&format!("getting {kind} {name}"), error))?;
            return Ok(vec![value(&object)?]);
        }
        let api = self.api(&resource, &capabilities, query.namespace.as_deref());
        let filter = ListParams { label_selector: query.selector.clone(), ..ListParams::default() };
        let list = api.list(&filter).await.map_err(|error| self.explain(&format!("listing {kind}"), error))?;
        list.items.iter().map(value).collect()
    }

    /// Makes objects what they should be, by server-side apply. Reports each as changed or unchanged; in a plan it asks
    /// the server what would change. Returns how many differ.
    ///
    /// # Errors
    /// Refused for an object that is none; what the API says.
    pub async fn apply(&self, objects: &[Value]) -> Result<u64> {
        let mut differing = 0;
        for object in objects {
            let wanted: DynamicObject = serde_json::from_value(object.clone())
                .map_err(|error| Error::refused(format!("this is no Kubernetes object: {error}")))?;
            differing += u64::from(self.apply_one(&wanted).await?);
        }
        Ok(differing)
    }

    async fn apply_one(&self, wanted: &DynamicObject) -> Result<bool> {
        let (Some(types), Some(name)) = (&wanted.types, &wanted.metadata.name) else {
            return Err(Error::refused("a Kubernetes object needs apiVersion, kind and metadata.name"));
        };
        let id = format!("{}:{name}", types.kind.to_lowercase());
        let what = format!("applying {} {name}", types.kind);
        let gvk = GroupVersionKind::try_from(types.clone())
            .map_err(|error| Error::refused(format!("{id}: {error}")).help("e.g. apiVersion: apps/v1"))?;
        let (resource, capabilities) =
            self.discovery().await?.resolve_gvk(&gvk).ok_or_else(|| unknown_kind(&types.kind))?;
        let api = self.api(&resource, &capabilities, Some(wanted.metadata.namespace.as_deref().unwrap_or("default")));
        let failed = |error| self.explain(&what, error);
        let run = self.0.host.run_context();
        let before = api.get_opt(name).await.map_err(failed)?;
        let change = match &before {
            None => Some(Change { resource: id, summary: "created".into(), diff: None }),
            Some(before) => {
                let mut params = PatchParams::apply(MANAGER);
                params.dry_run = true;
                let after = api.patch(name, &params, &Patch::Apply(wanted)).await.map_err(failed)?;
                difference(before, &after)?.map(|diff| Change { resource: id, summary: "changed".into(), diff })
            }
        };
        let host = self.0.host.name().to_owned();
        let Some(change) = change else {
            run.report().emit(Event::Unchanged { host, count: 1 });
            return Ok(false);
        };
        if !run.is_plan() {
            api.patch(name, &PatchParams::apply(MANAGER), &Patch::Apply(wanted)).await.map_err(failed)?;
        }
        run.report().emit(Event::Changed { host, planned: run.is_plan(), change });
        Ok(true)
    }

    /// Deletes an object; in a plan it only says so. One that isn't there counts as unchanged. Returns whether it was
    /// there.
    ///
    /// # Errors
    /// What the API says.
    pub async fn delete(&self, kind: &str, name: &str, namespace: Option<&str>) -> Result<bool> {
        let (resource, capabilities) = self.kind(kind).await?;
        let api = self.api(&resource, &capabilities, Some(namespace.unwrap_or("default")));
        let failed = |error| self.explain(&format!("deleting {kind} {name}"), error);
        let run = self.0.host.run_context();
        let host = self.0.host.name().to_owned();
        if api.get_opt(name).await.map_err(failed)?.is_none() {
            run.report().emit(Event::Unchanged { host, count: 1 });
            return Ok(false);
        }
        if !run.is_plan() {
            api.delete(name, &DeleteParams::default()).await.map_err(failed)?;
        }
        let id = format!("{}:{name}", resource.kind.to_lowercase());
        let change = Change { resource: id, summary: "deleted".into(), diff: None };
        run.report().emit(Event::Changed { host, planned: run.is_plan(), change });
        Ok(true)
    }

    async fn discovery(&self) -> Result<&Discovery> {
        let discover = async { Discovery::new(self.0.client.clone()).run_aggregated().await };
        self.0
            .discovery
            .get_or_try_init(|| discover)
            .await
            .map_err(|error| self.explain("asking for the API's kinds", error))
    }

    async fn kind(&self, name: &str) -> Result<(ApiResource, ApiCapabilities)> {
        let (plain, group) = name.split_once('.').map_or((name, None), |(plain, group)| (plain, Some(group)));
        let matches = |resource: &ApiResource| {
            group.is_none_or(|group| resource.group == group)
                && (resource.plural.eq_ignore_ascii_case(plain) || resource.kind.eq_ignore_ascii_case(plain))
        };
        self.discovery()
            .await?
            .groups_alphabetical()
            .into_iter()
            .flat_map(|group| group.recommended_resources())
            .find(|(resource, _)| matches(resource))
            .ok_or_else(|| unknown_kind(name))
    }

    fn api(
        &self,
        resource: &ApiResource,
        capabilities: &ApiCapabilities,
        namespace: Option<&str>,
    ) -> Api<DynamicObject> {
        let client = self.0.client.clone();
        match (&capabilities.scope, namespace) {
            (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(client, namespace, resource),
            _ => Api::all_with(client, resource),
        }
    }
}

fn unknown_kind(kind: &str) -> Error {
    Error::refused(format!("the cluster knows no kind `{kind}`"))
        .help("`k3s kubectl api-resources` lists the kinds; those of an operator are there once it is installed")
}

fn value(object: &DynamicObject) -> Result<Value> {
    serde_json::to_value(object).map_err(|error| Error::host(format!("the API's answer can't be read: {error}")))
}

/// What an apply would change, as a diff; of Secrets only that it would.
fn difference(before: &DynamicObject, after: &DynamicObject) -> Result<Option<Option<String>>> {
    let (before, after) = (comparable(before)?, comparable(after)?);
    if before == after {
        return Ok(None);
    }
    if after["kind"] == "Secret" {
        return Ok(Some(None));
    }
    let text = |value: &Value| serde_yaml_ng::to_string(value).unwrap_or_default();
    let (before, after) = (text(&before), text(&after));
    Ok(Some(Some(TextDiff::from_lines(&before, &after).unified_diff().context_radius(2).to_string())))
}

/// The object without what changes by itself.
fn comparable(object: &DynamicObject) -> Result<Value> {
    let mut value = value(object)?;
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for key in ["managedFields", "resourceVersion", "generation"] {
            metadata.remove(key);
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, version: &str, text: &str) -> DynamicObject {
        let metadata = json!({ "name": "x", "resourceVersion": version });
        let object = json!({ "apiVersion": "v1", "kind": kind, "metadata": metadata, "data": { "text": text } });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn another_version_of_the_same_content_is_no_difference() {
        let (one, two) = (object("ConfigMap", "1", "a"), object("ConfigMap", "2", "a"));
        assert_eq!(difference(&one, &two).unwrap(), None);
    }

    #[test]
    fn a_difference_is_shown_but_not_that_of_a_secret() {
        let diff = difference(&object("ConfigMap", "1", "a"), &object("ConfigMap", "1", "b")).unwrap();
        assert!(diff.unwrap().unwrap().contains("-  text: a\n+  text: b"));
        let diff = difference(&object("Secret", "1", "a"), &object("Secret", "1", "b")).unwrap();
        assert_eq!(diff, Some(None));
    }
}
