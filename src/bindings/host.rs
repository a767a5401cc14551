//! Hosts: run, query, read, write.

use std::collections::BTreeMap;

use rhai::plugin::*;
use serde::Deserialize;

use crate::host::ScriptOptions;
use crate::script::{Options, Seconds};

/// Options of `run` and `query`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RunOptions {
    timeout: Option<Seconds>,
    stdin: Option<String>,
    env: BTreeMap<String, String>,
    cwd: Option<String>,
    check: bool,
}

impl Options for RunOptions {
    const FUNCTIONS: &[&str] = &["Host.run", "Host.query"];
}

impl Default for RunOptions {
    fn default() -> Self {
        RunOptions { timeout: None, stdin: None, env: BTreeMap::new(), cwd: None, check: true }
    }
}

impl RunOptions {
    fn script(&self, live: bool) -> ScriptOptions {
        ScriptOptions {
            timeout: self.timeout.map(|seconds| seconds.0),
            stdin: self.stdin.as_ref().map(|text| text.clone().into_bytes()),
            env: self.env.clone(),
            cwd: self.cwd.clone(),
            live,
            title: None,
        }
    }
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::{EvalAltResult, Map};

    use super::RunOptions;
    use crate::host::{Host, Output};
    use crate::report::Event;
    use crate::script::{block, context, options};

    /// The machine that k3srun runs on, with the same methods as a remote one.
    ///
    /// # Example
    /// ```rhai
    /// let here = local();
    /// print(here.query("hostname").stdout);
    /// ```
    pub fn local(call: NativeCallContext) -> Host {
        let context = context(&call);
        context.runtime.block_on(context.connections.local(&context.run))
    }

    /// The host's name in reports.
    #[rhai_fn(global, get = "name", pure)]
    pub fn name(host: &mut Host) -> String {
        host.name().to_owned()
    }

    /// Runs a shell command as root. It counts as a change: with `--plan` it is only shown, and the result is empty.
    /// A status other than 0 is an error.
    ///
    /// # Example
    /// ```rhai
    /// let output = local().run("echo hello");
    /// if !plan_mode() && output.stdout != "hello" { throw output.stdout }
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn run(call: NativeCallContext, host: &mut Host, command: &str) -> Result<Output, Box<EvalAltResult>> {
        run_with(call, host, command, Map::new())
    }

    /// Runs a shell command as root. Options: `timeout` in seconds (none), `stdin` (text), `env` (a map), `cwd`, `check`
    /// (true: a status other than 0 is an error).
    ///
    /// # Example
    /// ```rhai
    /// let output = local().run("exit 3", #{ check: false, timeout: 5 });
    /// if !plan_mode() && output.status != 3 { throw "not 3" }
    /// ```
    #[rhai_fn(global, name = "run", return_raw, pure)]
    pub fn run_with(
        call: NativeCallContext,
        host: &mut Host,
        command: &str,
        settings: Map,
    ) -> Result<Output, Box<EvalAltResult>> {
        let settings: RunOptions = options(&call, settings)?;
        let context = context(&call);
        let planned = context.run.is_plan();
        let event = Event::Command { host: host.name().to_owned(), command: command.to_owned(), planned };
        context.run.report().emit(event);
        if planned {
            return Ok(Output::default());
        }
        let script = settings.script(true);
        block(&call, &context, async {
            if settings.check { host.check(command, &script).await } else { host.script(command, &script).await }
        })
    }

    /// Runs a shell command that only looks: with `--plan`, too, and it never counts as a change. That it changes nothing
    /// is the script's promise.
    ///
    /// # Example
    /// ```rhai
    /// let kernel = local().query("uname -r").stdout;
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn query(call: NativeCallContext, host: &mut Host, command: &str) -> Result<Output, Box<EvalAltResult>> {
        query_with(call, host, command, Map::new())
    }

    /// Runs a shell command that only looks; the options are those of `run`.
    ///
    /// # Example
    /// ```rhai
    /// let found = local().query("test -e /etc/passwd", #{ check: false }).ok;
    /// ```
    #[rhai_fn(global, name = "query", return_raw, pure)]
    pub fn query_with(
        call: NativeCallContext,
        host: &mut Host,
        command: &str,
        settings: Map,
    ) -> Result<Output, Box<EvalAltResult>> {
        let settings: RunOptions = options(&call, settings)?;
        let context = context(&call);
        let script = settings.script(false);
        block(&call, &context, async {
            if settings.check { host.check(command, &script).await } else { host.script(command, &script).await }
        })
    }

    /// The exit status.
    #[rhai_fn(global, get = "status", pure)]
    pub fn status(output: &mut Output) -> i64 {
        i64::from(output.status)
    }

    /// Whether the exit status is 0.
    #[rhai_fn(global, get = "ok", pure)]
    pub fn ok(output: &mut Output) -> bool {
        output.status == 0
    }

    /// Standard output without the line end at its end.
    #[rhai_fn(global, get = "stdout", pure)]
    pub fn stdout(output: &mut Output) -> String {
        output.text()
    }

    /// Standard error without the line end at its end.
    #[rhai_fn(global, get = "stderr", pure)]
    pub fn stderr(output: &mut Output) -> String {
        output.error_text()
    }
}
