//! What the life of a cluster brings, on real machines: another version, in steps that may be cut off.

#[path = "../support/mod.rs"]
mod support;
mod upgrade;

use std::process::ExitCode;

use libtest_mimic::Arguments;

use support::lab::Lab;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let conclusion = libtest_mimic::run(&arguments, upgrade::trials());
    Lab::down_all();
    conclusion.exit_code()
}
