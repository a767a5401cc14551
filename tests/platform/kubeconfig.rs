//! The kubeconfig that people get from `scripts/kubeconfig.rhai`, and whether other programs get to the cluster with it.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::journey::{platform, trial};
use crate::support::lab::Step;
use crate::support::said;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("kubeconfig::two_clusters_share_a_file_and_helm_gets_through_the_tunnel", two_clusters),
        trial("kubeconfig::an_api_server_that_is_open_to_administrators_is_called_directly", without_a_tunnel),
    ]
}

/// A tunnel that a person would have open; it ends with the test.
struct Open(Child);

impl Drop for Open {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn two_clusters() -> Step {
    let config = platform()?.file("cluster.toml");
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("kube/config");
    let run = |options: &[&str], words: &[&str]| merge(&file, &config, options, words);

    let first = run(&["--set", "cluster.name=one"], &["use"])?;
    let tunnel = first.lines().find(|line| line.starts_with("ssh ")).ok_or("no tunnel command")?.to_owned();
    let one = read(&file)?;
    run(&["--set", "cluster.name=two"], &[])?;
    let both = read(&file)?;
    for text in ["current-context: one", "name: two", "https://127.0.0.1:16443", "https://127.0.0.1:16444"] {
        if !both.contains(text) {
            return Err(format!("{text} is missing: {}", hidden(&both)));
        }
    }
    let copies: Vec<_> = names(&file)?.into_iter().filter(|name| name.starts_with("config.before-")).collect();
    match copies.as_slice() {
        [copy] if read(&file.with_file_name(copy))? == one => {}
        other => return Err(format!("no copy of what was there before: {other:?}")),
    }
    run(&["--set", "cluster.name=two"], &[])?;
    if read(&file)? != both || names(&file)?.len() != 2 {
        return Err("the second run changed something".into());
    }

    let way = Command::new("sh").args(["-c", &format!("exec {tunnel}")]).stdin(Stdio::null()).spawn();
    let _way = Open(way.map_err(|error| error.to_string())?);
    let begin = Instant::now();
    loop {
        let output = list(Command::new(helm(&config)?), &file)?;
        if output.status.success() {
            return Ok(());
        }
        if begin.elapsed() > Duration::from_secs(20) {
            return Err(format!("helm doesn't get through the tunnel: {}", said(&output)));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// With one more row in the port table: administrators call the API server, and nobody else does.
fn without_a_tunnel() -> Step {
    const CLOSED: &str = r#"["master",   6443,  "tcp",    "k3s API server",    "worker"],"#;
    const OPEN: &str = r#"["master",   6443,  "tcp",    "k3s API server",    "admin"],"#;
    let lab = platform()?;
    let config = lab.file("cluster.toml");
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let table = include_str!("../../stdlib/ports.rhai").replace(CLOSED, &format!("{CLOSED}\n{OPEN}"));
    std::fs::write(folder.path().join("ports.rhai"), table).map_err(|error| error.to_string())?;
    let (file, own) = (folder.path().join("config"), folder.path().display().to_string());

    lab.bootstrap(&["--stdlib", &own, "--only", "firewall"])?;
    let printed = merge(&file, &config, &["--stdlib", &own], &["use"])?;
    let from = |place| list(lab.inside(place, &helm(&config)?), &file);
    let (admin, internet) = (from("admin"), from("internet"));
    lab.bootstrap(&["--only", "firewall"])?;
    let closed = from("admin")?;

    if printed.contains("ssh ") || !read(&file)?.contains("https://203.0.113.10:6443") {
        return Err(format!("it isn't called directly:\n{printed}"));
    }
    match (admin?, internet?) {
        (admin, _) if !admin.status.success() => Err(format!("an administrator is refused: {}", said(&admin))),
        (_, internet) if internet.status.success() => Err("everybody gets to the API server".into()),
        _ if closed.status.success() => Err("the API server stayed open".into()),
        _ => Ok(()),
    }
}

/// Asks the cluster of a kubeconfig for its releases.
fn list(mut helm: Command, kubeconfig: &Path) -> Step<Output> {
    let helm = helm.args(["list", "-A", "--kubeconfig"]).arg(kubeconfig);
    helm.output().map_err(|error| format!("can't start Helm: {error}"))
}

/// Runs the playbook with `file` as the user's kubeconfig, and returns what it printed.
fn merge(file: &Path, config: &str, options: &[&str], words: &[&str]) -> Step<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_k3srun"))
        .args(options)
        .args(["-c", config, "scripts/kubeconfig.rhai"])
        .args(words)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("KUBECONFIG", file)
        .output()
        .map_err(|error| format!("can't start k3srun: {error}"))?;
    let all = said(&output);
    if !output.status.success() {
        return Err(all);
    }
    if all.contains("key-data") || read(file)?.lines().any(|line| is_key(line, &all)) {
        return Err("the key was shown".into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a line has a key that is in what was shown.
fn is_key(line: &str, shown: &str) -> bool {
    line.trim().strip_prefix("client-key-data: ").is_some_and(|key| shown.contains(key))
}

fn hidden(config: &str) -> String {
    let lines = config.lines().filter(|line| !line.contains("-data: "));
    lines.collect::<Vec<_>>().join("\n")
}

fn read(file: &Path) -> Step<String> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

/// The files beside `file`, and itself.
fn names(file: &Path) -> Step<Vec<String>> {
    let folder = file.parent().ok_or("no folder")?;
    let entries = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
    Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// The Helm CLI of the lab.
fn helm(config: &str) -> Step<String> {
    let text = std::fs::read_to_string(config).map_err(|error| error.to_string())?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let binary = table.get("helm").and_then(|helm| helm.get("binary")).and_then(toml::Value::as_str);
    binary.map(str::to_owned).ok_or_else(|| "the lab's cluster.toml names no Helm CLI".into())
}
