//! Secrets: in no argument list, no log, no plan, no error, no history, no core dump, and in no file that others may read.
//!
//! Every test looks for the actual values, in every form that they may take, in everything that a run leaves behind; a sampler
//! reads the arguments and environments of all processes of this machine, and so of the lab's hosts, while it runs. The
//! controls show that both do find what is there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arguments;
mod cluster;
mod controls;
mod memory;
mod needles;
mod prompt;
mod sampler;
mod scripts;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use support::lab::Lab;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let parts = [
        controls::trials(),
        scripts::trials(),
        arguments::trials(),
        prompt::trials(),
        memory::trials(),
        cluster::trials(),
    ];
    let trials: Vec<Trial> = parts.into_iter().flatten().collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    Lab::down_all();
    conclusion.exit_code()
}

/// A test that fails by an error or by panicking.
fn trial(name: &str, test: fn() -> support::lab::Step) -> Trial {
    Trial::test(name, move || test().map_err(Into::into))
}
