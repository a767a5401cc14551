//! Inside of pods.

use rhai::plugin::*;
use rhai::{Dynamic, FnPtr, Map};

use crate::kube::{ExecOptions, FollowOptions, ForwardOptions, Kube, LogOptions};
use crate::script::{Fallible, Options, block, context, fail};

impl Options for LogOptions {
    const FUNCTIONS: &[&str] = &["Kube.logs"];
}

impl Options for ExecOptions {
    const FUNCTIONS: &[&str] = &["Kube.exec"];
}

impl Options for FollowOptions {
    const FUNCTIONS: &[&str] = &["Kube.follow_logs"];
}

impl Options for ForwardOptions {
    const FUNCTIONS: &[&str] = &["Kube.port_forward"];
}

/// Gives every line to `each` until that returns false, the container ends or the time is up; whether it was not the time.
fn follow(
    call: &NativeCallContext,
    kube: &Kube,
    pod: &str,
    settings: &FollowOptions,
    mut each: impl FnMut(String) -> Fallible<bool>,
) -> Fallible<bool> {
    let context = context(call);
    let limit = settings.limit().map_err(|error| fail(call, error))?;
    let mut lines = block(call, &context, kube.follow(pod, settings))?;
    loop {
        let next = async {
            match limit {
                Some(limit) => match tokio::time::timeout_at(limit, lines.next()).await {
                    Ok(line) => line.map(Some),
                    Err(_) => Ok(None),
                },
                None => lines.next().await.map(Some),
            }
        };
        let Some(line) = block(call, &context, next)? else { return Ok(false) };
        match line {
            Some(line) => {
                if !each(line)? {
                    return Ok(true);
                }
            }
            None => return Ok(true),
        }
    }
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::{Array, EvalAltResult};

    use super::follow;
    use crate::error::Error;
    use crate::host::Output;
    use crate::kube::{ExecOptions, FollowOptions, ForwardOptions, Kube, LogOptions, PortForward};
    use crate::report::Event;
    use crate::script::{block, context, fail, options};

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

    /// Prints what a container prints, line by line, until it ends, the time is up, or Ctrl-C. Returns whether it ended
    /// before the time was up. A restart of the API server doesn't end it, and no line is lost. Options: `namespace`,
    /// `container` (default: the first), `tail` (so many of the last lines to begin with; default: all), `timeout` in seconds
    /// (default: none).
    ///
    /// # Example
    /// ```rhai,no_run
    /// kube::connect(ssh::connect("master")).follow_logs("web", #{ namespace: "apps", tail: 10 });
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn follow_logs(
        call: NativeCallContext,
        kube: &mut Kube,
        pod: &str,
        settings: Map,
    ) -> Result<bool, Box<EvalAltResult>> {
        let settings: FollowOptions = options(&call, settings)?;
        follow(&call, kube, pod, &settings, |text| {
            context(&call).run.report().emit(Event::Print { text });
            Ok(true)
        })
    }

    /// Calls the closure with every line that a container prints; also ends when the closure returns false.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// k.follow_logs("web", #{ namespace: "apps", timeout: 60 }, |line| !line.contains("ready"));
    /// ```
    #[rhai_fn(global, name = "follow_logs", return_raw, pure)]
    pub fn follow_logs_with(
        call: NativeCallContext,
        kube: &mut Kube,
        pod: &str,
        settings: Map,
        each: FnPtr,
    ) -> Result<bool, Box<EvalAltResult>> {
        let settings: FollowOptions = options(&call, settings)?;
        follow(&call, kube, pod, &settings, |line| {
            let answer: Dynamic = each.call_within_context(&call, (line,))?;
            Ok(answer.as_bool() != Ok(false))
        })
    }

    /// Opens a free port of this machine's loopback interface that leads to a port of a pod, a service or a workload of the
    /// namespace `default`.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let way = kube::connect(ssh::connect("master")).port_forward("service", "web", 80);
    /// print(`http://${way.address}:${way.port}`);
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn port_forward(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        name: &str,
        port: i64,
    ) -> Result<PortForward, Box<EvalAltResult>> {
        port_forward_with(call, kube, kind, name, port, Map::new())
    }

    /// Opens a port of this machine's loopback interface that leads to a port of a pod, a service or a workload. Each
    /// connection goes to a pod that is ready then. It stays open until `close()`, or the end of the run; `hold()` keeps the
    /// run until Ctrl-C. Options: `namespace` (`default`), `local_port` (default: a free one).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// let way = k.port_forward("service", "grafana", 80, #{ namespace: "monitoring", local_port: 3000 });
    /// print(`http://${way.address}:${way.port}`);
    /// way.hold();
    /// ```
    #[rhai_fn(global, name = "port_forward", return_raw, pure)]
    pub fn port_forward_with(
        call: NativeCallContext,
        kube: &mut Kube,
        kind: &str,
        name: &str,
        port: i64,
        settings: Map,
    ) -> Result<PortForward, Box<EvalAltResult>> {
        let settings: ForwardOptions = options(&call, settings)?;
        match u16::try_from(port) {
            Ok(port) if port > 0 => block(&call, &context(&call), kube.port_forward(kind, name, port, &settings)),
            _ => Err(fail(&call, Error::script(format!("port_forward(): {port} is not a port from 1 to 65535")))),
        }
    }

    /// The address to connect to on this machine.
    #[rhai_fn(global, get = "address", pure)]
    pub fn forward_address(forward: &mut PortForward) -> String {
        forward.address()
    }

    /// The port to connect to on this machine.
    #[rhai_fn(global, get = "port", pure)]
    pub fn forward_port(forward: &mut PortForward) -> i64 {
        i64::from(forward.port())
    }

    /// Takes no more connections; those that are open go on.
    ///
    /// # Example
    /// ```rhai,no_run
    /// kube::connect(ssh::connect("master")).port_forward("service", "web", 80).close();
    /// ```
    #[rhai_fn(global, name = "close", pure)]
    pub fn forward_close(forward: &mut PortForward) {
        forward.close();
    }

    /// Keeps the run, and with it the way, until Ctrl-C.
    ///
    /// # Example
    /// ```rhai,no_run
    /// kube::connect(ssh::connect("master")).port_forward("service", "web", 80, #{ local_port: 8080 }).hold();
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn hold(call: NativeCallContext, forward: &mut PortForward) -> Result<(), Box<EvalAltResult>> {
        let _open = forward.clone();
        block(&call, &context(&call), std::future::pending())
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
