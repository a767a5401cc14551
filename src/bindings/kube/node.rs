//! Nodes.

use rhai::Map;
use rhai::plugin::*;

use crate::kube::DrainOptions;
use crate::script::Options;

impl Options for DrainOptions {
    const FUNCTIONS: &[&str] = &["Kube.drain"];
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::EvalAltResult;

    use crate::kube::{DrainOptions, Kube};
    use crate::script::{block, context, options};

    /// Lets a node get no new pods; those that it has stay. Returns whether it got some before.
    ///
    /// # Example
    /// ```rhai,no_run
    /// kube::connect(ssh::connect("master")).cordon("worker");
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn cordon(call: NativeCallContext, kube: &mut Kube, node: &str) -> Result<bool, Box<EvalAltResult>> {
        block(&call, &context(&call), kube.cordon(node, true))
    }

    /// Lets a node get new pods again. Returns whether it got none before.
    ///
    /// # Example
    /// ```rhai,no_run
    /// kube::connect(ssh::connect("master")).uncordon("worker");
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn uncordon(call: NativeCallContext, kube: &mut Kube, node: &str) -> Result<bool, Box<EvalAltResult>> {
        block(&call, &context(&call), kube.cordon(node, false))
    }

    /// Empties a node within 300 seconds: as drain() with options.
    ///
    /// # Example
    /// ```rhai,no_run
    /// kube::connect(ssh::connect("master")).drain("worker");
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn drain(call: NativeCallContext, kube: &mut Kube, node: &str) -> Result<i64, Box<EvalAltResult>> {
        drain_with(call, kube, node, Map::new())
    }

    /// Lets a node get no new pods, evicts those that it has, as fast as their disruption budgets allow, and waits until they
    /// are gone; those of daemonsets stay. Pods that would lose something for good are refused before anything is changed.
    /// Returns how many were evicted. When the time is up, the error says in its output why each pod is still there.
    ///
    /// Options: `timeout` in seconds (300), `force` (also pods that nobody will make again elsewhere; false),
    /// `discard_local_data` (also pods that store something on the node, in an emptyDir; false), `grace_period` (seconds
    /// that pods get to end; default: what each wants).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// k.drain("worker", #{ discard_local_data: true, timeout: 120 });
    /// ssh::connect("worker").reboot();
    /// k.uncordon("worker");
    /// ```
    #[rhai_fn(global, name = "drain", return_raw, pure)]
    pub fn drain_with(
        call: NativeCallContext,
        kube: &mut Kube,
        node: &str,
        settings: Map,
    ) -> Result<i64, Box<EvalAltResult>> {
        let settings: DrainOptions = options(&call, settings)?;
        block(&call, &context(&call), kube.drain(node, &settings)).map(u64::cast_signed)
    }
}
