//! The flow of a playbook: phases, parallel work, waiting, asking, telling.

use rhai::plugin::*;
use rhai::{Array, FnPtr};
use serde::Deserialize;

use crate::report::{Event, Level};
use crate::script::{Options, Seconds, context, current_item};

/// Options of `retry`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Retry {
    attempts: i64,
    delay: Seconds,
}

impl Options for Retry {
    const FUNCTIONS: &[&str] = &["retry"];
}

impl Default for Retry {
    fn default() -> Self {
        Retry { attempts: 3, delay: Seconds(std::time::Duration::from_secs(1)) }
    }
}

/// Options of `play`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Play {
    config: Option<std::path::PathBuf>,
    args: Vec<String>,
}

impl Options for Play {
    const FUNCTIONS: &[&str] = &["play"];
}

/// Tells the user something; inside `parallel`, about the item at hand.
fn say(call: &NativeCallContext, level: Level, text: &str) {
    let event = Event::Note { level, host: current_item(), text: text.to_owned() };
    context(call).run.report().emit(event);
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use std::io::{BufRead as _, Write as _};
    use std::time::Instant;

    use rhai::{Dynamic, EvalAltResult, Map};

    use super::{Play, Retry, say};
    use crate::error::Error;
    use crate::script::{self, block, context, fail, options};

    /// Runs a named part of the playbook and reports how it went. `--only`, `--skip` and `--from` select phases by name.
    ///
    /// # Example
    /// ```rhai
    /// phase("greet", || log("hello"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn phase(call: NativeCallContext, name: &str, body: FnPtr) -> Result<Dynamic, Box<EvalAltResult>> {
        let context = context(&call);
        let report = context.run.report();
        if !context.phases.wanted(name) {
            report.emit(Event::PhaseSkipped { phase: name.to_owned() });
            return Ok(Dynamic::UNIT);
        }
        report.emit(Event::PhaseStarted { phase: name.to_owned() });
        let start = Instant::now();
        let result = body.call_within_context(&call, ());
        let ok = result.as_ref().map_or_else(|error| matches!(error.unwrap_inner(), EvalAltResult::Exit(..)), |_| true);
        report.phase_finished(name, ok, start.elapsed());
        result
    }

    /// Calls the closure with every item at once, at most 16 at a time, and returns the results in order. The closure
    /// sees copies of the variables around it; only its return value comes back.
    ///
    /// # Example
    /// ```rhai
    /// let squares = parallel([1, 2, 3], |n| n * n);
    /// if squares != [1, 4, 9] { throw `${squares}` }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn parallel(call: NativeCallContext, items: Array, body: FnPtr) -> Result<Array, Box<EvalAltResult>> {
        script::parallel(&call, items, &body, 16)
    }

    /// Calls the closure when the script has ended, also after an error or Ctrl-C; the last one first.
    ///
    /// # Example
    /// ```rhai
    /// on_exit("say goodbye", || log("bye"));
    /// ```
    // Rhai marks what it may still change as deprecated; our version of it is pinned.
    #[allow(deprecated)]
    pub fn on_exit(call: NativeCallContext, name: &str, body: FnPtr) {
        let handler = script::ExitHandler { name: name.to_owned(), call: body, scope: call.store_data() };
        context(&call).add_exit_handler(handler);
    }

    /// Calls the closure until it succeeds. Options: `attempts` (3), `delay` in seconds (1) between them.
    ///
    /// # Example
    /// ```rhai
    /// let value = retry(#{ attempts: 2, delay: 0.01 }, || 42);
    /// if value != 42 { throw "no" }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn retry(call: NativeCallContext, settings: Map, body: FnPtr) -> Result<Dynamic, Box<EvalAltResult>> {
        let settings: Retry = options(&call, settings)?;
        let context = context(&call);
        let mut attempt = 1;
        loop {
            let error = match body.call_within_context(&call, ()) {
                Ok(value) => return Ok(value),
                Err(error) if attempt >= settings.attempts || !error.is_catchable() => return Err(error),
                Err(error) => error,
            };
            let text = format!("attempt {attempt} of {}: {}", settings.attempts, script::failure_of(&error));
            context.run.report().note(Level::Detail, text);
            attempt += 1;
            block(&call, &context, async {
                tokio::time::sleep(settings.delay.0).await;
                Ok(())
            })?;
        }
    }

    /// Plays another playbook as a part of this run. The path is relative to the script that asks. Options: `config` (its
    /// `cluster.toml`; by default that of this script) and `args` (what its args() returns; by default nothing).
    ///
    /// # Example
    /// ```rhai,no_run
    /// play("bootstrap.rhai", #{ config: "cluster.toml" });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn play(call: NativeCallContext, path: &str, settings: Map) -> Result<Dynamic, Box<EvalAltResult>> {
        let settings: Play = options(&call, settings)?;
        let config = settings.config.or_else(|| context(&call).inputs().config);
        script::play(&call, path, script::Inputs { config, args: settings.args })
    }

    /// Waits so many seconds; Ctrl-C ends it at once.
    ///
    /// # Example
    /// ```rhai
    /// sleep(0.01);
    /// ```
    #[rhai_fn(name = "sleep", return_raw)]
    pub fn sleep_float(call: NativeCallContext, seconds: f64) -> Result<(), Box<EvalAltResult>> {
        let Some(time) = crate::seconds::seconds(seconds) else {
            return Err(fail(
                &call,
                Error::script(format!("sleep(): {seconds} is not a number of seconds, up to a year")),
            ));
        };
        block(&call, &context(&call), async move {
            tokio::time::sleep(time).await;
            Ok(())
        })
    }

    /// Waits so many seconds; Ctrl-C ends it at once.
    ///
    /// # Example
    /// ```rhai
    /// sleep(0);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sleep(call: NativeCallContext, seconds: i64) -> Result<(), Box<EvalAltResult>> {
        sleep_float(call, seconds as f64)
    }

    /// Asks the user; `--yes` answers yes. Without a terminal and without `--yes` it is an error: nobody can answer.
    ///
    /// # Example
    /// ```rhai
    /// if plan_mode() || confirm("Go on?") { log("going on") }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn confirm(call: NativeCallContext, question: &str) -> Result<bool, Box<EvalAltResult>> {
        let context = context(&call);
        if context.settings.yes {
            return Ok(true);
        }
        if !context.settings.interactive {
            let error = Error::refused(format!("nobody is here to answer: {question}"));
            return Err(fail(&call, error.help("pass --yes to answer every question with yes")));
        }
        let question = format!("{} [y/N] ", context.run.report().presentable(question));
        let _paused = context.run.report().pause();
        block(&call, &context, async move {
            let answer = tokio::task::spawn_blocking(move || {
                let mut answer = String::new();
                eprint!("{question}");
                std::io::stderr().flush()?;
                std::io::stdin().lock().read_line(&mut answer)?;
                std::io::Result::Ok(answer)
            });
            match answer.await {
                Ok(Ok(answer)) => Ok(matches!(answer.trim(), "y" | "Y" | "yes")),
                _ => Err(Error::refused("can't read the answer from the terminal")),
            }
        })
    }

    /// An environment variable of k3srun itself, or `()`.
    ///
    /// # Example
    /// ```rhai
    /// let home = env("HOME");
    /// ```
    pub fn env(name: &str) -> Dynamic {
        std::env::var(name).map_or(Dynamic::UNIT, Dynamic::from)
    }

    /// An environment variable of k3srun itself, or the given default.
    ///
    /// # Example
    /// ```rhai
    /// let editor = env("EDITOR", "vi");
    /// ```
    #[rhai_fn(name = "env")]
    pub fn env_or(name: &str, default: &str) -> String {
        std::env::var(name).unwrap_or_else(|_| default.to_owned())
    }

    /// What follows the script's name on the command line.
    ///
    /// # Example
    /// ```rhai
    /// for arg in args() { log(arg) }
    /// ```
    #[rhai_fn(name = "args")]
    pub fn arguments(call: NativeCallContext) -> Array {
        context(&call).inputs().args.into_iter().map(Dynamic::from).collect()
    }

    /// Whether the run only says what it would change (`--plan`).
    ///
    /// # Example
    /// ```rhai
    /// if plan_mode() { log("nothing will be changed") }
    /// ```
    pub fn plan_mode(call: NativeCallContext) -> bool {
        context(&call).run.is_plan()
    }

    /// How many changes this run has made so far, or would make in a plan.
    ///
    /// # Example
    /// ```rhai
    /// if changes() == 0 { log("nothing had to be changed") }
    /// ```
    pub fn changes(call: NativeCallContext) -> i64 {
        context(&call).run.report().tally().changed.cast_signed()
    }

    /// Ends the script with an exit status from 0 to 255; what `on_exit` was given is still done. In a module or a closure,
    /// too.
    ///
    /// # Example
    /// ```rhai
    /// if env("HOME") == () { exit(2) }
    /// ```
    #[rhai_fn(name = "exit", return_raw)]
    pub fn exit(call: NativeCallContext, status: i64) -> Result<Dynamic, Box<EvalAltResult>> {
        let Ok(status) = u8::try_from(status) else {
            return Err(fail(&call, Error::script(format!("exit(): {status} is not an exit status")).help("0 to 255")));
        };
        context(&call).set_exit_status(status);
        Err(EvalAltResult::Exit(Dynamic::UNIT, call.call_position()).into())
    }

    /// Tells the user something. Inside `parallel` the line begins with the name of the host or item.
    ///
    /// # Example
    /// ```rhai
    /// log("two nodes are ready");
    /// ```
    pub fn log(call: NativeCallContext, text: &str) {
        say(&call, Level::Info, text);
    }

    /// Warns the user; shown with `-q`, too.
    ///
    /// # Example
    /// ```rhai
    /// warn("the clock of this host drifts");
    /// ```
    pub fn warn(call: NativeCallContext, text: &str) {
        say(&call, Level::Warning, text);
    }

    /// Ends the script, or the enclosing `try`, with an error of the user's making: exit status 2.
    ///
    /// # Example
    /// ```rhai
    /// try { fail("the disk is too small") } catch (e) { if e.kind != "refused" { throw e } }
    /// ```
    #[rhai_fn(name = "fail", return_raw)]
    pub fn fail_with(call: NativeCallContext, text: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        Err(fail(&call, Error::refused(text)))
    }

    /// Ends the script with an error and says what to do about it.
    ///
    /// # Example
    /// ```rhai
    /// try { fail("the disk is too small", "rent a larger one") } catch (e) { if e.help == "" { throw e } }
    /// ```
    #[rhai_fn(name = "fail", return_raw)]
    pub fn fail_with_help(call: NativeCallContext, text: &str, help: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        Err(fail(&call, Error::refused(text).help(help)))
    }
}
