//! What the life of a cluster brings, on real machines: a backup, the loss of its data and of its master, another version; in
//! steps that may be cut off.

mod backup;
#[path = "../support/mod.rs"]
mod support;
mod upgrade;

use std::process::ExitCode;
use std::sync::LazyLock;

use libtest_mimic::{Arguments, Trial};

use support::lab::{Lab, Step};

/// A cluster of the older version, which all tests share; they run in their order.
static LAB: LazyLock<Step<Lab>> = LazyLock::new(|| {
    let lab = Lab::up("operations")?;
    lab.bootstrap(&[])?;
    Ok(lab)
});

fn lab() -> Step<&'static Lab> {
    LAB.as_ref().map_err(Clone::clone)
}

fn trial(name: &str, test: fn() -> Step) -> Trial {
    Trial::test(name, move || test().map_err(Into::into))
}

/// What was said as one line, since a terminal's width breaks it anywhere, and an error's frame is at each beginning.
fn one_line(said: &str) -> String {
    said.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let trials = [backup::trials(), upgrade::trials()].into_iter().flatten().collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    Lab::down_all();
    conclusion.exit_code()
}
