//! How a run is shown: where to, in which form, in colour or not.

use std::io::{self, ErrorKind, IsTerminal as _, Write, stderr, stdout};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use clap::ColorChoice;

use super::args::{Args, OutputFormat};
use crate::error::{Error, Result};
use crate::report::{Harmless, Json, Level, Paint, Plain, Pretty, Report, RunLog, Sink};

/// The report of a run.
pub struct Display {
    /// What feeds terminal, pipe and log.
    pub report: Report,
    /// Where the run log is.
    pub log: Option<PathBuf>,
    /// Whether errors have colours.
    pub color: bool,
    output: Output,
}

impl Display {
    /// As the command line wants it. Without `logged` no run log is made: where nothing can run.
    pub fn new(args: &Args, logged: bool) -> Self {
        let color = color(args.color);
        let output = Output::default();
        let mut sinks = vec![sink(args, Paint(color), output.clone())];
        let log = logged.then(|| run_log(args));
        let (log, trouble) = match log {
            Some(Ok(log)) => {
                let path = log.path().to_owned();
                sinks.push(Box::new(log));
                (Some(path), None)
            }
            Some(Err(trouble)) => (None, Some(trouble)),
            None => (None, None),
        };
        let report = Report::new(sinks);
        if let Some(trouble) = trouble {
            report.note(Level::Warning, format!("this run has no log: {trouble}"));
        }
        Display { report, log, color, output }
    }

    /// Whether everything that went to standard output got there.
    ///
    /// # Errors
    /// Refused where something could not be written, to a full disk for example. A closed pipe ends the reader's interest, not
    /// the run.
    pub fn written(&self) -> Result<()> {
        match self.output.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(lost(&error)),
            None => Ok(()),
        }
    }
}

/// Standard output; it remembers the first failure to write to it.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Option<io::Error>>>);

impl Output {
    fn seen<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && ![ErrorKind::BrokenPipe, ErrorKind::Interrupted].contains(&error.kind())
        {
            let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| io::Error::new(error.kind(), error.to_string()));
        }
        result
    }
}

impl Write for Output {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.seen(stdout().write(data))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.seen(stdout().flush())
    }
}

fn lost(error: &io::Error) -> Error {
    Error::refused(format!("what was printed is incomplete: can't write to standard output: {error}"))
        .help("look at the space where the output goes")
}

/// Writes a text to standard output.
///
/// # Errors
/// Like [`Display::written`].
pub fn print(text: &str) -> Result<()> {
    match stdout().write_all(text.as_bytes()).and_then(|()| stdout().flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(lost(&error)),
        _ => Ok(()),
    }
}

/// The text of an error that no script made: it has no place in one.
pub fn error_text(error: &Error, color: bool) -> String {
    let remedy = error.help.iter().flat_map(|help| help.lines()).map(|line| format!("\n  help: {line}"));
    format!("{} {error}{}", Paint(color).bad("error:"), remedy.collect::<String>())
}

/// Writes a line to standard error.
pub fn tell(text: &str) {
    // A closed pipe ends the reader's interest; the exit status still says what happened.
    let _ = writeln!(stderr(), "{text}");
}

fn sink(args: &Args, paint: Paint, output: Output) -> Box<dyn Sink> {
    let least = match (args.quiet, args.verbose) {
        (true, _) => Level::Warning,
        (_, 0) => Level::Info,
        (_, 1) => Level::Detail,
        _ => Level::Debug,
    };
    let format = args.output.unwrap_or_else(|| match live_terminal() {
        true => OutputFormat::Pretty,
        false => OutputFormat::Plain,
    });
    match format {
        OutputFormat::Pretty => Box::new(Pretty::new(printed(output), stderr(), width, least, paint)),
        OutputFormat::Plain => Box::new(Plain::new(printed(output), stderr(), least, paint)),
        OutputFormat::Json => Box::new(Json(output)),
    }
}

/// Where what scripts print goes: to programs as it is, to a terminal without what drives it.
fn printed(output: Output) -> Box<dyn Write + Send> {
    if stdout().is_terminal() { Box::new(Harmless(output)) } else { Box::new(output) }
}

/// Whether to use colours.
pub fn color(choice: ColorChoice) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        // no-color.org: only a value that isn't empty counts.
        ColorChoice::Auto => live_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

/// A terminal that can do more than print.
fn live_terminal() -> bool {
    stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The terminal's columns.
fn width() -> usize {
    terminal_size::terminal_size_of(stderr()).map_or(80, |(width, _)| usize::from(width.0))
}

/// The log of a playbook; those of expressions and prompts have a folder of their own, so that they don't push it out.
fn run_log(args: &Args) -> std::result::Result<RunLog, String> {
    let state = match (std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME")) {
        (Some(folder), _) if !folder.is_empty() => PathBuf::from(folder),
        (_, Some(home)) if !home.is_empty() => PathBuf::from(home).join(".local/state"),
        _ => return Err("neither XDG_STATE_HOME nor HOME is set".to_owned()),
    };
    let folder = state.join(if args.script().is_some() { "k3srun/runs" } else { "k3srun/runs/ad-hoc" });
    RunLog::create(&folder).map_err(|error| format!("can't write to {}: {error}", folder.display()))
}
