//! What a user's `cluster.toml` and `--set` do to a run.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output},
};

use tempfile::TempDir;

/// Runs `k3srun -e SCRIPT ARGUMENTS` in a folder of its own with the example as `cluster.toml`, some of its pieces replaced.
fn run(replacements: &[(&str, &str)], script: &str, arguments: &[&str]) -> (Output, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = include_str!("../cluster.toml.example").to_owned();
    for (old, new) in replacements {
        assert!(config.contains(old), "nothing to replace: {old}");
        config = config.replacen(old, new, 1);
    }
    fs::write(folder.path().join("cluster.toml"), config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_k3srun"))
        .args(["-e", script])
        .args(arguments)
        .current_dir(&folder)
        .env("XDG_STATE_HOME", folder.path().join("state"))
        .env("OF_SUDO", "correct horse")
        .output()
        .unwrap();
    (output, folder)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn script_reads_the_settings() {
    let script = r#"let c = config::load(); print(`${c.master.name} ${c.workers[0].private_ip} ${c.nodes.len()}`)"#;
    let (output, _folder) = run(&[], script, &["--set", "nodes.worker.private_ip=10.0.0.9"]);
    assert_eq!(stdout(&output), "master 10.0.0.9 2\n", "{}", stderr(&output));
}

#[test]
fn another_file_is_named_with_an_option() {
    let (output, folder) = run(&[], "config::load()", &["-c", "no-such.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("the configuration no-such.toml does not exist"));
    assert!(stderr(&output).contains("copy cluster.toml.example"));
    drop(folder);
}

#[test]
fn bad_settings_end_the_run_before_anything_is_changed() {
    let script = r#"config::load(); local().write("changed", "")"#;
    let mistakes = [
        ("role = \"worker\"", "role = \"worker\"\nprivate_ipp = \"10.0.0.2\""),
        ("\nversion = \"v1.36.5+k3s1\"", "\nversion = \"latest\""),
    ];
    let (output, folder) = run(&mistakes, script, &["--set", "ssh.port=no"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!folder.path().join("changed").exists());
    let shown = stderr(&output);
    for part in [
        "has 3 problems",
        "[cluster.toml:22:11]",
        "`k3s.version` is not the version of a k3s release",
        "did you mean `private_ip`?",
        "[--set:1:10]",
        "write a port from 1 to 65535",
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
}

#[test]
fn what_the_architecture_relies_on_is_refused_all_at_once() {
    let script = r#"import "cluster" as cluster; print(cluster::load().k3s.kubelet_args)"#;
    let wrong = [
        "k3s.version=v1.33.9+k3s1",
        "k3s.kubelet_args=max-pods=200,node-ip=10.0.0.9",
        "k3s.controller_manager_args=cluster-cidr=10.0.0.0/8",
    ];
    let sets: Vec<&str> = wrong.iter().flat_map(|set| ["--set", set]).collect();
    let (output, _folder) = run(&[], script, &sets);
    let shown = stderr(&output).replace("\n  │ ", " ");
    for part in [
        "k3s.version: v1.33.9+k3s1 is older than Kubernetes 1.34",
        "k3s.kubelet_args: node-ip can't be set here: `private_ip` in [[nodes]]",
        "k3s.controller_manager_args: cluster-cidr can't be set here: `pod_cidr` in [cluster]",
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    assert_eq!((output.status.code(), shown.contains("max-pods")), (Some(2), false), "{shown}");

    let gone = ["--set", "k3s.kubelet_args=pod-infra-container-image=pause"];
    let (output, _folder) = run(&[], script, &gone);
    assert!(stderr(&output).contains("doesn't know pod-infra-container-image any more"), "{}", stderr(&output));

    let (output, _folder) = run(&[], script, &["--set", "k3s.kubelet_args=max-pods=200"]);
    assert_eq!(stdout(&output), "[\"max-pods=200\"]\n", "{}", stderr(&output));
}

#[test]
fn problems_are_in_the_json_report_too() {
    let (output, _folder) = run(&[("\"10.0.0.2\"", "\"10.0.0.1\"")], "config::load()", &["--output", "json"]);
    let events = stdout(&output);
    let events = events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let failed = events.into_iter().find(|event| event["event"] == "failed").unwrap();
    assert_eq!(failed["kind"], "refused");
    let help = failed["help"].as_str().unwrap();
    assert!(help.starts_with("cluster.toml:"), "{help}");
    assert!(help.contains("`nodes.master.private_ip` and `nodes.worker.private_ip` are the same: 10.0.0.1"), "{help}");
}

#[test]
fn password_is_read_and_never_shown() {
    let password = ["--set", "ssh.sudo=true", "--set", "ssh.sudo_password_env=OF_SUDO"];
    let (output, folder) = run(&[], "print(config::load().master.ssh.options)", &password);
    assert!(stdout(&output).contains(r#""sudo_password": ***"#), "{} {}", stdout(&output), stderr(&output));
    assert!(!stdout(&output).contains("correct horse"));
    for log in fs::read_dir(folder.path().join("state/k3srun/runs/ad-hoc")).unwrap() {
        assert!(!fs::read_to_string(log.unwrap().path()).unwrap().contains("correct horse"));
    }
}

#[test]
fn settings_of_a_node_are_what_connecting_takes() {
    let script = "let n = config::load().workers[0]; ssh::connect(n.ssh.destination, n.ssh.options)";
    let nowhere = ["--set", "nodes.worker.ssh=root@127.0.0.1", "--set", "ssh.port=1"];
    let password = ["--set", "ssh.sudo=true", "--set", "ssh.sudo_password_env=OF_SUDO"];
    let (output, _folder) = run(&[], script, &[nowhere, password].concat());
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
}

#[test]
fn secret_is_refused_where_it_might_be_shown() {
    let (output, _folder) = run(&[], r#"ssh::connect("127.0.0.1", #{ user: secret("correct horse") })"#, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("option `user` takes no secret"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("correct horse"));
}

#[test]
fn the_secrets_of_an_app_are_read_where_it_is_deployed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, "hunter2\n").unwrap();
    let app = "let app = #{ name: \"web\", image: \"web:1\", host: \"www.example.org\", secrets: #{ A: #{ env: \"K3SRUN_NOT_SET\" }, \
               B: #{ file: args()[0] }, C: secret(\"hunter2\") } };";
    let ask = |rest: &str| {
        let script = folder.path().join("ask.rhai");
        fs::write(&script, format!("{app}\n{rest}\n")).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_k3srun"))
            .args([&script, &file])
            .env("XDG_STATE_HOME", folder.path().join("state"))
            .env_remove("K3SRUN_NOT_SET")
            .output()
            .unwrap();
        let said = stdout(&output) + &stderr(&output);
        assert!(!said.contains("hunter2"), "{said}");
        (output.status.success(), said)
    };
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let (_, said) = ask("for problem in config::app_problems(app) { print(problem) }");
    assert!(
        said.contains("`secrets.A` names an environment variable that is not set: \"K3SRUN_NOT_SET\"; set it"),
        "{said}"
    );
    assert!(said.contains("`secrets.B` names a file that others can use"), "{said}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let (right, said) = ask("app.secrets.A = secret(\"x\"); let it = config::app(app); \
         if `${it.secrets}`.contains(\"hunter\") || it.secrets.len() != 3 || it.user != 65532 { fail(\"no\") }");
    assert!(right, "{said}");
}
