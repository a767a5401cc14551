//! Bad hosts and bad networks: each case breaks something, runs what a user would run, and mends it again. It ends before
//! its deadline and says what was tried, where, the cause and the remedy; nothing is changed that need not be. Where the
//! right outcome is that it works all the same, that is what the case shows.
//!
//! The tables read like documentation: a row is a case. What a user sees of it is in `snapshots`. The machines are made by
//! `scripts/lab.rhai`; k3srun runs at the administrator's place in that lab, without anything between it and the hosts.

mod artifacts;
mod case;
mod k3s;
mod login;
mod machine;
mod network;
mod services;
mod ssh;
#[path = "../support/mod.rs"]
mod support;
mod transcript;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use support::lab::Lab;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let mut trials: Vec<Trial> = Vec::new();
    for (theme, cases) in [
        ("ssh", ssh::CASES),
        ("login", login::CASES),
        ("machine", machine::CASES),
        ("services", services::CASES),
        ("network", network::CASES),
        ("artifacts", artifacts::CASES),
        ("k3s", k3s::CASES),
    ] {
        trials.extend(cases.iter().map(|case| case.trial(theme)));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    Lab::down_all();
    conclusion.exit_code()
}
