//! The cluster's API, used as scripts use it. Each test is a script of `tests/platform/kube`, which fails where something is
//! not so.

use libtest_mimic::Trial;

use crate::journey::{platform, trial};
use crate::support::lab::{Step, k3srun};
use crate::support::said;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("kube::objects_of_any_kind_are_applied_patched_shown_and_watched", || script("objects")),
        trial("kube::refusals_can_be_told_apart", || script("refusals")),
        trial("kube::waiting_in_vain_ends_with_the_reason", || script("vain")),
        trial("kube::apps_that_fail_are_told_with_the_key_that_helps", || script("app_failures")),
        trial("kube::logs_commands_and_ports_lead_into_pods", || script("pods")),
        trial("kube::workloads_are_scaled_and_restarted_and_nodes_drained", || script("rollout")),
        trial("kube::a_restart_of_the_api_server_and_a_cut_tunnel_are_outlived", || script("outage")),
    ]
}

/// What needs a cluster that has been up for more than five minutes.
pub fn late_trials() -> Vec<Trial> {
    vec![trial("kube::what_is_too_long_ago_is_gone", || script("gone"))]
}

fn script(name: &str) -> Step {
    let config = platform()?.file("cluster.toml");
    let output = k3srun(&["-c", &config, &format!("tests/platform/kube/{name}.rhai")])?;
    if output.status.success() { Ok(()) } else { Err(said(&output)) }
}
