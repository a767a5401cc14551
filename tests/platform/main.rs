//! What runs on the cluster, on two real machines: Helm, Traefik, cert-manager with an ACME server, monitoring and apps, from
//! `scripts/bootstrap.rhai` to an HTTPS request from the internet.
//!
//! One lab has all of it and is shared by the tests below, which run in this order.

mod certificates;
mod changed;
mod helm;
mod ingress;
mod journey;
mod killed;
mod kube;
mod kubeconfig;
mod monitoring;
mod publisher;
mod registry;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use support::lab::Lab;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let parts = [
        journey::first_trials(),
        killed::trials(),
        journey::trials(),
        kube::trials(),
        kubeconfig::trials(),
        helm::trials(),
        ingress::trials(),
        changed::trials(),
        monitoring::trials(),
        certificates::trials(),
        kube::late_trials(),
    ];
    let trials: Vec<Trial> = parts.into_iter().flatten().collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    Lab::down_all();
    conclusion.exit_code()
}
