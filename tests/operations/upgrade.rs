//! From one minor version of Kubernetes to the next, while a pod of the worker is asked all the time.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::Trial;

use crate::support::lab::{Lab, Step};
use crate::{lab, one_line, trial};

/// The minor version that comes next.
const NEXT: &str = "1.37";

/// In this order. The next version is built for these alone, which takes too long for every run.
pub fn trials() -> Vec<Trial> {
    [
        trial("upgrade::what_can_not_be_is_refused_with_every_reason", refusals),
        trial("upgrade::a_plan_says_what_it_costs_and_changes_nothing", plan),
        trial("upgrade::a_run_that_dies_while_the_server_restarts_is_finished_by_the_next", killed_and_finished),
        trial("upgrade::a_second_run_changes_nothing", second_run),
        trial("upgrade::bootstrap_and_verify_agree_with_the_new_version", agreed),
    ]
    .map(|trial| trial.with_ignored_flag(true))
    .into()
}

fn refusals() -> Step {
    for (version, reason) in [
        ("v1.38.0+k3s1", "minor versions come one by one: upgrade to a release of 1.37 first"),
        ("v1.35.1+k3s1", "Kubernetes can't go back to an older version"),
    ] {
        let (status, said) = lab()?.with_config("upgrade.rhai", &[], &["--to", version])?;
        let whole = one_line(&said);
        if status != 2 || !whole.contains(reason) || !said.contains(" 0 changed,") {
            return Err(format!("{version} ended with {status}:\n{said}"));
        }
    }
    Ok(())
}

fn plan() -> Step {
    let lab = lab()?;
    lab.control(&["up", "--bare", "--kubernetes", NEXT])?;
    let before = versions(lab)?;
    let (status, said) = lab.with_config("upgrade.rhai", &["--plan"], &[])?;
    let whole = one_line(&said);
    for expected in [
        "k3s restarts. The API doesn't answer meanwhile",
        "etcd becomes 3.7",
        "the only way back is the snapshot",
        "It is not drained: no other worker could take its pods",
        "before-v1.37",
        "k3s.staged",
    ] {
        if status != 0 || !whole.contains(expected) {
            return Err(format!("the plan ended with {status} and doesn't say {expected:?}:\n{said}"));
        }
    }
    if versions(lab)? == before { Ok(()) } else { Err("the plan changed a version".into()) }
}

/// The first run is killed as soon as it begins with the server; the second one ends at the new version on all nodes, and no request
/// to a pod of the worker has failed.
fn killed_and_finished() -> Step {
    let lab = lab()?;
    start_asking(lab)?;
    let mut run = Command::new(env!("CARGO_BIN_EXE_k3srun"))
        .args(["--output", "plain", "-c", &lab.file("cluster.toml"), "scripts/upgrade.rhai"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("can't start k3srun: {error}"))?;
    let stderr = run.stderr.take().ok_or("no standard error")?;
    let mut said = String::new();
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        said.push_str(&format!("{line}\n"));
        if line.contains("restarted: new executable") {
            break;
        }
    }
    std::thread::sleep(Duration::from_millis(700));
    run.kill().and_then(|()| run.wait()).map_err(|error| error.to_string())?;
    if !said.contains("restarted: new executable") {
        return Err(format!("the run was over before it came to the server:\n{said}"));
    }
    let (status, said) = lab.with_config("upgrade.rhai", &[], &[])?;
    if status != 0 {
        return Err(format!("the upgrade ended with {status}:\n{said}"));
    }
    let versions = versions(lab)?;
    if versions.len() != 2 || !versions.iter().all(|version| version.starts_with(&format!("v{NEXT}."))) {
        return Err(format!("the nodes run {versions:?}:\n{said}"));
    }
    let asked = lab.exec("master", "systemctl stop asking; grep -c . /root/asked; grep -vc 200 /root/asked || true")?;
    match asked.split_once('\n') {
        Some((all, "0")) if all.parse::<u32>().is_ok_and(|all| all > 50) => Ok(()),
        _ => Err(format!("requests, and those that failed: {asked}")),
    }
}

fn second_run() -> Step {
    let (status, said) = lab()?.with_config("upgrade.rhai", &[], &[])?;
    if status == 0 && said.contains(" 0 changed,") { Ok(()) } else { Err(said) }
}

fn agreed() -> Step {
    let lab = lab()?;
    lab.bootstrap_changes_nothing()?;
    let (status, said) = lab.verify(&[], &[])?;
    if status == 0 { Ok(()) } else { Err(said) }
}

/// The versions of the nodes.
fn versions(lab: &Lab) -> Step<Vec<String>> {
    let list = lab.exec("master", "k3s kubectl get nodes -o jsonpath='{.items[*].status.nodeInfo.kubeletVersion}'")?;
    Ok(list.split(' ').map(str::to_owned).collect())
}

/// A pod of the worker, and a unit on the master that asks it five times a second from then on, over the pods' network.
fn start_asking(lab: &Lab) -> Step {
    let script = r#"set -e
        k3s kubectl create deployment asked --image=docker.io/rancher/mirrored-library-busybox:1.35.0 -- sh -c 'mkdir -p /www && echo yes >/www/index.html && exec httpd -f -p 8080 -h /www' >/dev/null
        k3s kubectl rollout status deployment asked --timeout=90s >/dev/null
        ip=$(k3s kubectl get pods -l app=asked -o jsonpath='{.items[0].status.podIP}')
        systemd-run -q --unit=asking sh -c "while :; do curl -s -m 2 -o /dev/null -w '%{http_code}\\n' http://$ip:8080/ >>/root/asked; sleep 0.2; done""#;
    lab.exec("master", script).map(drop)
}
