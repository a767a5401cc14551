//! Two workers: the same names lead to both, and the sites of one don't depend on the other.

use std::sync::LazyLock;

use libtest_mimic::Trial;

use crate::support::lab::{Lab, Step};
use crate::support::place::console;
use crate::trial;

/// What the tests don't look at takes no time.
const WITHOUT_MONITORING: &str = "--set=monitoring.enabled=false";

static LAB: LazyLock<Step<Lab>> = LazyLock::new(|| Lab::with_workers("workers", 2));

static CLUSTER: LazyLock<Step> = LazyLock::new(|| lab()?.bootstrap(&[WITHOUT_MONITORING]).map(drop));

fn lab() -> Step<&'static Lab> {
    LAB.as_ref().map_err(Clone::clone)
}

fn cluster() -> Step<&'static Lab> {
    CLUSTER.clone().and_then(|()| lab())
}

pub fn trials() -> Vec<Trial> {
    vec![
        trial("bootstrap_makes_a_cluster_of_a_master_and_two_workers", || cluster().map(drop)),
        trial("a_second_run_of_three_machines_changes_nothing", second_run),
        trial("verify_looks_at_every_worker", verify),
        trial("every_worker_answers_for_every_name", every_worker_answers),
        trial("without_one_worker_the_sites_of_the_other_answer", one_worker_is_off),
        trial("when_it_is_back_nothing_has_to_be_changed", one_worker_is_back),
    ]
}

fn second_run() -> Step {
    let said = cluster()?.bootstrap(&[WITHOUT_MONITORING])?;
    if said.contains(" 0 changed,") { Ok(()) } else { Err(format!("something was changed:\n{said}")) }
}

fn verify() -> Step {
    let (status, said) = cluster()?.verify(&[WITHOUT_MONITORING], &[])?;
    if status == 0 { Ok(()) } else { Err(said) }
}

/// What a stranger gets at an address of the two.
fn page(lab: &Lab, name: &str, address: &str) -> Step<String> {
    let roots = "for port in 15000 15001; do curl -sSfk https://acme.example.test:$port/roots/0; done >/tmp/roots.pem";
    let get = format!("curl -sSf --max-time 10 --cacert /tmp/roots.pem --resolve {name}:443:{address} https://{name}/");
    console(lab, "internet", &format!("{roots} && {get}"))
}

const ADDRESSES: [&str; 2] = ["203.0.113.11", "203.0.113.12"];

fn every_worker_answers() -> Step {
    let lab = cluster()?;
    for address in ADDRESSES {
        page(lab, "app.example.test", address)?;
    }
    Ok(())
}

/// Deploys an app whose only pod is on a worker.
fn deploy(lab: &Lab, name: &str, worker: &str, other: &str) -> Step {
    let kubectl = |command: &str| console(lab, "master", &format!("k3s kubectl {command}")).map(drop);
    kubectl(&format!("cordon {other}"))?;
    let host = format!("{name}.{worker}.example.test");
    let words = [name, "docker.io/lab/hello:1", &host, "--path", "/healthz"];
    let deployed = lab.with_config("deploy-app.rhai", &[WITHOUT_MONITORING], &words);
    kubectl(&format!("uncordon {other}"))?;
    match deployed? {
        (0, _) => {}
        (_, said) => return Err(said),
    }
    let said = page(lab, &host, ADDRESSES[0])?;
    if said.lines().any(|line| line == format!("node: {worker}")) {
        Ok(())
    } else {
        Err(format!("{host} is not on {worker}:\n{said}"))
    }
}

fn one_worker_is_off() -> Step {
    let lab = cluster()?;
    deploy(lab, "one", "worker", "worker2")?;
    deploy(lab, "two", "worker2", "worker")?;
    lab.control(&["power-off", "worker2"])?;
    page(lab, "one.worker.example.test", ADDRESSES[0])?;
    match page(lab, "two.worker2.example.test", ADDRESSES[1]) {
        Err(_) => Ok(()),
        Ok(said) => Err(format!("a machine that is off answers:\n{said}")),
    }
}

fn one_worker_is_back() -> Step {
    let lab = cluster()?;
    lab.control(&["power-on", "worker2"])?;
    let ready = "for i in $(seq 90); do
        [ \"$(k3s kubectl get nodes --no-headers 2>/dev/null | awk '$2 == \"Ready\"' | wc -l)\" = 3 ] && exit 0; sleep 1
        done; exit 1";
    lab.exec("master", ready)?;
    second_run()?;
    page(lab, "two.worker2.example.test", ADDRESSES[1]).map(drop)
}
