//! Hosts that have little (coreutils and sudo in Rust, no curl, wget, socat or Perl), and the newest Kubernetes on them.

use std::sync::LazyLock;

use libtest_mimic::Trial;

use crate::support::lab::{Lab, Step};
use crate::trial;

static LAB: LazyLock<Step<Lab>> = LazyLock::new(|| Lab::minimal("minimal", "1.37"));

static CLUSTER: LazyLock<Step> = LazyLock::new(|| lab()?.bootstrap(&[]).map(drop));

fn lab() -> Step<&'static Lab> {
    LAB.as_ref().map_err(Clone::clone)
}

fn cluster() -> Step<&'static Lab> {
    CLUSTER.clone().and_then(|()| lab())
}

/// Kubernetes 1.37 is built for these alone, which takes too long for every run.
pub fn trials() -> Vec<Trial> {
    [
        trial("minimal_hosts_become_a_cluster_with_kubernetes_1_37", || cluster().map(drop)),
        trial("a_second_run_on_minimal_hosts_changes_nothing", || cluster()?.bootstrap_changes_nothing()),
        trial("after_a_reboot_of_minimal_hosts_nothing_has_to_be_changed", reboot),
    ]
    .map(|trial| trial.with_ignored_flag(true))
    .into()
}

fn reboot() -> Step {
    let lab = cluster()?;
    lab.reboot("master")?;
    lab.reboot("worker")?;
    lab.bootstrap_changes_nothing()
}
