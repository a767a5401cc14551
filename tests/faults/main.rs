//! "Finished by running it again": bootstrap may die at any moment, and the next run finishes the job.
//!
//! Each round makes a fresh lab, starts bootstrap, and at a random moment does something bad to it. What becomes of that run
//! is limited by [`fault::Expected`]; the next run must succeed, the one after that must change nothing, and nothing of
//! dead runs may be left anywhere. Every kind of fault has its turn; `K3SRUN_FAULTS=100` makes that many rounds. All is
//! decided by a seed, which is printed. Without `K3SRUN_FAULT_SEED=N` it is always the same one: what fails here must not depend
//! on luck. Other seeds are for looking for more.

mod bootstrap;
mod cases;
mod fault;
mod leftovers;
mod round;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use fault::Kind;
use support::chance::Chance;
use support::lab::Lab;

const SEED: u64 = 1;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let seed = number("K3SRUN_FAULT_SEED").unwrap_or(SEED);
    let rounds = number("K3SRUN_FAULTS").unwrap_or(Kind::ALL.len() as u64);
    println!("K3SRUN_FAULT_SEED={seed} repeats these {rounds} rounds");
    let trials: Vec<Trial> = cases::trials().into_iter().chain(random(seed, rounds)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    Lab::down_all();
    conclusion.exit_code()
}

/// The rounds: all kinds in a random order, again and again.
fn random(seed: u64, rounds: u64) -> impl Iterator<Item = Trial> {
    let mut chance = Chance::new(seed);
    let mut kinds = Vec::new();
    (1..=rounds).map(move |number| {
        if kinds.is_empty() {
            kinds = chance.shuffled(&Kind::ALL);
        }
        let kind = kinds.pop().unwrap_or(Kind::KillRun);
        let mut chance = chance.fork();
        Trial::test(format!("round_{number:03}_{}", kind.name()), move || {
            round::round(number, kind, &mut chance).map_err(|error| {
                // Told at once: a hundred rounds take hours.
                println!("K3SRUN_FAULT_SEED={seed}, round {number}: {error}");
                error.into()
            })
        })
    })
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text}")))
}
