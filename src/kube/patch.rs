//! Patches: a part of an object is made as it is wanted, and the rest is left alone.

use ::http::Request;
use serde::Deserialize;
use serde_json::Value;

use super::link::Again;
use super::resources::Resource;
use super::{FIELD_MANAGER, Kube};
use crate::error::{Error, Reason, Result};
use crate::kube::apply::{diff, essence};
use crate::report::{Change, Event};

/// The form of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PatchType {
    /// A part of the object; lists are replaced, `null` removes (RFC 7386).
    Merge,
    /// A list of steps (RFC 6902).
    Json,
    /// A part of the object; lists are merged by the keys of their items. Not for custom resources.
    Strategic,
}

/// How to patch.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PatchOptions {
    /// The object's namespace; `default`.
    pub namespace: Option<String>,
    /// The part of the object that has a way in of its own, e.g. `status`.
    pub subresource: Option<String>,
    /// `merge`, `json` or `strategic`; default: `json` for a list of steps, else `merge`.
    #[serde(rename = "type")]
    pub form: Option<PatchType>,
}

impl PatchType {
    fn content_type(self) -> &'static str {
        match self {
            PatchType::Merge => "application/merge-patch+json",
            PatchType::Json => "application/json-patch+json",
            PatchType::Strategic => "application/strategic-merge-patch+json",
        }
    }

    /// What comes of a list of steps may depend on how often they are done.
    fn again(self) -> Again {
        match self {
            PatchType::Json => Again::IfNotDone,
            PatchType::Merge | PatchType::Strategic => Again::Always,
        }
    }
}

impl Kube {
    /// Changes a part of an object. It is tried by a dry run first: where nothing differs, nothing is written. In a plan only
    /// that is done, and an object that isn't there yet is taken for one that is only planned. Returns whether anything
    /// differed.
    ///
    /// # Errors
    /// Refused for what is no patch; host, with [`Reason::NotFound`] where there is no such object, or with what the API
    /// server said.
    pub async fn patch(&self, kind: &str, name: &str, patch: &Value, options: &PatchOptions) -> Result<bool> {
        let form = options.form.unwrap_or(if patch.is_array() { PatchType::Json } else { PatchType::Merge });
        if patch.is_array() != (form == PatchType::Json) || !(patch.is_array() || patch.is_object()) {
            return Err(Error::refused("the patch doesn't have the form of its type").help(
                "a patch is a map; that of type `json` an array of steps: [#{ op: \"remove\", path: \"/spec/x\" }]",
            ));
        }
        let run = self.host().run_context();
        let host = self.host().name().to_owned();
        let resource = match self.resource(kind).await {
            Err(error) if run.is_plan() && error.reason == Some(Reason::UnknownKind) => {
                self.planned_patch(format!("{}:{name}", kind.to_lowercase()));
                return Ok(true);
            }
            found => found?,
        };
        let id = resource.id(name);
        let target = Target { resource: &resource, name, options, form };
        let keep_status = options.subresource.as_deref() == Some("status");
        let mut tries = 0;
        let (old, new) = loop {
            let Some(old) = self.read_part(&target).await? else {
                if run.is_plan() {
                    self.planned_patch(id);
                    return Ok(true);
                }
                let namespace = options.namespace.as_deref().unwrap_or("default");
                let place = if resource.namespaced { format!(" in the namespace {namespace}") } else { String::new() };
                return Err(Error::host(format!("patching {id}: there is no such object{place}"))
                    .because(Reason::NotFound)
                    .on(host)
                    .help("apply it first, or check the name and the namespace"));
            };
            let new = self.send_patch(&target, patch, true).await?;
            if essence(&old, keep_status) == essence(&new, keep_status) {
                run.report().emit(Event::Unchanged { host, count: 1 });
                return Ok(false);
            }
            // Where somebody else wrote in between, the difference may be theirs.
            tries += 1;
            if tries == 5 || old["metadata"]["resourceVersion"] == new["metadata"]["resourceVersion"] {
                break (old, new);
            }
        };
        if !run.is_plan() {
            self.send_patch(&target, patch, false).await?;
        }
        let diff = (resource.api.kind != "Secret").then(|| diff(&id, &old, &new, keep_status));
        let change = Change { resource: id, summary: "changed".into(), diff };
        run.report().emit(Event::Changed { host, planned: run.is_plan(), change });
        Ok(true)
    }

    fn planned_patch(&self, resource: String) {
        let change = Change { resource, summary: "changed, once it is there".into(), diff: None };
        let host = self.host().name().to_owned();
        self.host().run_context().report().emit(Event::Changed { host, planned: true, change });
    }

    async fn read_part(&self, target: &Target<'_>) -> Result<Option<Value>> {
        let request = Request::get(target.path()).body(Vec::new()).map_err(|error| target.bad(&error))?;
        let what = format!("reading {}", target.resource.id(target.name));
        let found = self.read_only(&what, || self.client.request::<Value>(request.clone())).await;
        match found {
            Err(error) if error.reason == Some(Reason::NotFound) => Ok(None),
            found => found.map(Some),
        }
    }

    async fn send_patch(&self, target: &Target<'_>, patch: &Value, dry_run: bool) -> Result<Value> {
        let dry = if dry_run { "&dryRun=All" } else { "" };
        let request =
            Request::patch(format!("{}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict{dry}", target.path()))
                .header("accept", "application/json")
                .header("content-type", target.form.content_type())
                .body(patch.to_string().into_bytes())
                .map_err(|error| target.bad(&error))?;
        let again = if dry_run { Again::Always } else { target.form.again() };
        let what = format!("patching {}", target.resource.id(target.name));
        self.ask(&what, again, || self.client.request::<Value>(request.clone())).await
    }
}

/// What is patched, and how.
struct Target<'a> {
    resource: &'a Resource,
    name: &'a str,
    options: &'a PatchOptions,
    form: PatchType,
}

impl Target<'_> {
    fn path(&self) -> String {
        self.resource.path(self.options.namespace.as_deref(), Some(self.name), self.options.subresource.as_deref())
    }

    fn bad(&self, error: &::http::Error) -> Error {
        Error::refused(format!("{} can't be asked for: {error}", self.path()))
    }
}
