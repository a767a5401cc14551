//! `kube::`: the Kubernetes API.

use rhai::plugin::*;

use crate::kube::{Client, Query};
use crate::script::{Fallible, Options, block, context};

impl Options for Query {
    const FUNCTIONS: &[&str] = &["Kube.get"];
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::serde::{from_dynamic, to_dynamic};
    use rhai::{Array, EvalAltResult, Map};
    use serde::Deserialize as _;
    use serde_json::Value;

    use super::apply_values;
    use crate::error::Error;
    use crate::host::Host;
    use crate::k3s::{KubeconfigOptions, kubeconfig};
    use crate::kube::{Client, Query};
    use crate::script::{Fallible, block, context, fail, options};

    /// Connects to the API of the k3s server on a host, through an ssh tunnel and with that server's own credentials.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// print(k.raw("/version"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn connect(call: NativeCallContext, host: Host) -> Result<Client, Box<EvalAltResult>> {
        block(&call, &context(&call), async {
            let config = kubeconfig(&host, &KubeconfigOptions::default()).await?;
            Client::connect(&host, config).await
        })
    }

    /// Requests a path of the API and returns the body as text.
    ///
    /// # Example
    /// ```rhai,no_run
    /// if kube::connect(ssh::connect("master")).raw("/readyz") != "ok" { fail("the API is not ready") }
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn raw(call: NativeCallContext, kube: &mut Client, path: &str) -> Result<String, Box<EvalAltResult>> {
        block(&call, &context(&call), kube.raw(path))
    }

    /// All objects of a kind in all namespaces, as maps. The kind is named as for kubectl: `pods`, `Deployment`,
    /// `certificates.cert-manager.io`.
    ///
    /// # Example
    /// ```rhai,no_run
    /// for node in kube::connect(ssh::connect("master")).get("nodes") { print(node.metadata.name) }
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn get(call: NativeCallContext, kube: &mut Client, kind: &str) -> Result<Array, Box<EvalAltResult>> {
        get_with(call, kube, kind, Map::new())
    }

    /// Objects of a kind, as maps. Options: `namespace`, `name` (one object, in `default` unless a namespace is given),
    /// `selector` (labels).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let pods = kube::connect(ssh::connect("master")).get("pods", #{ namespace: "apps", selector: "app=web" });
    /// ```
    #[rhai_fn(global, name = "get", return_raw, pure)]
    pub fn get_with(
        call: NativeCallContext,
        kube: &mut Client,
        kind: &str,
        settings: Map,
    ) -> Result<Array, Box<EvalAltResult>> {
        let query: Query = options(&call, settings)?;
        let objects = block(&call, &context(&call), kube.get(kind, &query))?;
        objects.into_iter().map(to_dynamic).collect()
    }

    /// Applies the objects of a YAML text, which may hold several documents: server-side, with k3srun as the field
    /// manager. What is as wanted is left alone. Returns how many differed; with `--plan` nothing is changed.
    ///
    /// # Example
    /// ```rhai,no_run
    /// kube::connect(ssh::connect("master")).apply(`
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: { name: apps }
    /// `);
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn apply(call: NativeCallContext, kube: &mut Client, yaml: &str) -> Result<i64, Box<EvalAltResult>> {
        let documents: Result<Vec<Value>, _> =
            serde_yaml_ng::Deserializer::from_str(yaml).map(Value::deserialize).collect();
        let documents = documents.map_err(|error| fail(&call, Error::refused(format!("this is no YAML: {error}"))))?;
        apply_values(&call, kube, &documents.into_iter().filter(|value| !value.is_null()).collect::<Vec<_>>())
    }

    /// Applies objects that are given as maps.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let space = #{ apiVersion: "v1", kind: "Namespace", metadata: #{ name: "apps" } };
    /// kube::connect(ssh::connect("master")).apply([space]);
    /// ```
    #[rhai_fn(global, name = "apply", return_raw, pure)]
    pub fn apply_maps(call: NativeCallContext, kube: &mut Client, objects: Array) -> Result<i64, Box<EvalAltResult>> {
        let values: Vec<Value> = objects.iter().map(from_dynamic).collect::<Fallible<_>>()?;
        apply_values(&call, kube, &values)
    }

    /// Deletes an object of the namespace `default`, or one without a namespace. Returns whether it was there.
    ///
    /// # Example
    /// ```rhai,no_run
    /// kube::connect(ssh::connect("master")).delete("namespace", "old");
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn delete(
        call: NativeCallContext,
        kube: &mut Client,
        kind: &str,
        name: &str,
    ) -> Result<bool, Box<EvalAltResult>> {
        block(&call, &context(&call), kube.delete(kind, name, None))
    }

    /// Deletes an object of a namespace. Returns whether it was there.
    ///
    /// # Example
    /// ```rhai,no_run
    /// kube::connect(ssh::connect("master")).delete("pod", "stuck", "apps");
    /// ```
    #[rhai_fn(global, name = "delete", return_raw, pure)]
    pub fn delete_in(
        call: NativeCallContext,
        kube: &mut Client,
        kind: &str,
        name: &str,
        namespace: &str,
    ) -> Result<bool, Box<EvalAltResult>> {
        block(&call, &context(&call), kube.delete(kind, name, Some(namespace)))
    }
}

fn apply_values(call: &NativeCallContext, kube: &Client, values: &[serde_json::Value]) -> Fallible<i64> {
    block(call, &context(call), kube.apply(values)).map(u64::cast_signed)
}
