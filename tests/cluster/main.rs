//! The main job on two real machines: `scripts/bootstrap.rhai`, from fresh hosts to a verified cluster and back from a reboot.
//!
//! The machines are made by `scripts/lab.rhai`, as a user would make them, and are shared by the tests below, which run in
//! this order. `K3SRUN_TEST_K3S` names another k3s executable to test with (`lab.rhai up --k3s`).

mod broken;
mod contract;
mod journey;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use support::lab::Lab;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let parts = [journey::trials(), contract::trials(), broken::trials(), journey::last_trials()];
    let trials: Vec<Trial> = parts.into_iter().flatten().collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    Lab::down_all();
    conclusion.exit_code()
}
