//! How a person or a CI job starts k3srun.

mod args;
mod check;
mod run;
mod words;

use std::process::ExitCode;

use args::{Args, Command};

/// Parses the command line, does what it says, and returns the exit status.
pub fn main() -> ExitCode {
    let args = match Args::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(error) => {
            // Printing help to a closed pipe is no failure.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let color = run::color(&args);
    match &args.command {
        Some(Command::Check { paths }) => return run::finish(check::run(paths, args.stdlib.as_slice(), color)),
        Some(Command::Completions { shell }) => Args::print_completions(*shell),
        None => return run::run(args),
    }
    ExitCode::SUCCESS
}
