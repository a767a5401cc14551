//! What is to come.

use rhai::plugin::*;
use rhai::{Dynamic, Map};

use crate::kube::WaitOptions;
use crate::script::Options;

impl Options for WaitOptions {
    const FUNCTIONS: &[&str] = &["Kube.wait"];
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::EvalAltResult;

    use crate::kube::{Kube, WaitOptions};
    use crate::script::{block, context, options};

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
}
