//! What is to come.

use rhai::plugin::*;
use rhai::{Dynamic, FnPtr, Map};
use serde::Deserialize;
use serde_json::Value;

use crate::kube::{Sight, WaitOptions, WatchOptions};
use crate::script::Options;

impl Options for WaitOptions {
    const FUNCTIONS: &[&str] = &["Kube.wait"];
}

impl Options for WatchOptions {
    const FUNCTIONS: &[&str] = &["Kube.watch"];
}

/// Options of `diagnosis`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Diagnosis {
    namespace: Option<String>,
}

impl Options for Diagnosis {
    const FUNCTIONS: &[&str] = &["Kube.diagnosis"];
}

/// An event of a watch, as scripts see it; none for what is no news.
fn event(sight: Sight) -> Option<(&'static str, Value)> {
    match sight {
        Sight::Added(object) => Some(("added", object)),
        Sight::Modified(object) => Some(("modified", object)),
        Sight::Deleted(object) => Some(("deleted", object)),
        Sight::Complete => None,
    }
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::EvalAltResult;
    use tokio::time::timeout_at;

    use super::{Diagnosis, event};
    use crate::kube::{Kube, WaitOptions, WatchOptions};
    use crate::script::{block, context, fail, options};

    /// Waits until an object works: a deployment is rolled out, a node or a pod ready, a job completed. Returns the object.
    ///
    /// # Example
    /// ```rhai,no_run
    /// kube::connect(ssh::connect("master")).wait("node", "worker");
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn wait(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        name: &str,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        wait_with(call, kube, kind, name, Map::new())
    }

    /// Waits for an object. Options: `namespace` (`default`), `until` (in quotes, as it is a word of the language: a
    /// condition like `Ready`, a phase of a pod, `exists` or `gone`; default: what fits the kind), `timeout` in seconds (300).
    /// A deployment, a statefulset or a daemonset is ready, available and rolled out when all pods that it wants are of its
    /// present generation and available: the condition `Available` of the API may hold without any.
    /// The error of one that waited in vain has the reason `timeout`, and in its output what diagnosis() finds.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// k.wait("deployment", "coredns", #{ namespace: "kube-system", timeout: 120 });
    /// ```
    #[rhai_fn(global, name = "wait", return_raw, pure)]
    pub fn wait_with(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        name: &str,
        settings: Map,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let settings: WaitOptions = options(&call, settings)?;
        let object = block(&call, &context(&call), kube.wait(kind, name, &settings))?;
        rhai::serde::to_dynamic(object.unwrap_or_default())
    }

    /// Calls the closure with everything that happens to the objects of a kind: a map with `type` (`added`, `modified`,
    /// `deleted`) and `object`. What is there already comes first, as added. Ends when the closure returns false, and then
    /// returns true; or when the time is up, and then returns false. A restart of the API server doesn't end it: what
    /// happened meanwhile is told afterwards.
    ///
    /// Options: `namespace` (default: all), `selector` (labels), `fields` (`metadata.name=web`), `timeout` in seconds
    /// (default: none).
    ///
    /// The closure can't use the variable on which watch() is called: give it another one, `let k2 = kube::connect(host)`.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// k.watch("pods", #{ namespace: "apps", timeout: 60 }, |event| {
    ///     print(`${event.type} ${event.object.metadata.name}`);
    ///     event.type != "deleted"
    /// });
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn watch(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        settings: Map,
        each: FnPtr,
    ) -> Result<bool, Box<EvalAltResult>> {
        let settings: WatchOptions = options(&call, settings)?;
        let context = context(&call);
        let limit = settings.limit().map_err(|error| fail(&call, error))?;
        let mut watch = block(&call, &context, kube.watch(kind, &settings))?;
        loop {
            let next = async {
                match limit {
                    Some(limit) => match timeout_at(limit, watch.next()).await {
                        Ok(sight) => sight.map(Some),
                        Err(_) => Ok(None),
                    },
                    None => watch.next().await.map(Some),
                }
            };
            let Some(sight) = block(&call, &context, next)? else { return Ok(false) };
            let Some((kind, object)) = event(sight) else { continue };
            let event = Map::from([("type".into(), kind.into()), ("object".into(), rhai::serde::to_dynamic(object)?)]);
            let answer: Dynamic = each.call_within_context(&call, (event,))?;
            if answer.as_bool() == Ok(false) {
                return Ok(true);
            }
        }
    }

    /// Why an object of the namespace `default`, or of none, doesn't get where it should.
    ///
    /// # Example
    /// ```rhai,no_run
    /// print(kube::connect(ssh::connect("master")).diagnosis("node", "worker"));
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn diagnosis(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        name: &str,
    ) -> Result<String, Box<EvalAltResult>> {
        diagnosis_with(call, kube, kind, name, Map::new())
    }

    /// Why an object doesn't get where it should, as text: conditions that don't hold, its pods that don't work, the last
    /// events, and the last lines of failing containers. Empty where nothing speaks against it. `wait` gives the same in
    /// the output of its error. Options: `namespace` (`default`).
    ///
    /// # Example
    /// ```rhai,no_run
    /// print(kube::connect(ssh::connect("master")).diagnosis("deployment", "web", #{ namespace: "apps" }));
    /// ```
    #[rhai_fn(global, name = "diagnosis", return_raw, pure)]
    pub fn diagnosis_with(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        name: &str,
        settings: Map,
    ) -> Result<String, Box<EvalAltResult>> {
        let settings: Diagnosis = options(&call, settings)?;
        block(&call, &context(&call), kube.diagnosis(kind, name, settings.namespace.as_deref()))
    }
}
