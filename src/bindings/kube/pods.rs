//! Inside of pods.

use rhai::Map;
use rhai::plugin::*;

use crate::kube::{ExecOptions, LogOptions};
use crate::script::Options;

impl Options for LogOptions {
    const FUNCTIONS: &[&str] = &["Kube.logs"];
}

impl Options for ExecOptions {
    const FUNCTIONS: &[&str] = &["Kube.exec"];
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::{Array, EvalAltResult};

    use crate::host::Output;
    use crate::kube::{ExecOptions, Kube, LogOptions};
    use crate::script::{block, context, options};

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
}
