//! The firewall, seen from outside: packets decide, not rules.
//!
//! Four labs stand side by side: a cluster, on which everything that k3srun opens and closes is tried packet by packet from
//! five places, and six plain hosts, on which one is locked out in every way that we could think of. All tests start at
//! once; what they wait for is a host.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod boot;
mod cluster;
mod hosts;
mod knocks;
mod lockout;
mod neighbours;
mod strangers;
mod table;
mod traffic;
mod watch;
mod way_in;
mod witness;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use support::lab::{Lab, Step};
use support::{place, scan};

fn trial(name: &str, test: impl FnOnce() -> Step + Send + 'static) -> Trial {
    Trial::test(name, move || test().map_err(Into::into))
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let parts = [
        table::trials(),
        strangers::trials(),
        traffic::trials(),
        boot::trials(),
        watch::trials(),
        lockout::trials(),
        neighbours::trials(),
    ];
    let trials: Vec<Trial> = parts.into_iter().flatten().collect();
    arguments.test_threads.get_or_insert(trials.len());
    let conclusion = libtest_mimic::run(&arguments, trials);
    Lab::down_all();
    conclusion.exit_code()
}
