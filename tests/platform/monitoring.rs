//! Monitoring: what Prometheus sees, who hears of it, who reaches it, and what it needs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::journey::{platform, trial};
use crate::support::lab::{Lab, Step, k3srun};
use crate::support::said;

/// What Prometheus always asks, by job, and how many targets each has.
const TARGETS: &[(&str, usize)] = &[
    ("apiserver", 1),
    ("cert-manager", 1),
    ("cert-manager-cainjector", 1),
    ("cert-manager-webhook", 1),
    ("coredns", 1),
    ("kps-alertmanager", 2),
    ("kps-operator", 1),
    ("kps-prometheus", 2),
    ("kubelet", 6),
    ("node-exporter", 2),
    ("traefik-metrics", 1),
];

/// What it also asks where a setting of `[monitoring]` is on.
const OPTIONAL: &[(&str, &str)] = &[("grafana", "kps-grafana"), ("kube_state_metrics", "kube-state-metrics")];

/// Where the parts of monitoring would listen.
const PORTS: &[&str] = &["3000", "8080", "9090", "9093", "9094", "9100"];

pub fn trials() -> Vec<Trial> {
    vec![
        trial("prometheus_has_every_expected_target_up_and_no_other", targets),
        trial("the_watchdog_reaches_alertmanager", watchdog),
        trial("nothing_of_monitoring_is_reachable_but_for_prometheus", closed),
        trial("monitoring_again_changes_nothing", second_run),
        trial("a_worker_with_too_little_memory_is_refused_with_the_numbers", memory),
        trial("grafanas_password_is_made_once_and_shown_to_people_only", password),
        trial("the_alert_for_a_node_that_is_down_fires", node_down),
    ]
}

/// What a service of monitoring answers, through the API server.
fn ask(lab: &Lab, service: &str, path: &str) -> Step<Value> {
    let raw = format!("k3s kubectl get --raw '/api/v1/namespaces/monitoring/services/{service}/proxy{path}'");
    json(&lab.exec("master", &raw)?)
}

fn json(text: &str) -> Step<Value> {
    serde_json::from_str(text).map_err(|error| format!("no JSON: {error}: {text}"))
}

/// Asks again until it is as it should be.
fn eventually(seconds: u64, question: impl Fn() -> Step) -> Step {
    let start = Instant::now();
    loop {
        match question() {
            Err(_) if start.elapsed() < Duration::from_secs(seconds) => std::thread::sleep(Duration::from_secs(2)),
            answer => return answer,
        }
    }
}

/// Whether a setting of `[monitoring]` is on in this lab.
fn is_on(lab: &Lab, setting: &str) -> Step<bool> {
    let path = lab.file("cluster.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let config: toml::Table = text.parse().map_err(|error| format!("{path}: {error}"))?;
    let given = config.get("monitoring").and_then(|monitoring| monitoring.get(setting));
    Ok(given.and_then(toml::Value::as_bool).unwrap_or(true))
}

fn all_up(lab: &Lab) -> Step {
    let answer = ask(lab, "kps-prometheus:9090", "/api/v1/targets?state=active")?;
    let mut up: BTreeMap<&str, usize> = BTreeMap::new();
    let mut down = Vec::new();
    for target in answer["data"]["activeTargets"].as_array().ok_or("no targets")? {
        if target["health"] == "up" {
            *up.entry(target["labels"]["job"].as_str().unwrap_or_default()).or_default() += 1;
        } else {
            down.push(format!("{}: {} {}", target["scrapeUrl"], target["health"], target["lastError"]));
        }
    }
    let mut expected: BTreeMap<&str, usize> = TARGETS.iter().copied().collect();
    for (setting, job) in OPTIONAL {
        if is_on(lab, setting)? {
            expected.insert(job, 1);
        }
    }
    if up == expected && down.is_empty() { Ok(()) } else { Err(format!("up: {up:?}\nnot up: {down:#?}")) }
}

fn targets() -> Step {
    let lab = platform()?;
    // Each is asked once a minute.
    eventually(150, || all_up(lab))
}

fn watchdog() -> Step {
    let lab = platform()?;
    eventually(90, || {
        let alerts = ask(lab, "kps-alertmanager:9093", "/api/v2/alerts")?;
        let names: Vec<&Value> =
            alerts.as_array().ok_or("no alerts")?.iter().map(|a| &a["labels"]["alertname"]).collect();
        if names.contains(&&"Watchdog".into()) { Ok(()) } else { Err(format!("Alertmanager knows only {names:?}")) }
    })
}

fn closed() -> Step {
    let lab = platform()?;
    let types = "k3s kubectl -n monitoring get services -o jsonpath='{.items[*].spec.type}'";
    let types = lab.exec("master", types)?;
    if types.is_empty() || types.split(' ').any(|kind| kind != "ClusterIP") {
        return Err(format!("the services are of the types {types:?}"));
    }
    let answers = |from: &str, address: &str, port: &str| {
        let knock = format!("curl -s -o /dev/null --connect-timeout 1 --max-time 2 http://{address}:{port}/");
        lab.exec(from, &knock).is_ok()
    };
    // The one who may.
    if !answers("worker", "10.77.0.10", "9100") {
        return Err("the worker doesn't reach node-exporter on the master".into());
    }
    let mut open = Vec::new();
    for (from, addresses) in [
        ("internet", ["203.0.113.10", "203.0.113.11", "[2001:db8:1::10]", "[2001:db8:1::11]"]),
        ("tenant", ["10.77.0.10", "10.77.0.11", "[fd4b:3373:77::10]", "[fd4b:3373:77::11]"]),
    ] {
        // All at once: nobody answers, and each would have to be waited for.
        let knock = "curl -s -o /dev/null --connect-timeout 1 --max-time 2 http://$at/ && echo $at &";
        let all: Vec<String> = addresses.iter().flat_map(|a| PORTS.iter().map(move |p| format!("'{a}:{p}'"))).collect();
        let found = lab.exec(from, &format!("for at in {}; do {knock} done; wait", all.join(" ")))?;
        open.extend(found.lines().map(|at| format!("{from} -> {at}")));
    }
    if open.is_empty() { Ok(()) } else { Err(format!("open: {open:?}")) }
}

fn second_run() -> Step {
    let said = platform()?.bootstrap(&["--only", "monitoring"])?;
    if said.contains(" 0 changed,") { Ok(()) } else { Err(said) }
}

/// The kernel's file about memory is another one: a machine of 2 GB can't be had.
fn memory() -> Step {
    let lab = platform()?;
    let small = "sed -E 's/^MemTotal: .*/MemTotal: 2035712 kB/' /proc/meminfo >/run/meminfo && mount --bind /run/meminfo /proc/meminfo";
    lab.exec("worker", small)?;
    let refused = lab.try_bootstrap(&["--only", "preflight"]);
    let content = lab.try_bootstrap(&["--only", "preflight", "--set", "monitoring.enabled=false"]);
    lab.exec("worker", "umount /proc/meminfo && rm /run/meminfo")?;
    let (status, said) = refused?;
    let words = said.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = "worker: it has 1988 MB of memory, and monitoring needs 3700";
    if status != 2 || !words.contains(expected) || !words.contains("nothing was changed") {
        return Err(format!("preflight ended with {status}:\n{said}"));
    }
    match content? {
        (0, _) => Ok(()),
        (status, said) => Err(format!("without monitoring, preflight ended with {status}:\n{said}")),
    }
}

/// Where there is no Grafana in the lab, a service of its name stands there while this runs.
fn password() -> Step {
    const MAKE: &str = r#"
        import "cluster" as cluster;
        import "monitoring" as monitoring;
        let master = cluster::connect(cluster::master(cluster::load().nodes));
        monitoring::grafana_login(kube::connect(master.host));"#;
    let lab = platform()?;
    let installed = is_on(lab, "grafana")?;
    let (status, missing) = lab.with_config("grafana.rhai", &[], &[])?;
    if !installed && (status == 0 || !missing.contains("Grafana is not installed")) {
        return Err(format!("grafana.rhai ended with {status} where there is no Grafana:\n{missing}"));
    }
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let script = folder.path().join("make.rhai");
    std::fs::write(&script, MAKE).map_err(|error| error.to_string())?;
    let make = || {
        let output = k3srun(&["-vv", "-c", &lab.file("cluster.toml"), &script.display().to_string()])?;
        if output.status.success() { Ok(said(&output)) } else { Err(said(&output)) }
    };
    let stored = "k3s kubectl -n monitoring get secret grafana-admin -o jsonpath='{.data.admin-password}' | base64 -d";
    let check = || {
        let told = make()?;
        let first = lab.exec("master", stored)?;
        let told = told + &make()?;
        if first.len() != 24 || lab.exec("master", stored)? != first {
            return Err(format!("the password is {first:?}, or another one after a second run"));
        }
        if told.contains(&first) {
            return Err(format!("the password was shown when it was made:\n{told}"));
        }
        if !installed {
            lab.exec("master", "k3s kubectl -n monitoring create service clusterip kps-grafana --tcp=80:3000")?;
        }
        let (status, shown) = lab.with_config("grafana.rhai", &["-vv"], &[])?;
        if status != 0 || !shown.lines().any(|line| line == first) {
            return Err(format!("grafana.rhai ended with {status}, and doesn't show the password:\n{shown}"));
        }
        let (status, events) = lab.with_config("grafana.rhai", &["--output", "json"], &[])?;
        if status != 0 || events.contains(&first) {
            return Err(format!("grafana.rhai ended with {status}, or shows programs the password:\n{events}"));
        }
        Ok(())
    };
    let checked = check();
    if installed {
        return checked;
    }
    let remove = "k3s kubectl -n monitoring delete --ignore-not-found secret/grafana-admin service/kps-grafana";
    lab.exec("master", remove)?;
    checked
}

/// The master's cable is cut. As the API is there, too, Prometheus is asked from the worker that it runs on.
fn node_down() -> Step {
    let lab = platform()?;
    let pod = "k3s kubectl -n monitoring get pod prometheus-kps-prometheus-0 -o jsonpath='{.status.podIP}'";
    let pod = lab.exec("master", pod)?;
    let firing = || {
        let alerts = json(&lab.exec("worker", &format!("curl -sS http://{pod}:9090/api/v1/alerts"))?)?;
        let alerts = alerts["data"]["alerts"].as_array().ok_or("no alerts")?;
        let down = alerts.iter().find(|alert| alert["labels"]["alertname"] == "NodeDown" && alert["state"] == "firing");
        match down {
            Some(alert) if alert["labels"]["instance"] == "10.77.0.10:9100" => Ok(()),
            _ => Err(format!("no alert for the master: {alerts:?}")),
        }
    };
    if firing().is_ok() {
        return Err("the alert fires before the node is down".into());
    }
    lab.control(&["cut", "master.private"])?;
    let fired = eventually(180, firing);
    lab.control(&["restore", "master.private"])?;
    fired?;
    eventually(150, || all_up(lab))
}
