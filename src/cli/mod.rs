//! How a person or a CI job starts k3srun.

mod args;
mod run;

use std::process::ExitCode;

use clap::Parser as _;

use args::Args;

/// Parses the command line, does what it says, and returns the exit status.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Printing help to a closed pipe is no failure.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    run::run(args)
}
