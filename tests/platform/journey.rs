//! From fresh machines to a cluster with everything on it.

use std::sync::LazyLock;

use libtest_mimic::Trial;

use crate::support::lab::{Lab, Step};

/// Two machines whose cluster.toml asks for the whole platform.
static LAB: LazyLock<Step<Lab>> = LazyLock::new(|| Lab::with_platform("platform"));

/// Bootstraps them when first asked for, so that each test can be run alone.
static PLATFORM: LazyLock<Step> = LazyLock::new(|| lab()?.bootstrap(&[]).map(drop));

/// The machines that all tests here share.
pub fn lab() -> Step<&'static Lab> {
    LAB.as_ref().map_err(Clone::clone)
}

/// The same with the whole platform on them.
pub fn platform() -> Step<&'static Lab> {
    PLATFORM.clone().and_then(|()| lab())
}

/// A test of a name.
pub fn trial(name: &str, test: fn() -> Step) -> Trial {
    Trial::test(name, move || test().map_err(Into::into))
}

/// Before there is a cluster.
pub fn first_trials() -> Vec<Trial> {
    vec![trial("a_plan_on_fresh_hosts_names_what_would_be_installed", plan)]
}

fn plan() -> Step {
    let said = lab()?.bootstrap(&["--plan"])?;
    let expected =
        ["would install Traefik", "would install cert-manager", "would install Prometheus", "would deploy the apps"];
    match expected.iter().find(|text| !said.contains(**text)) {
        None => Ok(()),
        Some(missing) => Err(format!("the plan doesn't say {missing:?}:\n{said}")),
    }
}

/// What a user sees first.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("bootstrap_ends_with_everything_on_the_cluster", || platform().map(drop)),
        trial("a_second_run_changes_nothing", || platform()?.second_run(&[("master", 2, 14), ("worker", 2, 9)])),
        trial("verify_passes", verify),
    ]
}

fn verify() -> Step {
    let (status, said) = platform()?.verify(&[], &[])?;
    if status == 0 && said.contains("17 checks passed") { Ok(()) } else { Err(said) }
}
