//! What the functions of a script share: the run, the async runtime, the settings from the command line.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::{FnPtr, NativeCallContext};
use tokio::runtime::Handle;

use super::phases::Phases;
use super::sources::Sources;
use crate::host::Connections;
use crate::run::Run;

/// What the command line says to a script.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What follows the script's name.
    pub args: Vec<String>,
    /// The `cluster.toml` of `-c`.
    pub config: Option<PathBuf>,
    /// The `key=value` of `--set`.
    pub sets: Vec<String>,
    /// The folder whose files stand in for those of the standard library.
    pub stdlib: Option<PathBuf>,
    /// Answer every question with yes.
    pub yes: bool,
    /// Whether a person is there to answer questions.
    pub interactive: bool,
}

/// The state behind the functions of one script.
pub struct Context {
    /// The run.
    pub run: Run,
    /// Where async work goes.
    pub runtime: Handle,
    /// From the command line.
    pub settings: Settings,
    /// Which phases run.
    pub phases: Phases,
    /// The hosts that the script is connected to.
    pub connections: Connections,
    /// The texts of all scripts, for error messages.
    pub sources: Sources,
    inputs: Mutex<Inputs>,
    exit_status: Mutex<Option<u8>>,
    handlers: Mutex<Vec<ExitHandler>>,
}

/// What one playbook is given, and a playbook that it plays may be given differently.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The `cluster.toml`.
    pub config: Option<PathBuf>,
    /// What `args()` returns.
    pub args: Vec<String>,
}

/// A closure to be called when the script has ended.
// Rhai marks what it may still change as deprecated; our version of it is pinned.
#[allow(deprecated)]
pub struct ExitHandler {
    /// Its name in reports.
    pub name: String,
    /// What to call.
    pub call: FnPtr,
    /// The imports that it sees.
    pub scope: rhai::NativeCallContextStore,
}

impl Context {
    /// The state for a script. Async work goes to `runtime`, which must be a multi-threaded one.
    pub fn new(run: Run, runtime: Handle, settings: Settings, phases: Phases) -> Arc<Self> {
        let inputs = Mutex::new(Inputs { config: settings.config.clone(), args: settings.args.clone() });
        Arc::new(Context {
            run,
            runtime,
            settings,
            phases,
            connections: Connections::default(),
            sources: Sources::default(),
            inputs,
            exit_status: Mutex::default(),
            handlers: Mutex::default(),
        })
    }

    /// The exit status that the script asked for.
    pub fn exit_status(&self) -> Option<u8> {
        *lock(&self.exit_status)
    }

    /// Remembers the exit status that the script asks for.
    pub fn set_exit_status(&self, status: u8) {
        *lock(&self.exit_status) = Some(status);
    }

    /// What the playbook that runs now was given.
    pub fn inputs(&self) -> Inputs {
        lock(&self.inputs).clone()
    }

    /// Gives another playbook its inputs; returns those that were there before.
    pub(super) fn replace_inputs(&self, inputs: Inputs) -> Inputs {
        std::mem::replace(&mut lock(&self.inputs), inputs)
    }

    /// Remembers what to call at the end.
    pub fn add_exit_handler(&self, handler: ExitHandler) {
        lock(&self.handlers).push(handler);
    }

    /// Takes the handlers, the last one added first.
    pub fn take_exit_handlers(&self) -> Vec<ExitHandler> {
        let mut handlers = std::mem::take(&mut *lock(&self.handlers));
        handlers.reverse();
        handlers
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The context of the script that calls a native function.
pub fn context(call: &NativeCallContext) -> Arc<Context> {
    match call.tag().cloned().and_then(rhai::Dynamic::try_cast::<Arc<Context>>) {
        Some(context) => context,
        // The engine is only ever made by `engine()`, which sets the tag.
        None => unreachable!("an engine without its context"),
    }
}
