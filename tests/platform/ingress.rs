//! From the internet to a pod: what somebody at 192.0.2.10 gets from the worker, and what he doesn't, also while certificates
//! are renewed, Traefik is updated and the worker reboots.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::journey::{platform, trial};
use crate::support::lab::{Lab, Step};
use crate::support::place::{Place, console};
use crate::support::scan::{self, ports, shown};

/// What is asked for while something changes: so many times a second, each on a connection of its own.
const PACE: f64 = 10.0;

/// How long the worker's ports may be without an answer while the only Traefik on the node is replaced.
const LONGEST_GAP: Duration = Duration::from_secs(20);

/// How long after a reboot of the worker everything may take to be back.
const BACK: Duration = Duration::from_secs(180);

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_request_from_the_internet_reaches_a_pod_and_shows_who_asks", request),
        trial("http_leads_to_https_and_http2_is_spoken", protocols),
        trial("an_unknown_name_gets_404_and_no_other_sites_certificate", unknown_name),
        trial("the_service_has_the_workers_address_and_no_node_ports", service),
        trial("deploy_app_makes_an_ingress_with_environment_secret_and_volume", deploy_app),
        trial("what_is_wrong_with_an_app_is_told_at_once_and_nothing_is_changed", wrong_app),
        trial("nobody_but_traefik_reaches_the_pods_of_apps", policy),
        trial("of_the_worker_the_internet_sees_80_and_443_only", scanned),
        trial("neither_dashboard_nor_metrics_are_reachable_from_outside", dashboard),
        trial("a_renewal_costs_no_request_and_no_upload_that_takes_longer_than_a_minute", renewal),
        trial("a_changed_value_is_planned_and_costs_a_gap_of_seconds", upgrade),
        trial("after_a_reboot_of_the_worker_everything_returns", reboot),
        trial("an_app_is_removed_and_its_volume_only_when_that_is_said", remove_app),
    ]
}

/// The stranger's curl, which trusts the lab's certificate authorities and nobody else.
fn curl(lab: &Lab, words: &str) -> Step<String> {
    let roots = "for port in 15000 15001; do curl -sSfk https://acme.example.test:$port/roots/0; done >/tmp/roots.pem";
    console(lab, "internet", &format!("{roots} && curl -sS --max-time 10 --cacert /tmp/roots.pem {words}"))
}

fn has(said: &str, line: &str) -> Step {
    if said.lines().any(|other| other.trim() == line) {
        Ok(())
    } else {
        Err(format!("there is no line {line:?} in:\n{said}"))
    }
}

fn kubectl(lab: &Lab, command: &str) -> Step<String> {
    console(lab, "master", &format!("k3s kubectl {command}")).map(|said| said.trim().to_owned())
}

fn request() -> Step {
    let lab = platform()?;
    let said = curl(lab, "-f https://app.example.test/")?;
    for line in ["node: worker", "x-forwarded-for: 192.0.2.10", "x-forwarded-proto: https", "host: app.example.test"] {
        has(&said, line)?;
    }
    // Traefik alone says whom it lets in: without the authority nobody is trusted.
    match console(lab, "internet", "curl -sS --max-time 10 https://app.example.test/") {
        Err(refused) if refused.contains("certificate") => Ok(()),
        other => Err(format!("the certificate is trusted without its authority: {other:?}")),
    }
}

fn protocols() -> Step {
    let lab = platform()?;
    let said = curl(lab, "-o /dev/null -w '%{http_code} %{redirect_url}' 'http://app.example.test/a?b=c'")?;
    if !["301", "308"].contains(&&said[..3]) || !said.ends_with(" https://app.example.test/a?b=c") {
        return Err(format!("http leads to {said}"));
    }
    let version = curl(lab, "-o /dev/null -w '%{http_version} %{http_code}' --http2 https://app.example.test/")?;
    if version == "2 200" { Ok(()) } else { Err(format!("http2: {version}")) }
}

fn unknown_name() -> Step {
    let lab = platform()?;
    let said = curl(lab, "-k -v -o /dev/null -w '%{http_code}' https://unknown.example.test/ 2>&1")?;
    let subject = said.lines().find(|line| line.contains("subject:")).unwrap_or_default();
    if !said.ends_with("404") || !subject.contains("TRAEFIK DEFAULT CERT") || said.contains("app.example.test") {
        return Err(format!("an unknown name gets:\n{said}"));
    }
    let refused = curl(lab, "https://unknown.example.test/");
    if refused.is_err() { Ok(()) } else { Err("the certificate of an unknown name is trusted".to_owned()) }
}

fn service() -> Step {
    let lab = platform()?;
    let ask = "-n ingress get service traefik -o jsonpath='{.spec.type} {.status.loadBalancer.ingress[*].ip} {.spec.ports[*].nodePort}'";
    let said = kubectl(lab, ask)?;
    if said != "LoadBalancer 203.0.113.11" {
        return Err(format!("the Service is {said:?}"));
    }
    let hub = kubectl(lab, "get customresourcedefinitions -o name")?;
    if hub.contains("hub.traefik.io") || !hub.contains("ingressroutes.traefik.io") {
        return Err(format!("the definitions are:\n{hub}"));
    }
    Ok(())
}

/// The second app: an Ingress, in place of the IngressRoute that bootstrap's has.
const SECOND: &[&str] = &[
    "second",
    "docker.io/lab/hello:1",
    "second.example.test",
    "--path",
    "/healthz",
    "--ingress",
    "Ingress",
    "--env",
    "GREETING=good morning",
    "--secret",
    "K3SRUN_TEST_SECRET",
    "--volume",
    "16Mi:/data",
    "--memory",
    "64Mi",
];

fn deploy_app() -> Step {
    let lab = platform()?;
    // Cargo runs the tests of one file in one process, and nothing else reads this variable.
    let said = with_secret(lab, SECOND, "correct horse")?;
    has(&said, "second answers at https://second.example.test")?;
    has(&curl(lab, "-f https://second.example.test/env/GREETING")?, "good morning")?;
    has(&curl(lab, "-f https://second.example.test/env/K3SRUN_TEST_SECRET")?, "correct horse")?;
    curl(lab, "-f -T /etc/hostname https://second.example.test/data/kept")?;
    let again = with_secret(lab, SECOND, "correct horse")?;
    if !again.contains(" 0 changed,") {
        return Err(format!("a second run changes something:\n{again}"));
    }
    // Another secret replaces the pods; what they kept stays.
    let changed = with_secret(lab, SECOND, "battery staple")?;
    if changed.contains("battery") || !changed.contains(" 2 changed,") {
        return Err(format!("with another secret:\n{changed}"));
    }
    has(
        &curl(lab, "-f --retry 10 --retry-all-errors https://second.example.test/env/K3SRUN_TEST_SECRET")?,
        "battery staple",
    )?;
    curl(lab, "-f https://second.example.test/data/kept").map(drop)
}

fn remove_app() -> Step {
    let lab = platform()?;
    with_secret(lab, SECOND, "battery staple")?;
    let remove =
        |options: &[&str], words: &[&str], expected: &str| match lab.with_config("remove-app.rhai", options, words)? {
            (_, said) if said.contains(expected) => Ok(()),
            (status, said) => Err(format!("it ended with {status} and doesn't say {expected:?}:\n{said}")),
        };
    let left =
        || kubectl(lab, "-n apps get deployment,service,ingress,certificate,secret,pod,pvc -o name | grep second");

    remove(&[], &["app"], "app stands in cluster.toml")?;
    // What somebody else has made isn't touched, whatever it is called.
    kubectl(lab, "-n apps create service clusterip stranger --tcp=80")?;
    let refused = remove(&[], &["stranger"], "the Service stranger was not made by app::deploy");
    kubectl(lab, "-n apps delete service stranger")?;
    refused?;
    remove(&["--plan"], &["second"], " 6 to change,")?;
    remove(&[], &["second"], " 6 changed,")?;
    let status = curl(lab, "-k -o /dev/null -w '%{http_code}' https://second.example.test/")?;
    if status != "404" || left()? != "persistentvolumeclaim/second" {
        return Err(format!("it answers with {status}, and there is still:\n{}", left()?));
    }
    remove(&["--yes"], &["second", "--volume"], " 1 changed,")?;
    remove(&[], &["second"], "there is nothing of second")?;
    match left() {
        Err(_) => Ok(()),
        Ok(found) => Err(format!("there is still {found}")),
    }
}

fn with_secret(lab: &Lab, words: &[&str], secret: &str) -> Step<String> {
    let config = lab.file("cluster.toml");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_k3srun"))
        .args(["-c", &config, "scripts/deploy-app.rhai"])
        .args(words)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("K3SRUN_TEST_SECRET", secret)
        .output()
        .map_err(|error| format!("can't start k3srun: {error}"))?;
    let said = crate::support::said(&output);
    if output.status.success() { Ok(said) } else { Err(format!("deploy-app ended with {}:\n{said}", output.status)) }
}

fn wrong_app() -> Step {
    let lab = platform()?;
    let words =
        ["Third_", "hello", "third", "--port", "http", "--ingress", "ingress", "--replicas", "2", "--volume", "1:data"];
    let (status, said) = lab.with_config("deploy-app.rhai", &[], &words)?;
    let expected = [
        "can't be the name of an app",
        "has no tag",
        "is not a domain name",
        "`port` must be a whole number",
        "did you mean \"Ingress\"?",
        "volume.size",
        "a volume is for one pod",
        " 0 changed,",
    ];
    match expected.iter().find(|text| !said.contains(**text)) {
        None if status != 0 => Ok(()),
        missing => Err(format!("it ended with {status} and doesn't say {missing:?}:\n{said}")),
    }
}

/// A pod of another namespace asks the pod of the app, and gets no answer; Traefik does.
fn policy() -> Step {
    let lab = platform()?;
    let address =
        kubectl(lab, "-n apps get pods -l app.kubernetes.io/name=app -o jsonpath='{.items[0].status.podIP}'")?;
    let traefik =
        kubectl(lab, "-n ingress get pods -l app.kubernetes.io/name=traefik -o jsonpath='{.items[0].status.podIP}'")?;
    let dns = kubectl(lab, "-n kube-system get pods -l k8s-app=kube-dns -o jsonpath='{.items[0].status.podIP}'")?;
    let ask = format!("curl -sS --max-time 3 http://{address}:8080/healthz");
    Place::pod(lab, "worker", &traefik)?.shell(&ask)?;
    match Place::pod(lab, "worker", &dns)?.shell(&ask) {
        Err(_) => Ok(()),
        Ok(said) => Err(format!("a pod of another namespace has an answer: {said}")),
    }
}

fn scanned() -> Step {
    let lab = platform()?;
    for (from, to, open) in [
        ("internet", "203.0.113.11", "80/tcp 443/tcp"),
        ("internet", "203.0.113.10", ""),
        ("admin", "203.0.113.11", "22/tcp 80/tcp 443/tcp"),
    ] {
        let found = scan::scan(
            &Place::of(lab, from),
            to,
            &["-sS", "-p", "1-65535", "--max-retries", "2", "--min-rate", "5000"],
        )?;
        if found != ports(open) {
            return Err(format!("{from} finds {} at {to}, not {open}", shown(&found)));
        }
    }
    Ok(())
}

fn dashboard() -> Step {
    let lab = platform()?;
    for path in ["dashboard/", "api/rawdata", "api/overview", "metrics", "ping"] {
        for host in ["203.0.113.11", "app.example.test", "traefik.example.test"] {
            let said = curl(lab, &format!("-k https://{host}/{path}"))?;
            // The app answers every path as itself.
            let answered =
                if host == "app.example.test" { said.contains("pod: ") } else { said.contains("404 page not found") };
            if !answered {
                return Err(format!("https://{host}/{path} says:\n{said}"));
            }
        }
    }
    Ok(())
}

/// Requests from the internet, one after the other, while something else is done.
struct Load {
    asked: usize,
    failed: usize,
    gap: Duration,
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} of {} requests failed, {:.1} s without an answer at most",
            self.failed,
            self.asked,
            self.gap.as_secs_f64()
        )
    }
}

/// Asks `url` all the time while `action` runs, and for two seconds after it.
fn under_load<T>(lab: &Lab, url: &str, action: impl FnOnce() -> Step<T>) -> Step<(T, Load)> {
    curl(lab, &format!("-f -o /dev/null {url}"))?;
    let pause = 1.0 / PACE;
    let script = format!(
        "rm -f /tmp/stop /tmp/load; while [ ! -e /tmp/stop ]; do
           curl -sf --max-time 5 --cacert /tmp/roots.pem -o /dev/null {url}; echo $? $(date +%s%N) >>/tmp/load; sleep {pause}; done"
    );
    let lines = std::thread::scope(|scope| {
        let load = scope.spawn(|| console(lab, "internet", &script));
        let done = action();
        std::thread::sleep(Duration::from_secs(2));
        console(lab, "internet", "touch /tmp/stop")?;
        load.join().map_err(|_| "the load failed".to_owned())??;
        Ok::<_, String>((done?, console(lab, "internet", "cat /tmp/load")?))
    });
    let (done, lines) = lines?;
    let mut load = Load { asked: 0, failed: 0, gap: Duration::ZERO };
    let mut answered = None;
    for line in lines.lines() {
        let (status, time) = line.split_once(' ').ok_or_else(|| format!("no result: {line}"))?;
        let time: u64 = time.parse().map_err(|_| format!("no time: {line}"))?;
        load.asked += 1;
        if status == "0" {
            let since = answered.replace(time).unwrap_or(time);
            load.gap = load.gap.max(Duration::from_nanos(time - since));
        } else {
            load.failed += 1;
        }
    }
    if load.asked < 10 { Err(format!("only {} requests were made", load.asked)) } else { Ok((done, load)) }
}

/// Sends a file for 70 seconds. Traefik's own limit for a request is 60.
fn upload(lab: &Lab) -> Step {
    let file = "https://brief.example.test/data/file";
    console(lab, "internet", "truncate -s 700000 /tmp/upload")?;
    curl(lab, &format!("-f --max-time 120 --limit-rate 10k -T /tmp/upload {file}"))?;
    match curl(lab, &format!("-f {file} | wc -c"))?.trim() {
        "700000" => Ok(()),
        size => Err(format!("of 700000 bytes that were sent, {size} have arrived")),
    }
}

/// The certificates of the lab's second ACME server end after three minutes, so cert-manager renews them after two.
fn renewal() -> Step {
    const ISSUER: &str = r#"
let c = config::load();
let k = kube::connect(ssh::connect(c.nodes[0].ssh.destination, c.nodes[0].ssh.options));
cert::issuer(k, "short", #{ server: "https://acme.example.test:14001/dir", ca: local().read(c.certificates.acme_ca), ingress_class: "traefik" });
"#;
    const APP: &str = r#"
import "app" as app;
let c = config::load();
let k = kube::connect(ssh::connect(c.nodes[0].ssh.destination, c.nodes[0].ssh.options));
app::deploy(c, k, #{
    name: "brief", image: "docker.io/lab/hello:1", host: "brief.example.test", path: "/healthz", issuer: "short",
    volume: #{ size: "16Mi", path: "/data" },
});
"#;
    let lab = platform()?;
    run(lab, ISSUER)?;
    run(lab, APP)?;
    let serial = "openssl s_client -connect 203.0.113.11:443 -servername brief.example.test </dev/null 2>/dev/null | openssl x509 -noout -serial";
    let first = Place::of(lab, "internet").shell(serial)?;
    let ((last, uploaded), load) = under_load(lab, "https://brief.example.test/", || {
        std::thread::scope(|scope| {
            let upload = scope.spawn(|| upload(lab));
            let end = Instant::now() + Duration::from_secs(170);
            let last = loop {
                let now = Place::of(lab, "internet").shell(serial)?;
                if now != first || Instant::now() > end {
                    break now;
                }
                std::thread::sleep(Duration::from_secs(2));
            };
            Ok((last, upload.join().map_err(|_| "the upload panicked".to_owned())?))
        })
    })?;
    println!("renewal: {load}");
    kubectl(
        lab,
        "-n apps delete deployment,service,ingressroute,certificate,secret,pvc -l app.kubernetes.io/name=brief",
    )?;
    uploaded?;
    if last == first {
        return Err("the certificate was not renewed in time".to_owned());
    }
    if load.failed == 0 { Ok(()) } else { Err(load.to_string()) }
}

/// Runs a script on the lab's cluster.
fn run(lab: &Lab, text: &str) -> Step<String> {
    let script = tempfile::Builder::new().suffix(".rhai").tempfile().map_err(|error| error.to_string())?;
    std::fs::write(script.path(), text).map_err(|error| error.to_string())?;
    let (config, path) = (lab.file("cluster.toml"), script.path().display().to_string());
    let output = crate::support::lab::k3srun(&["-c", &config, &path])?;
    let said = crate::support::said(&output);
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// A folder that stands in for stdlib, with one value of Traefik's changed.
fn changed_values() -> Step<tempfile::TempDir> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let values = include_str!("../../stdlib/values/traefik.yaml").replace("level: INFO", "level: WARN");
    let place = folder.path().join("values");
    std::fs::create_dir(&place)
        .and_then(|()| std::fs::write(place.join("traefik.yaml"), values))
        .map_err(|error| error.to_string())?;
    Ok(folder)
}

fn upgrade() -> Step {
    let lab = platform()?;
    let folder = changed_values()?;
    let stdlib = folder.path().display().to_string();
    let plan = lab.bootstrap(&["--plan", "--stdlib", &stdlib])?;
    if !plan.contains("--log.level=WARN") || !plan.contains(" 2 to change,") {
        return Err(format!("the plan is not of that change alone:\n{plan}"));
    }
    let (said, load) = under_load(lab, "https://app.example.test/healthz", || {
        lab.bootstrap(&["--stdlib", &stdlib, "--only", "ingress"])
    })?;
    println!("update of Traefik: {load}");
    if !said.contains(" 2 changed,") {
        return Err(format!("not that change alone was made:\n{said}"));
    }
    lab.bootstrap(&[])?;
    lab.bootstrap_changes_nothing()?;
    if load.gap <= LONGEST_GAP { Ok(()) } else { Err(load.to_string()) }
}

fn reboot() -> Step {
    let lab = platform()?;
    lab.reboot("worker")?;
    let end = Instant::now() + BACK;
    loop {
        match curl(lab, "-f https://app.example.test/") {
            Ok(said) => break has(&said, "node: worker")?,
            Err(error) if Instant::now() > end => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_secs(2)),
        }
    }
    lab.bootstrap_changes_nothing()
}
