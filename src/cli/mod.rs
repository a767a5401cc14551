//! How a person or a CI job starts k3srun.

mod args;
mod check;
mod display;
mod help;
mod memory;
mod mistakes;
mod run;
mod source;
mod words;

use std::io::ErrorKind;
use std::process::ExitCode;

use args::{Args, Command};
use display::{color, error_text};

use crate::error::{Error, Result};
use crate::script::write_playbooks;

/// Parses the command line, does what it says, and returns the exit status.
pub fn main() -> ExitCode {
    memory::close();
    let args = match Args::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(error) => {
            // Printing help to a closed pipe is no failure.
            let lost = error.print().is_err_and(|error| error.kind() != ErrorKind::BrokenPipe);
            return ExitCode::from(if error.use_stderr() || lost { 2 } else { 0 });
        }
    };
    let Some(command) = &args.command else { return run::run(&args) };
    perform(command, &args).unwrap_or_else(|error| {
        display::tell(&error_text(&error, color(args.color)));
        ExitCode::from(error.kind.exit_status())
    })
}

fn perform(command: &Command, args: &Args) -> Result<ExitCode> {
    match command {
        Command::Check { paths } => check::run(paths, args.stdlib.as_slice(), color(args.color)),
        Command::Help { name, markdown } => help::run(name.as_deref(), *markdown),
        Command::Playbooks { folder } => {
            write_playbooks(folder).map_err(|error| {
                Error::refused(format!("can't write the playbooks to {}: {error}", folder.display()))
                    .help("name a new folder")
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            display::print(&Args::completions(*shell))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
