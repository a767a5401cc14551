//! Hosts: run, query, reboot, lock, and a person's terminal.

use std::collections::BTreeMap;

use rhai::plugin::*;
use serde::Deserialize;

use crate::host::{Live, ScriptOptions, VariableName};
use crate::script::{Options, Seconds, Secret};

/// Options of `run` and `query`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RunOptions {
    timeout: Option<Seconds>,
    stdin: Option<Secret>,
    env: BTreeMap<VariableName, Secret>,
    cwd: Option<String>,
    check: bool,
    progress: bool,
}

impl Options for RunOptions {
    const FUNCTIONS: &[&str] = &["Host.run", "Host.query"];
}

impl Default for RunOptions {
    fn default() -> Self {
        RunOptions { timeout: None, stdin: None, env: BTreeMap::new(), cwd: None, check: true, progress: false }
    }
}

/// Options of `reboot`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Reboot {
    timeout: Seconds,
}

impl Options for Reboot {
    const FUNCTIONS: &[&str] = &["Host.reboot"];
}

impl Default for Reboot {
    fn default() -> Self {
        Reboot { timeout: Seconds(std::time::Duration::from_secs(300)) }
    }
}

impl RunOptions {
    fn script(&self, live: Live) -> ScriptOptions {
        ScriptOptions {
            timeout: self.timeout.map(|seconds| seconds.0),
            stdin: self.stdin.as_ref().map(|text| text.reveal().as_bytes().to_vec()),
            env: self.env.iter().map(|(name, value)| (name.clone(), value.reveal().to_owned())).collect(),
            cwd: self.cwd.clone(),
            live: if self.progress { Live::Progress } else { live },
            title: None,
        }
    }
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::{EvalAltResult, Map};

    use super::{Live, Reboot, RunOptions};
    use crate::host::{Host, Output, joined_with_secret};
    use crate::report::Event;
    use crate::script::{block, context, fail, options};

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

    /// Runs a shell command as root. Options: `timeout` in seconds (none), `stdin` (a text or a secret), `env` (a map of
    /// them; a secret in the command itself is an error, since others on the host could read it), `cwd`, `check` (true: a status other than 0 is an error), `progress` (false; true: each line of output is
    /// shown as what goes on now, for commands that take minutes).
    ///
    /// # Example
    /// ```rhai
    /// local().run("cat >/dev/null", #{ stdin: secret("correct horse") });
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
        // In a plan, too, which sends nothing.
        if context.run.secrets().reveal(command).is_some() {
            return Err(fail(&call, joined_with_secret(command)));
        }
        let event = Event::Command { host: host.name().to_owned(), command: command.to_owned(), planned };
        context.run.report().emit(event);
        if planned {
            return Ok(Output::default());
        }
        let script = settings.script(Live::Output);
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
        let script = settings.script(Live::Silent);
        block(&call, &context, async {
            if settings.check { host.check(command, &script).await } else { host.script(command, &script).await }
        })
    }

    /// Reboots the host and waits until it is back with another boot id; the connection, tunnels and locks are made again.
    /// With `--plan` it is only shown. A failure if it isn't back within five minutes.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let host = ssh::connect("master");
    /// host.reboot();
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn reboot(call: NativeCallContext, host: &mut Host) -> Result<(), Box<EvalAltResult>> {
        reboot_with(call, host, Map::new())
    }

    /// Reboots the host. Options: `timeout` in seconds (300) until it must be back.
    ///
    /// # Example
    /// ```rhai,no_run
    /// ssh::connect("master").reboot(#{ timeout: 120 });
    /// ```
    #[rhai_fn(global, name = "reboot", return_raw, pure)]
    pub fn reboot_with(call: NativeCallContext, host: &mut Host, settings: Map) -> Result<(), Box<EvalAltResult>> {
        let settings: Reboot = options(&call, settings)?;
        block(&call, &context(&call), host.reboot(settings.timeout.0))
    }

    /// Keeps other runs that ask for the same lock away from the host until this run ends, however it ends. An error that
    /// says who holds it, if another run does. With `--plan` it only warns.
    ///
    /// # Example
    /// ```rhai,no_run
    /// ssh::connect("master").lock("k3srun");
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn lock(call: NativeCallContext, host: &mut Host, name: &str) -> Result<(), Box<EvalAltResult>> {
        let script = call.call_source().unwrap_or("a script").to_owned();
        block(&call, &context(&call), host.lock(name, &script))
    }

    /// Gives you a shell on the host at your terminal, as root, until you leave it. Returns its exit status.
    ///
    /// # Example
    /// ```rhai,no_run
    /// ssh::connect("master").shell();
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn shell(call: NativeCallContext, host: &mut Host) -> Result<i64, Box<EvalAltResult>> {
        block(&call, &context(&call), host.interactive(None)).map(i64::from)
    }

    /// Runs a command at your terminal, as root on the host: for an editor, `journalctl -f` and the like. Returns its exit
    /// status.
    ///
    /// # Example
    /// ```rhai,no_run
    /// ssh::connect("master").interactive("journalctl -fu k3s");
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn interactive(call: NativeCallContext, host: &mut Host, command: &str) -> Result<i64, Box<EvalAltResult>> {
        block(&call, &context(&call), host.interactive(Some(command))).map(i64::from)
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

    /// The host's name.
    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn host_text(host: &mut Host) -> String {
        host.name().to_owned()
    }

    /// Standard output.
    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn output_text(output: &mut Output) -> String {
        output.text()
    }
}
