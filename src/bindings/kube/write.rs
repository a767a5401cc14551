//! What should be there.

use rhai::plugin::*;
use rhai::{Dynamic, Map};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::kube::{Applied, ApplyOptions, PatchOptions, documents};
use crate::report::redact::Secrets;
use crate::script::{Options, Revealed, holds_secret};

impl Options for ApplyOptions {
    const FUNCTIONS: &[&str] = &["Kube.apply", "Kube.diff"];
}

impl Options for PatchOptions {
    const FUNCTIONS: &[&str] = &["Kube.patch"];
}

/// The objects in what a script applies: YAML text, a map, or an array of both.
fn objects(value: &Dynamic, secrets: &Secrets) -> Result<Vec<Value>> {
    if let Ok(text) = value.clone().into_string() {
        if holds_secret(value, secrets) {
            return Err(Error::script(
                "a secret can't be joined with YAML text, in which it might mean something else",
            )
            .help("write the object as a map: #{ kind: \"Secret\", stringData: #{ password: the_secret }, .. }"));
        }
        return documents(&text);
    }
    if let Ok(items) = value.clone().into_array() {
        return items.iter().map(|item| objects(item, secrets)).collect::<Result<Vec<_>>>().map(|all| all.concat());
    }
    match Revealed::of(value, secrets) {
        Ok(Revealed { value, secrets }) if value.is_object() => {
            if !secrets.is_empty() {
                only_in_secrets(value["kind"].as_str().unwrap_or_default())?;
            }
            Ok(vec![value])
        }
        _ => Err(Error::script(format!(
            "apply() and diff() take YAML text, a map or an array of them, not {}",
            value.type_name()
        ))),
    }
}

/// Refuses a secret in an object of another kind.
fn only_in_secrets(kind: &str) -> Result<()> {
    if ["secret", "secrets"].contains(&kind.to_lowercase().as_str()) {
        return Ok(());
    }
    Err(Error::script(format!("a secret in an object of the kind {kind} would be shown to many"))
        .help("keep it in an object of the kind Secret, as stringData"))
}

fn summary(applied: Applied) -> Map {
    let names: rhai::Array = applied.names.into_iter().map(Dynamic::from).collect();
    let count = |number: u64| Dynamic::from(i64::try_from(number).unwrap_or(i64::MAX));
    Map::from([
        ("changed".into(), count(applied.changed)),
        ("ok".into(), count(applied.ok)),
        ("names".into(), names.into()),
    ])
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::EvalAltResult;

    use super::{Revealed, objects, only_in_secrets, summary};
    use crate::kube::{ApplyOptions, Kube, PatchOptions};
    use crate::script::{block, context, fail, options};

    /// Makes objects as they are wanted, by server-side apply as `k3srun`: YAML text of one or several documents, a map, or
    /// an array of them. What is as wanted isn't written; what differs is shown, and with `--plan` only that. Returns a map
    /// of `changed`, `ok` (numbers) and `names` of what was changed.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// k.apply(#{ apiVersion: "v1", kind: "Namespace", metadata: #{ name: "apps" } });
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn apply(call: NativeCallContext, kube: &mut Kube, wanted: Dynamic) -> Result<Map, Box<EvalAltResult>> {
        apply_with(call, kube, wanted, Map::new())
    }

    /// Makes objects as they are wanted. Options: `namespace` (for objects that name none; `default`), `force` (take over
    /// fields that other programs manage; false).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// k.apply(local().read("web.yaml"), #{ namespace: "apps" });
    /// ```
    #[rhai_fn(global, name = "apply", return_raw, pure)]
    pub fn apply_with(
        call: NativeCallContext,
        kube: &mut Kube,
        wanted: Dynamic,
        settings: Map,
    ) -> Result<Map, Box<EvalAltResult>> {
        let settings: ApplyOptions = options(&call, settings)?;
        let objects = objects(&wanted, context(&call).run.secrets()).map_err(|error| fail(&call, error))?;
        block(&call, &context(&call), kube.apply(objects, &settings)).map(summary)
    }

    /// What apply() would change, as text: a unified diff for each object that differs; empty where all is as wanted. Changes
    /// and reports nothing.
    ///
    /// # Example
    /// ```rhai,no_run
    /// print(kube::connect(ssh::connect("master")).diff(local().read("web.yaml")));
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn diff(call: NativeCallContext, kube: &mut Kube, wanted: Dynamic) -> Result<String, Box<EvalAltResult>> {
        diff_with(call, kube, wanted, Map::new())
    }

    /// What apply() would change with the same options: `namespace`, `force`.
    ///
    /// # Example
    /// ```rhai,no_run
    /// print(kube::connect(ssh::connect("master")).diff(local().read("web.yaml"), #{ namespace: "apps" }));
    /// ```
    #[rhai_fn(global, name = "diff", return_raw, pure)]
    pub fn diff_with(
        call: NativeCallContext,
        kube: &mut Kube,
        wanted: Dynamic,
        settings: Map,
    ) -> Result<String, Box<EvalAltResult>> {
        let settings: ApplyOptions = options(&call, settings)?;
        let objects = objects(&wanted, context(&call).run.secrets()).map_err(|error| fail(&call, error))?;
        block(&call, &context(&call), kube.diff(objects, &settings))
    }

    /// Changes a part of an object and leaves the rest alone: a map with that part (`()` removes a field), or an array of
    /// steps (`#{ op: "replace", path: "/spec/replicas", value: 2 }`). Where nothing differs nothing is written; what differs
    /// is shown, and with `--plan` only that. Returns whether anything differed.
    ///
    /// # Example
    /// ```rhai,no_run
    /// kube::connect(ssh::connect("master")).patch("node", "worker", #{ metadata: #{ labels: #{ disk: "ssd" } } });
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn patch(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        name: &str,
        part: Dynamic,
    ) -> Result<bool, Box<EvalAltResult>> {
        patch_with(call, kube, kind, name, part, Map::new())
    }

    /// Changes a part of an object. Options: `namespace` (`default`), `subresource` (`status`: what only controllers write),
    /// `type` (`merge`, `json` or `strategic`; default: `json` for an array, else `merge`).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// let status = #{ loadBalancer: #{ ingress: [#{ ip: "203.0.113.11" }] } };
    /// k.patch("service", "traefik", #{ status: status }, #{ namespace: "ingress", subresource: "status" });
    /// ```
    #[rhai_fn(global, name = "patch", return_raw, pure)]
    pub fn patch_with(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        name: &str,
        part: Dynamic,
        settings: Map,
    ) -> Result<bool, Box<EvalAltResult>> {
        let settings: PatchOptions = options(&call, settings)?;
        let context = context(&call);
        let Revealed { value: part, secrets } = Revealed::of(&part, context.run.secrets())?;
        if !secrets.is_empty() {
            only_in_secrets(kind).map_err(|error| fail(&call, error))?;
        }
        block(&call, &context, kube.patch(kind, name, &part, &settings))
    }

    /// Removes an object and waits until it is gone. Returns whether there was one.
    ///
    /// # Example
    /// ```rhai,no_run
    /// kube::connect(ssh::connect("master")).delete("namespace", "old");
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn delete(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        name: &str,
    ) -> Result<bool, Box<EvalAltResult>> {
        block(&call, &context(&call), kube.delete(kind, name, None))
    }

    /// Removes an object of a namespace.
    ///
    /// # Example
    /// ```rhai,no_run
    /// kube::connect(ssh::connect("master")).delete("pod", "web", "apps");
    /// ```
    #[rhai_fn(global, name = "delete", return_raw, pure)]
    pub fn delete_in(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        name: &str,
        namespace: &str,
    ) -> Result<bool, Box<EvalAltResult>> {
        block(&call, &context(&call), kube.delete(kind, name, Some(namespace)))
    }
}
