//! `kube::`: the cluster's API.

use rhai::plugin::*;
use rhai::{Dynamic, Map};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::kube::{Applied, ApplyOptions, ExecOptions, GetOptions, LogOptions, WaitOptions, documents};
use crate::script::{OptionSet, Options};

impl Options for GetOptions {
    const FUNCTIONS: &[&str] = &["Kube.get"];
}

impl Options for ApplyOptions {
    const FUNCTIONS: &[&str] = &["Kube.apply"];
}

impl Options for WaitOptions {
    const FUNCTIONS: &[&str] = &["Kube.wait"];
}

impl Options for LogOptions {
    const FUNCTIONS: &[&str] = &["Kube.logs"];
}

impl Options for ExecOptions {
    const FUNCTIONS: &[&str] = &["Kube.exec"];
}

/// The option maps of this namespace.
pub(super) fn options() -> Vec<OptionSet> {
    vec![
        OptionSet::of::<GetOptions>(),
        OptionSet::of::<ApplyOptions>(),
        OptionSet::of::<WaitOptions>(),
        OptionSet::of::<LogOptions>(),
        OptionSet::of::<ExecOptions>(),
    ]
}

/// The objects in what a script applies: YAML text, a map, or an array of both.
fn objects(value: &Dynamic) -> Result<Vec<Value>> {
    if let Ok(text) = value.clone().into_string() {
        return documents(&text);
    }
    if let Ok(items) = value.clone().into_array() {
        return items.iter().map(objects).collect::<Result<Vec<_>>>().map(|all| all.concat());
    }
    match rhai::serde::from_dynamic::<Value>(value) {
        Ok(value) if value.is_object() => Ok(vec![value]),
        _ => {
            Err(Error::script(format!("apply() takes YAML text, a map or an array of them, not {}", value.type_name())))
        }
    }
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
pub mod connections {
    use rhai::EvalAltResult;

    use crate::host::Host;
    use crate::k3s::{self, KubeconfigOptions};
    use crate::kube::{self, Kube};
    use crate::script::{block, context};

    /// Connects to the API of the cluster whose server a host is, through a tunnel: the API server's port needs to be open
    /// to nobody else. The kubeconfig is read over the connection and written nowhere.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// for node in k.get("nodes") { print(node.metadata.name) }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn connect(call: NativeCallContext, host: Host) -> Result<Kube, Box<EvalAltResult>> {
        block(&call, &context(&call), async {
            let kubeconfig = k3s::kubeconfig(&host, &KubeconfigOptions::default()).await?;
            kube::connect(&host, kubeconfig).await
        })
    }
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::{Array, EvalAltResult};

    use super::{objects, summary};
    use crate::host::Output;
    use crate::kube::{ApplyOptions, ExecOptions, GetOptions, Kube, LogOptions, WaitOptions};
    use crate::script::{block, context, fail, options};

    /// All objects of a kind, as an array of maps. Kinds are named as kubectl does: `pods`, `pod`, `Pod`, `po`,
    /// `certificates.cert-manager.io`.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let nodes = kube::connect(ssh::connect("master")).get("nodes");
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn get(call: NativeCallContext, kube: &mut Kube, kind: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        get_with(call, kube, kind, Map::new())
    }

    /// Objects of a kind. Options: `namespace` (default: all), `selector` (labels, `app=web`), `fields`
    /// (`spec.nodeName=worker`), `name` (one object, as a map; `()` where there is none).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// let dns = k.get("pods", #{ namespace: "kube-system", selector: "k8s-app=kube-dns" });
    /// let coredns = k.get("deployment", #{ namespace: "kube-system", name: "coredns" });
    /// ```
    #[rhai_fn(global, name = "get", return_raw, pure)]
    pub fn get_with(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        settings: Map,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let settings: GetOptions = options(&call, settings)?;
        let found = block(&call, &context(&call), async {
            match &settings.name {
                Some(name) => {
                    let object = kube.get(kind, name, settings.namespace.as_deref()).await?;
                    Ok(object.unwrap_or_default())
                }
                None => kube.list(kind, &settings).await.map(Value::from),
            }
        })?;
        rhai::serde::to_dynamic(found)
    }

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
        let objects = objects(&wanted).map_err(|error| fail(&call, error))?;
        block(&call, &context(&call), kube.apply(objects, &settings)).map(summary)
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

    /// What the API server answers to a GET of a path, as text.
    ///
    /// # Example
    /// ```rhai,no_run
    /// if kube::connect(ssh::connect("master")).raw("/readyz") != "ok" { throw "not ready" }
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn raw(call: NativeCallContext, kube: &mut Kube, path: &str) -> Result<String, Box<EvalAltResult>> {
        block(&call, &context(&call), kube.raw(path))
    }

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

    /// Waits for an object. Options: `namespace` (`default`), `until` (a condition like `Ready`, a phase of a pod, `exists`
    /// or `gone`; default: what fits the kind), `timeout` in seconds (300).
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

    /// What a pod of the namespace `default` has printed.
    ///
    /// # Example
    /// ```rhai,no_run
    /// print(kube::connect(ssh::connect("master")).logs("web"));
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn logs(call: NativeCallContext, kube: &mut Kube, pod: &str) -> Result<String, Box<EvalAltResult>> {
        logs_with(call, kube, pod, Map::new())
    }

    /// What a pod has printed. Options: `namespace`, `container`, `tail` (so many of the last lines), `previous` (that of the
    /// container's last run).
    ///
    /// # Example
    /// ```rhai,no_run
    /// print(kube::connect(ssh::connect("master")).logs("web", #{ namespace: "apps", tail: 20 }));
    /// ```
    #[rhai_fn(global, name = "logs", return_raw, pure)]
    pub fn logs_with(
        call: NativeCallContext,
        kube: &mut Kube,
        pod: &str,
        settings: Map,
    ) -> Result<String, Box<EvalAltResult>> {
        let settings: LogOptions = options(&call, settings)?;
        block(&call, &context(&call), kube.logs(pod, &settings))
    }

    /// Runs a command in a pod of the namespace `default`; returns its output, whatever its status.
    ///
    /// # Example
    /// ```rhai,no_run
    /// print(kube::connect(ssh::connect("master")).exec("web", ["hostname"]).stdout);
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn exec(
        call: NativeCallContext,
        kube: &mut Kube,
        pod: &str,
        command: Array,
    ) -> Result<Output, Box<EvalAltResult>> {
        exec_with(call, kube, pod, command, Map::new())
    }

    /// Runs a command in a pod. Options: `namespace`, `container`. With `--plan`, too: that it changes nothing is the
    /// script's promise.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// print(k.exec("web", ["cat", "/etc/resolv.conf"], #{ namespace: "apps" }).stdout);
    /// ```
    #[rhai_fn(global, name = "exec", return_raw, pure)]
    pub fn exec_with(
        call: NativeCallContext,
        kube: &mut Kube,
        pod: &str,
        command: Array,
        settings: Map,
    ) -> Result<Output, Box<EvalAltResult>> {
        let settings: ExecOptions = options(&call, settings)?;
        let command: Vec<String> = command.iter().map(ToString::to_string).collect();
        block(&call, &context(&call), kube.exec(pod, &command, &settings))
    }

    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn to_string(kube: &mut Kube) -> String {
        format!("the cluster of {}", kube.host().name())
    }
}
