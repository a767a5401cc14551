//! Runs a script from its text to the exit status.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::ColorChoice;
use tokio::runtime::Runtime;

use super::args::{Args, OutputFormat};
use crate::bindings;
use crate::error::{Error, Result};
use crate::report::{Event, Json, Level, Plain, Pretty, Report, RunLog, Sink};
use crate::run::{Mode, Run};
use crate::script::{self, Context, Folders, Phases, Program, Settings};

/// Scripts recurse on this stack: up to 80 KB a call level in a debug build, 128 levels.
const STACK: usize = 64 << 20;

/// A script's text and where it came from.
struct Source {
    id: String,
    text: String,
    folder: Option<PathBuf>,
    print: bool,
}

/// Runs what the command line asks for.
pub fn run(args: Args) -> ExitCode {
    finish(script(&args, color(&args)))
}

/// The exit status; an error is shown.
pub fn finish(outcome: Result<ExitCode>) -> ExitCode {
    match outcome {
        Ok(status) => status,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(help) = &error.help {
                eprintln!("  help: {help}");
            }
            ExitCode::from(error.kind.exit_status())
        }
    }
}

fn script(args: &Args, color: bool) -> Result<ExitCode> {
    let (report, log) = report(args);
    let source = source(args)?;
    start(args, source, &report, log.as_deref(), color).map(ExitCode::from)
}

fn source(args: &Args) -> Result<Source> {
    if let Some(text) = &args.eval {
        return Ok(Source { id: "<expression>".into(), text: text.clone(), folder: None, print: true });
    }
    let Some(name) = args.script().map(str::to_owned) else {
        return Err(Error::refused("what should run?").help("k3srun SCRIPT; see k3srun --help"));
    };
    if name == "-" {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        read.map_err(|error| Error::refused(format!("can't read the script from standard input: {error}")))?;
        return Ok(Source { id: "<stdin>".into(), text, folder: None, print: false });
    }
    let text = std::fs::read_to_string(&name).map_err(|error| {
        Error::refused(format!("can't read the script {name}: {error}")).help("see k3srun --help for how to start one")
    })?;
    let folder = Path::new(&name).parent().map(Path::to_path_buf);
    Ok(Source { id: name, text, folder, print: false })
}

/// Whether to use colours.
pub fn color(args: &Args) -> bool {
    match args.color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    }
}

fn report(args: &Args) -> (Report, Option<PathBuf>) {
    let least = match (args.quiet, args.verbose) {
        (true, _) => Level::Warning,
        (_, 0) => Level::Info,
        (_, 1) => Level::Detail,
        _ => Level::Debug,
    };
    let format = args.output.unwrap_or_else(|| match std::io::stderr().is_terminal() {
        true => OutputFormat::Pretty,
        false => OutputFormat::Plain,
    });
    let mut sinks: Vec<Box<dyn Sink>> = vec![match format {
        OutputFormat::Pretty => Box::new(Pretty::new(least)),
        OutputFormat::Plain => Box::new(Plain::new(std::io::stdout(), std::io::stderr(), least)),
        OutputFormat::Json => Box::new(Json(std::io::stdout())),
    }];
    let log = log_folder().and_then(|folder| RunLog::create(&folder).ok());
    let path = log.as_ref().map(|log| log.path().to_owned());
    if let Some(log) = log {
        sinks.push(Box::new(log));
    }
    (Report::new(sinks), path)
}

fn log_folder() -> Option<PathBuf> {
    let state = match std::env::var_os("XDG_STATE_HOME") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => PathBuf::from(std::env::var_os("HOME")?).join(".local/state"),
    };
    Some(state.join("k3srun/runs"))
}

fn start(args: &Args, source: Source, report: &Report, log: Option<&Path>, color: bool) -> Result<u8> {
    let start = Instant::now();
    let runtime = Runtime::new().map_err(|error| Error::refused(format!("can't start: {error}")))?;
    let run = Run::new(report.clone(), if args.plan { Mode::Plan } else { Mode::Apply });
    let interactive = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let settings = Settings {
        args: args.script_args().to_vec(),
        config: args.config.clone(),
        sets: args.sets.clone(),
        yes: args.yes,
        interactive,
    };
    let phases = Phases::new(args.only.clone(), args.skip.clone(), args.from.clone());
    let context = Context::new(run.clone(), runtime.handle().clone(), settings, phases);
    stop_on_signals(&runtime, &run);
    report.emit(Event::RunStarted { script: source.id.clone(), plan: args.plan });
    let folders =
        Folders { overrides: args.stdlib.iter().cloned().collect(), beside: source.folder.iter().cloned().collect() };
    let thread = std::thread::Builder::new().name("script".into()).stack_size(STACK);
    let status = std::thread::scope(|scope| {
        let evaluate = || evaluate(&context, &source, folders, color);
        let thread =
            thread.spawn_scoped(scope, evaluate).map_err(|error| Error::refused(format!("can't start: {error}")))?;
        thread.join().map_err(|_| Error::script("k3srun itself failed; please report it with the run log"))
    })?;
    runtime.block_on(context.connections.close());
    let tally = report.tally();
    report.emit(Event::RunFinished {
        status,
        plan: args.plan,
        changed: tally.changed,
        ok: tally.ok,
        failed: tally.failed,
        seconds: start.elapsed().as_secs_f64(),
        log: log.map(|path| path.display().to_string()),
    });
    runtime.shutdown_background();
    Ok(status)
}

/// Evaluates the script, then its exit handlers. Returns the exit status.
fn evaluate(context: &Arc<Context>, source: &Source, folders: Folders, color: bool) -> u8 {
    let sources = &context.sources;
    let mut engine = script::engine(context, folders);
    bindings::register(&mut engine);
    let result = Program::compile(&engine, sources, &source.id, &source.text).and_then(|program| program.run(&engine));
    let status = match result {
        Ok(value) => {
            if source.print && !value.is_unit() {
                context.run.report().emit(Event::Print { text: value.to_string() });
            }
            0
        }
        Err(error) => report_failure(context, &source.id, &error, color),
    };
    context.run.renew();
    let mut worst = status;
    for handler in context.take_exit_handlers() {
        // Rhai marks what it may still change as deprecated; our version of it is pinned.
        #[allow(deprecated)]
        let call = handler.scope.create_context(&engine);
        if let Err(error) = handler.call.call_within_context::<rhai::Dynamic>(&call, ()) {
            context.run.report().note(Level::Error, format!("the exit handler `{}` failed", handler.name));
            let status = report_failure(context, &source.id, &error, color);
            worst = if worst == 0 { status } else { worst };
        }
    }
    worst
}

fn report_failure(context: &Context, main: &str, error: &rhai::EvalAltResult, color: bool) -> u8 {
    let failure = script::failure_of(error);
    context.run.report().emit(Event::Failed {
        kind: failure.error.kind.name().to_owned(),
        message: failure.error.message.clone(),
        host: failure.error.host.clone(),
        at: Some(failure.at.clone()),
        help: failure.error.help.clone(),
        rendered: script::render(&context.sources, main, error, color),
    });
    failure.error.kind.exit_status()
}

/// The first Ctrl-C or SIGTERM ends the run in an orderly way, the second one at once.
fn stop_on_signals(runtime: &Runtime, run: &Run) {
    use tokio::signal::unix::{SignalKind, signal};
    let run = run.clone();
    runtime.spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        let mut before = false;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if before {
                std::process::exit(130);
            }
            before = true;
            run.report().note(Level::Warning, "stopping; once more to quit at once");
            run.cancel().cancel();
        }
    });
}
