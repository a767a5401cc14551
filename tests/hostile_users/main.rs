//! What a user of a host can do to have root read, change or give away something that isn't the user's: plant links, pipes and
//! folders, swap them at the worst moment, and lead root astray through folders that the user owns. Nothing of it may work, and
//! an error that comes of it names the path and the reason.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacker;
mod loose;
mod plants;
mod scene;
mod siege;
#[path = "../support/mod.rs"]
mod support;
mod trust;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if let [_, word, folders @ ..] = words.as_slice()
        && word == attacker::WORD
    {
        attacker::attack(folders);
    }
    let arguments = Arguments::from_args();
    let parts = [plants::trials(), loose::trials(), trust::trials(), siege::trials()];
    libtest_mimic::run(&arguments, parts.into_iter().flatten().collect()).exit_code()
}

/// Tests that fail by panicking.
fn trials(tests: &[(&str, fn())]) -> Vec<Trial> {
    tests
        .iter()
        .map(|(name, test)| {
            let test = *test;
            Trial::test(*name, move || {
                test();
                Ok(())
            })
        })
        .collect()
}
