//! Workloads.

use rhai::plugin::*;
use rhai::{Dynamic, Map};
use serde::Deserialize;

use crate::kube::Progress;
use crate::script::Options;

/// Where a workload is.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Place {
    namespace: Option<String>,
}

impl Options for Place {
    const FUNCTIONS: &[&str] = &["Kube.scale", "Kube.rollout_status", "Kube.rollout_restart"];
}

fn map(progress: Progress) -> Map {
    Map::from([
        ("done".into(), progress.done.into()),
        ("failed".into(), progress.failed.into()),
        ("message".into(), Dynamic::from(progress.message)),
    ])
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::EvalAltResult;

    use super::{Place, map};
    use crate::error::Error;
    use crate::kube::Kube;
    use crate::script::{block, context, fail, options};

    /// Sets how many replicas a workload of the namespace `default` has. Returns whether there were others before.
    ///
    /// # Example
    /// ```rhai,no_run
    /// kube::connect(ssh::connect("master")).scale("deployment", "web", 2);
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn scale(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        name: &str,
        replicas: i64,
    ) -> Result<bool, Box<EvalAltResult>> {
        scale_with(call, kube, kind, name, replicas, Map::new())
    }

    /// Sets how many replicas a workload has. Options: `namespace` (`default`).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// k.scale("deployment", "web", 2, #{ namespace: "apps" });
    /// k.wait("deployment", "web", #{ namespace: "apps" });
    /// ```
    #[rhai_fn(global, name = "scale", return_raw, pure)]
    pub fn scale_with(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        name: &str,
        replicas: i64,
        settings: Map,
    ) -> Result<bool, Box<EvalAltResult>> {
        let place: Place = options(&call, settings)?;
        let replicas = u32::try_from(replicas).map_err(|_| {
            fail(&call, Error::script(format!("scale(): {replicas} is not a valid number of replicas")))
        })?;
        block(&call, &context(&call), kube.scale(kind, name, replicas, place.namespace.as_deref()))
    }

    /// How far the rollout of a workload of the namespace `default` is: a map of `done`, `failed` and `message`, which says
    /// what is missing.
    ///
    /// # Example
    /// ```rhai,no_run
    /// print(kube::connect(ssh::connect("master")).rollout_status("deployment", "web").message);
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn rollout_status(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        name: &str,
    ) -> Result<Map, Box<EvalAltResult>> {
        rollout_status_with(call, kube, kind, name, Map::new())
    }

    /// How far the rollout of a workload is; of any object that wait() knows. Options: `namespace` (`default`).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// if !k.rollout_status("deployment", "coredns", #{ namespace: "kube-system" }).done { warn("no DNS yet") }
    /// ```
    #[rhai_fn(global, name = "rollout_status", return_raw, pure)]
    pub fn rollout_status_with(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        name: &str,
        settings: Map,
    ) -> Result<Map, Box<EvalAltResult>> {
        let place: Place = options(&call, settings)?;
        block(&call, &context(&call), kube.rollout_status(kind, name, place.namespace.as_deref())).map(map)
    }

    /// Replaces all pods of a deployment, daemonset or statefulset of the namespace `default` by new ones.
    ///
    /// # Example
    /// ```rhai,no_run
    /// kube::connect(ssh::connect("master")).rollout_restart("deployment", "web");
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn rollout_restart(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        name: &str,
    ) -> Result<(), Box<EvalAltResult>> {
        rollout_restart_with(call, kube, kind, name, Map::new())
    }

    /// Replaces all pods of a workload by new ones, in the way of its update strategy; wait() waits for them. Options:
    /// `namespace` (`default`).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// k.rollout_restart("daemonset", "traefik", #{ namespace: "ingress" });
    /// k.wait("daemonset", "traefik", #{ namespace: "ingress" });
    /// ```
    #[rhai_fn(global, name = "rollout_restart", return_raw, pure)]
    pub fn rollout_restart_with(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        name: &str,
        settings: Map,
    ) -> Result<(), Box<EvalAltResult>> {
        let place: Place = options(&call, settings)?;
        block(&call, &context(&call), kube.rollout_restart(kind, name, place.namespace.as_deref()))
    }
}
