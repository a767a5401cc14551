//! The main job on machines of other kinds than those that the other suites share: more workers than one, hosts that have
//! little, the newest Kubernetes. What takes longest is only run by `tests/all --full`.

mod minimal;
#[path = "../support/mod.rs"]
mod support;
mod workers;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use support::lab::{Lab, Step};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let conclusion = libtest_mimic::run(&arguments, workers::trials().into_iter().chain(minimal::trials()).collect());
    Lab::down_all();
    conclusion.exit_code()
}

/// A test of a name.
fn trial(name: &str, test: fn() -> Step) -> Trial {
    Trial::test(name, move || test().map_err(Into::into))
}
