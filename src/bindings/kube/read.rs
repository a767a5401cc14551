//! What is there.

use rhai::plugin::*;
use rhai::{Dynamic, Map};
use serde_json::Value;

use crate::kube::{GetOptions, TableOptions};
use crate::script::Options;

impl Options for GetOptions {
    const FUNCTIONS: &[&str] = &["Kube.get"];
}

impl Options for TableOptions {
    const FUNCTIONS: &[&str] = &["Kube.table"];
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::EvalAltResult;

    use crate::kube::{GetOptions, Kube, TableOptions};
    use crate::script::{block, context, options};

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

    /// All objects of a kind as a table for people, with the columns that kubectl shows, as text. Empty where there are none.
    ///
    /// # Example
    /// ```rhai,no_run
    /// print(kube::connect(ssh::connect("master")).table("nodes"));
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn table(call: NativeCallContext, kube: &mut Kube, kind: &str) -> Result<String, Box<EvalAltResult>> {
        table_with(call, kube, kind, Map::new())
    }

    /// Objects of a kind as a table. Options: `namespace` (default: all), `selector` (labels), `fields`, `wide` (with the
    /// columns that are left out as a rule; false).
    ///
    /// # Example
    /// ```rhai,no_run
    /// print(kube::connect(ssh::connect("master")).table("pods", #{ namespace: "apps", wide: true }));
    /// ```
    #[rhai_fn(global, name = "table", return_raw, pure)]
    pub fn table_with(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        settings: Map,
    ) -> Result<String, Box<EvalAltResult>> {
        let settings: TableOptions = options(&call, settings)?;
        block(&call, &context(&call), kube.table(kind, &settings))
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
}
