//! Server-side apply: what is as wanted is left alone, what differs is shown and written.

use ::kube::api::{Patch, PatchParams, ValidationDirective};
use serde::Deserialize;
use serde_json::Value;
use similar::TextDiff;

use super::link::Again;
use super::resources::Resource;
use super::{FIELD_MANAGER, Kube};
use crate::error::{Error, Reason, Result};
use crate::report::{Change, Event};

/// How to apply.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApplyOptions {
    /// For objects that name none; `default`.
    pub namespace: Option<String>,
    /// Take over fields that other programs manage.
    pub force: bool,
}

/// What came of applying objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// How many were changed, or would be in a plan.
    pub changed: u64,
    /// How many were as wanted.
    pub ok: u64,
    /// Those changed, e.g. `deployment:web`.
    pub names: Vec<String>,
}

/// An object to apply, with what is needed to find it.
#[derive(Debug, Clone, PartialEq)]
struct Wanted {
    value: Value,
    version: String,
    kind: String,
    name: String,
    namespace: Option<String>,
}

/// Reads YAML of one or several documents; lists of objects are taken apart.
///
/// # Errors
/// Refused with the number of the document that is not an object.
///
/// ```
/// let text = "kind: A\n---\nkind: List\nitems:\n- kind: B\n---\n";
/// let kinds: Vec<_> = k3srun::kube::documents(text).unwrap().iter().map(|o| o["kind"].to_string()).collect();
/// assert_eq!(kinds, ["\"A\"", "\"B\""]);
/// ```
pub fn documents(text: &str) -> Result<Vec<Value>> {
    let mut objects = Vec::new();
    for (index, document) in serde_yaml_ng::Deserializer::from_str(text).enumerate() {
        let bad = |why: String| Error::refused(format!("document {} of the YAML can't be read: {why}", index + 1));
        let value = Value::deserialize(document).map_err(|error| bad(error.to_string()))?;
        match value {
            Value::Null => {}
            Value::Object(mut map) if map.get("kind").is_some_and(|kind| kind == "List") => match map.remove("items") {
                Some(Value::Array(items)) => objects.extend(items),
                _ => return Err(bad("a List without items".into())),
            },
            Value::Object(_) => objects.push(value),
            _ => return Err(bad("it is not an object".into())),
        }
    }
    Ok(objects)
}

impl Wanted {
    fn new(value: Value, options: &ApplyOptions) -> Result<Self> {
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let field = |path: &str| {
            text(value.pointer(path).unwrap_or(&Value::Null)).ok_or_else(|| {
                let field = path.trim_start_matches('/').replace('/', ".");
                Error::refused(format!("an object has no {field}"))
                    .help("every object needs apiVersion, kind and metadata.name")
            })
        };
        let (version, kind, name) = (field("/apiVersion")?, field("/kind")?, field("/metadata/name")?);
        let namespace = value.pointer("/metadata/namespace").and_then(text).or_else(|| options.namespace.clone());
        Ok(Wanted { value, version, kind, name, namespace })
    }

    /// What others need is applied first.
    fn rank(&self) -> u8 {
        match self.kind.as_str() {
            "Namespace" => 0,
            "CustomResourceDefinition" => 1,
            _ => 2,
        }
    }
}

/// The objects, in the order in which they are applied.
fn wanted(objects: Vec<Value>, options: &ApplyOptions) -> Result<Vec<Wanted>> {
    let mut wanted = objects.into_iter().map(|value| Wanted::new(value, options)).collect::<Result<Vec<_>>>()?;
    wanted.sort_by_key(Wanted::rank);
    Ok(wanted)
}

impl Kube {
    /// Makes objects as they are wanted, by server-side apply. Each is tried by a dry run first: what is as wanted
    /// isn't written. In a plan only that is done.
    ///
    /// # Errors
    /// Refused for what is not an object, host with what the API server said.
    pub async fn apply(&self, objects: Vec<Value>, options: &ApplyOptions) -> Result<Applied> {
        let wanted = wanted(objects, options)?;
        let run = self.host().run_context();
        let mut applied = Applied::default();
        for object in &wanted {
            self.host().activity(format!("applying {} {}", object.kind, object.name));
            let change = self.apply_one(object, options, &wanted, run.is_plan()).await;
            self.host().activity("");
            match change? {
                None => applied.ok += 1,
                Some(change) => {
                    applied.changed += 1;
                    applied.names.push(change.resource.clone());
                    let host = self.host().name().to_owned();
                    run.report().emit(Event::Changed { host, planned: run.is_plan(), change });
                }
            }
        }
        if applied.ok > 0 {
            run.report().emit(Event::Unchanged { host: self.host().name().to_owned(), count: applied.ok });
        }
        Ok(applied)
    }

    /// What [`Kube::apply`] would change, as text for a person: a unified diff for each object that differs. Changes and
    /// reports nothing. Of a Secret only the name is told.
    ///
    /// # Errors
    /// Those of [`Kube::apply`].
    pub async fn diff(&self, objects: Vec<Value>, options: &ApplyOptions) -> Result<String> {
        let wanted = wanted(objects, options)?;
        let mut text = String::new();
        for object in &wanted {
            let Some(change) = self.apply_one(object, options, &wanted, true).await? else { continue };
            match change.diff {
                Some(diff) => text.push_str(&diff),
                None if change.summary == "created" && object.kind != "Secret" => {
                    text.push_str(&diff(&change.resource, &Value::Null, &object.value, false));
                }
                None => text.push_str(&format!("{}: {}, its content is not shown\n", change.resource, change.summary)),
            }
        }
        Ok(text)
    }

    async fn apply_one(
        &self,
        object: &Wanted,
        options: &ApplyOptions,
        all: &[Wanted],
        planned: bool,
    ) -> Result<Option<Change>> {
        let id = format!("{}:{}", object.kind.to_lowercase(), object.name);
        let created = |id: String| Change { resource: id, summary: "created".into(), diff: None };
        let Some(resource) = self.resource_of(&object.version, &object.kind).await? else {
            // Its definition may be among those that are only planned.
            if planned && all.iter().any(|other| other.kind == "CustomResourceDefinition") {
                return Ok(Some(created(id)));
            }
            let message = format!("the cluster knows no {} of {}", object.kind, object.version);
            return Err(Error::refused(message)
                .because(Reason::UnknownKind)
                .on(self.host().name())
                .help("check apiVersion and kind; apply its definition (CRD) first"));
        };
        let namespace = resource.namespaced.then(|| object.namespace.as_deref().unwrap_or("default"));
        let old = self.read(&resource, &object.name, namespace).await?;
        // Its namespace may be only planned, too: then a dry run is refused.
        let home = |other: &Wanted| other.kind == "Namespace" && Some(other.name.as_str()) == namespace;
        if planned && old.is_none() && all.iter().any(home) {
            return Ok(Some(created(id)));
        }
        let new = self.write(&resource, object, namespace, options, true).await?;
        let summary = match &old {
            Some(old) if essence(old, false) == essence(&new, false) => return Ok(None),
            Some(_) => "changed",
            None => "created",
        };
        if !planned {
            self.write(&resource, object, namespace, options, false).await?;
        }
        let diff = old.filter(|_| object.kind != "Secret").map(|old| diff(&id, &old, &new, false));
        Ok(Some(Change { resource: id, summary: summary.into(), diff }))
    }

    async fn write(
        &self,
        resource: &Resource,
        object: &Wanted,
        namespace: Option<&str>,
        options: &ApplyOptions,
        dry_run: bool,
    ) -> Result<Value> {
        let mut value = object.value.clone();
        if let (Some(namespace), Some(metadata)) = (namespace, value.get_mut("metadata").and_then(Value::as_object_mut))
        {
            metadata.insert("namespace".into(), namespace.into());
        }
        let what = format!("applying {}", resource.id(&object.name));
        let (api, patch) = (self.api(resource, namespace, false), Patch::Apply(&value));
        let send = async |force| {
            let parameters = PatchParams {
                dry_run,
                force,
                field_manager: Some(FIELD_MANAGER.into()),
                field_validation: Some(ValidationDirective::Strict),
            };
            self.ask(&what, Again::Always, async || api.patch(&object.name, &parameters, &patch).await).await
        };
        let done = match send(options.force).await {
            // What was scaled or patched by us is ours to set again.
            Err(error) if conflicts_with_us_alone(&error) => send(true).await?,
            done => done?,
        };
        Ok(resource.value(&done))
    }
}

/// Whether all fields that are in the way were written by us in another way than by applying.
fn conflicts_with_us_alone(error: &Error) -> bool {
    let mut managers = error.message.split("with \"").skip(1).peekable();
    let ours = format!("{FIELD_MANAGER}\"");
    error.reason == Some(Reason::Conflict) && managers.peek().is_some() && managers.all(|text| text.starts_with(&ours))
}

/// An object without what the API server writes by itself; its status belongs to that, unless it is what one writes.
pub(super) fn essence(object: &Value, keep_status: bool) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        if !keep_status {
            map.remove("status");
        }
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            for key in ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"] {
                metadata.remove(key);
            }
        }
    }
    object
}

pub(super) fn diff(id: &str, old: &Value, new: &Value, keep_status: bool) -> String {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        value => serde_yaml_ng::to_string(&essence(value, keep_status)).unwrap_or_default(),
    };
    TextDiff::from_lines(&text(old), &text(new)).unified_diff().context_radius(3).header(id, id).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_writes_is_no_difference() {
        let old = json!({ "metadata": { "name": "a", "resourceVersion": "1", "generation": 1 }, "status": { "x": 1 } });
        let new = json!({ "metadata": { "name": "a", "resourceVersion": "2" } });
        assert_eq!(essence(&old, false), essence(&new, false));
    }

    #[test]
    fn an_object_without_a_name_is_refused() {
        let error = Wanted::new(json!({ "apiVersion": "v1", "kind": "Pod" }), &ApplyOptions::default()).unwrap_err();
        assert_eq!(error.message, "an object has no metadata.name");
    }

    #[test]
    fn a_conflict_with_ourselves_is_told_from_others() {
        let conflict = |message: &str| conflicts_with_us_alone(&Error::host(message).because(Reason::Conflict));
        let ours = "Apply failed with 1 conflict: conflict with \"k3srun\" with subresource \"scale\" using apps/v1: .spec.replicas";
        assert!(conflict(ours));
        assert!(!conflict(&format!("{ours}\nconflicts with \"kubectl-edit\" using apps/v1:\n- .spec.x")));
        assert!(!conflict("the object was changed"));
    }

    #[test]
    fn a_broken_document_is_named() {
        let error = documents("kind: A\n---\n- b\n").unwrap_err();
        assert_eq!(error.message, "document 2 of the YAML can't be read: it is not an object");
    }

    #[test]
    fn a_change_is_shown_as_a_diff() {
        let (old, new) = (json!({ "spec": { "replicas": 1 } }), json!({ "spec": { "replicas": 2 } }));
        insta::assert_snapshot!(diff("deployment:web", &old, &new, false), @r"
        --- deployment:web
        +++ deployment:web
        @@ -1,2 +1,2 @@
         spec:
        -  replicas: 1
        +  replicas: 2
        ");
    }
}
