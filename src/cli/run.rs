//! Runs a script from its text to the exit status.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rhai::{Dynamic, EvalAltResult};
use tokio::runtime::Runtime;

use super::args::Args;
use super::display::{self, Display, color, error_text, tell};
use super::mistakes;
use super::source::Source;
use crate::bindings;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::repl::{self, Evaluator, Manner, Start};
use crate::report::{Event, Level};
use crate::run::{Mode, Run};
use crate::script::{self, Context, Explainer, Phases, Program, Settings};

/// Scripts recurse on this stack: up to 80 KB a call level in a debug build, 128 levels.
const STACK: usize = 64 << 20;

/// Runs what the command line asks for.
pub fn run(args: &Args) -> ExitCode {
    let source = Source::read(args);
    if let (Ok(source), [word]) = (&source, args.script_args())
        && ["-h", "--help"].contains(&word.as_str())
        && !source.outline.takes_arguments
    {
        return match display::print(&source.introduction()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tell(&error_text(&error, color(args.color)));
                ExitCode::from(error.kind.exit_status())
            }
        };
    }
    let source = source.and_then(|source| mistakes::refuse(args, &source).map(|()| source));
    let display = Display::new(args, source.is_ok());
    let outcome = source.and_then(|source| start(args, &source, &display));
    let status = outcome.unwrap_or_else(|error| {
        display.report.emit(failed(&error, None, error_text(&error, display.color)));
        error.kind.exit_status()
    });
    ExitCode::from(match display.written() {
        Err(error) if status == 0 => {
            tell(&error_text(&error, display.color));
            error.kind.exit_status()
        }
        _ => status,
    })
}

fn start(args: &Args, source: &Source, display: &Display) -> Result<u8> {
    let report = &display.report;
    let start = Instant::now();
    let runtime = Runtime::new().map_err(|error| Error::refused(format!("can't start: {error}")))?;
    let run = Run::new(report.clone(), if args.plan { Mode::Plan } else { Mode::Apply });
    let interactive = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let settings = Settings {
        stdlib: args.stdlib.clone(),
        args: args.script_args().to_vec(),
        config: args.config.clone(),
        sets: args.sets.clone(),
        yes: args.yes,
        interactive,
    };
    let phases = Phases::new(args.only.clone(), args.skip.clone(), args.from.clone());
    let context = Context::new(run.clone(), runtime.handle().clone(), settings, phases);
    stop_on_signals(&runtime, &run, source.is_typed);
    report.emit(Event::RunStarted { script: source.id.clone(), plan: args.plan });
    let thread = std::thread::Builder::new().name("script".into()).stack_size(STACK);
    let (prompt, evaluator) = match source.is_typed {
        true => Some(repl::sides(prompt_start(args, &context, display.color))).unzip(),
        false => (None, None),
    };
    let status = std::thread::scope(|scope| {
        let evaluate = || evaluate(&context, source, evaluator, display.color);
        let thread =
            thread.spawn_scoped(scope, evaluate).map_err(|error| Error::refused(format!("can't start: {error}")))?;
        if let Some(prompt) = prompt {
            prompt.converse(&bindings::catalog(), run.secrets())?;
        }
        thread.join().map_err(|_| Error::script("k3srun itself failed; please report it with the run log"))
    })?;
    runtime.block_on(run.settled());
    runtime.block_on(context.connections.close());
    let tally = report.tally();
    report.emit(Event::RunFinished {
        status,
        plan: args.plan,
        changed: tally.changed,
        ok: tally.ok,
        failed: tally.failed,
        seconds: start.elapsed().as_secs_f64(),
        log: display.log.as_ref().map(|path| path.display().to_string()),
    });
    runtime.shutdown_background();
    Ok(status)
}

/// Evaluates the script, then its exit handlers. Returns the exit status.
fn evaluate(context: &Arc<Context>, source: &Source, evaluator: Option<Evaluator>, color: bool) -> u8 {
    let sources = &context.sources;
    let mut engine = script::engine(context, source.folders.clone());
    bindings::register(&mut engine);
    let result = match evaluator {
        Some(evaluator) => {
            evaluator.serve(context, &engine, |error| {
                report_failure(context, source, error, color);
            });
            Ok(Dynamic::UNIT)
        }
        None => Program::compile(&engine, sources, &source.id, &source.text).and_then(|program| program.run(&engine)),
    };
    let status = match result {
        Ok(value) => {
            if source.prints_value && !value.is_unit() {
                let text = script::text_of(&engine, value.clone()).unwrap_or_else(|_| value.to_string());
                context.run.report().emit(Event::Print { text });
            }
            context.exit_status().unwrap_or(0)
        }
        Err(error) => report_failure(context, source, &error, color),
    };
    let status = if status == 0 { report_missed_phase(context, source, color) } else { status };
    context.run.renew();
    let mut worst = status;
    for handler in context.take_exit_handlers() {
        // Rhai marks what it may still change as deprecated; our version of it is pinned.
        #[allow(deprecated)]
        let call = handler.scope.create_context(&engine);
        if let Err(error) = handler.call.call_within_context::<rhai::Dynamic>(&call, ()) {
            context.run.report().note(Level::Error, format!("the exit handler `{}` failed", handler.name));
            let status = report_failure(context, source, &error, color);
            worst = if worst == 0 { status } else { worst };
        }
    }
    worst
}

/// Where a prompt starts: changes are asked about, unless the command line says otherwise.
fn prompt_start(args: &Args, context: &Context, color: bool) -> Start {
    let file = context.inputs().config.unwrap_or_else(|| PathBuf::from("cluster.toml"));
    let cluster = match file.is_file().then(|| Config::load(&file, &args.sets)) {
        Some(Ok(config)) => Some(config.cluster.name),
        Some(Err(problems)) => {
            let error = Error::from(problems);
            context.run.report().note(Level::Warning, format!("{} is left aside: {error}", file.display()));
            None
        }
        None => None,
    };
    let manner = match (args.plan, args.yes) {
        (true, _) => Manner::Plan,
        (false, true) => Manner::Apply,
        (false, false) => Manner::Ask,
    };
    Start { manner, cluster, color }
}

fn report_failure(context: &Context, source: &Source, error: &EvalAltResult, color: bool) -> u8 {
    let (main, sources, folders) = (&source.id, &context.sources, &source.folders);
    let mut failure = Explainer { main, sources, folders, catalog: &bindings::catalog() }.explain(error);
    // Before long lines are broken: a secret in two pieces would not be recognised any more.
    context.run.secrets().mask_error(&mut failure.error);
    let rendered = script::render(sources, main, error, &failure, color);
    context.run.report().emit(failed(&failure.error, Some(failure.at), rendered));
    failure.error.kind.exit_status()
}

/// A phase that the command line names and that nobody knew before could still have come.
fn report_missed_phase(context: &Context, source: &Source, color: bool) -> u8 {
    let missed =
        context.phases.missed().into_iter().find(|name| !source.outline.phases.iter().any(|known| known == name));
    let Some(name) = missed else { return 0 };
    let error = mistakes::no_phase(name, &context.phases.met());
    context.run.report().emit(failed(&error, None, error_text(&error, color)));
    error.kind.exit_status()
}

fn failed(error: &Error, at: Option<String>, rendered: String) -> Event {
    Event::Failed {
        kind: error.kind.name().to_owned(),
        message: error.message.clone(),
        host: error.host.clone(),
        at,
        help: error.help.clone(),
        output: error.output.clone(),
        rendered,
    }
}

/// The first Ctrl-C, SIGTERM or SIGHUP (the terminal was closed) ends the run in an orderly way, the second one at once; two within
/// a moment are one, as when a terminal and a supervisor send theirs. Where the user types, Ctrl-C only ends the evaluation of an
/// input.
fn stop_on_signals(runtime: &Runtime, run: &Run, typed: bool) {
    use tokio::signal::unix::{SignalKind, signal};
    let run = run.clone();
    runtime.spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        // Where it is ignored, as with nohup, it stays so.
        let mut hangup = (!is_ignored(HANGUP)).then(|| signal(SignalKind::hangup()).ok()).flatten();
        let mut hung_up = async || match &mut hangup {
            Some(hangup) => hangup.recv().await,
            None => std::future::pending().await,
        };
        let mut before: Option<Instant> = None;
        loop {
            let terminated = tokio::select! {
                _ = interrupt.recv() => if run.terminal_is_handed_over() { continue } else { false },
                _ = terminate.recv() => true,
                _ = hung_up() => true,
            };
            if typed && !terminated {
                run.cancel().cancel();
                continue;
            }
            if before.is_some_and(|before| before.elapsed() < MOMENT) {
                continue;
            }
            if before.is_some() || typed {
                std::process::exit(130);
            }
            before = Some(Instant::now());
            run.report().note(Level::Warning, "stopping; once more to quit at once");
            run.cancel().cancel();
        }
    });
}

/// Signals so close to each other have one cause.
const MOMENT: Duration = Duration::from_millis(300);

/// The number of SIGHUP.
const HANGUP: u32 = 1;

/// Whether whoever started us wants a signal to be ignored. Where the kernel doesn't tell, nobody does.
fn is_ignored(signal: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 << (signal - 1) != 0)
}
