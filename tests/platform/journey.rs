//! From fresh machines to a cluster with everything on it.

use std::sync::LazyLock;

use libtest_mimic::Trial;

use crate::support::lab::{Lab, Step};

/// The lab with the whole platform; bootstrapped when first asked for, so that each test can be run alone.
static PLATFORM: LazyLock<Step<Lab>> = LazyLock::new(|| {
    let lab = Lab::with_platform("platform")?;
    lab.bootstrap(&[])?;
    Ok(lab)
});

/// The lab that all tests here share, with the whole platform on it.
pub fn platform() -> Step<&'static Lab> {
    PLATFORM.as_ref().map_err(Clone::clone)
}

/// A test of a name.
pub fn trial(name: &str, test: fn() -> Step) -> Trial {
    Trial::test(name, move || test().map_err(Into::into))
}

pub fn trials() -> Vec<Trial> {
    vec![
        trial("bootstrap_ends_with_everything_on_the_cluster", || platform().map(drop)),
        trial("a_second_run_changes_nothing", || platform()?.bootstrap_changes_nothing()),
    ]
}
