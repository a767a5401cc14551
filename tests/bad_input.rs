//! Bad input: each case ends with one error that says what is wrong, where, and what to do, with the right exit status,
//! and changes nothing. What users see of it is in `tests/snapshots/bad_input__*.snap`, to be read like a manual.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

/// The user `nobody`, for what root may do in any case.
const NOBODY: u32 = 65534;

/// The files of the folder in which every case runs, beside the `cluster.toml` of the example.
const FILES: &[(&str, &[u8])] = &[
    ("play.rhai", b"// Says hello twice.\nphase(\"first\", || log(\"1\"));\nphase(\"second\", || log(\"2\"));\n"),
    ("load.rhai", b"let c = config::load();\nlocal().run(`touch ${c.cluster.name}`);\n"),
    ("empty.rhai", b"\n"),
    ("syntax.rhai", b"let nodes = [1, 2;\n"),
    ("latin1.rhai", b"print(\"caf\xe9\");\n"),
    ("program.rhai", b"\x7fELF\x02\x01\x01\0\0\0"),
    ("circle.rhai", b"import \"./circle\" as circle;\n"),
    ("private.rhai", b"print(1);\n"),
    ("private.toml", b"[cluster]\n"),
    ("syntax.toml", b"[cluster\nname = \"prod\"\n"),
    ("scripts/hello.rhai", b"log(\"hello\");\n"),
];

/// The program where `nobody` may run it, too.
static PROGRAM: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(env!("CARGO_BIN_EXE_k3srun"), folder.path().join("k3srun")).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
});

/// Runs all cases, each a command line, and compares what a user sees with the snapshot `name`.
fn check(name: &str, cases: &[&[&str]]) {
    let shown: Vec<String> = cases.iter().map(|arguments| transcript(arguments)).collect();
    insta::with_settings!({ prepend_module_to_snapshot => true, omit_expression => true }, {
        insta::assert_snapshot!(name, shown.join("\n"));
    });
}

/// Runs an expression each.
fn check_expressions(name: &str, expressions: &[&str]) {
    let cases: Vec<[&str; 2]> = expressions.iter().map(|expression| ["-e", *expression]).collect();
    check(name, &cases.iter().map(<[&str; 2]>::as_slice).collect::<Vec<_>>());
}

fn transcript(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("work");
    fs::create_dir_all(work.join("scripts")).unwrap();
    fs::write(work.join("cluster.toml"), include_str!("../cluster.toml.example")).unwrap();
    for (name, content) in FILES {
        let mode = if name.starts_with("private") { 0o000 } else { 0o644 };
        fs::write(work.join(name), content).unwrap();
        fs::set_permissions(work.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    let mut command = Command::new(PROGRAM.path().join("k3srun"));
    let private = arguments.iter().any(|argument| argument.starts_with("private"));
    if private && fs::read(work.join("private.rhai")).is_ok() {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    let before = listing(&work);
    let output = command
        .args(arguments)
        .current_dir(&work)
        .env_clear()
        .envs([("HOME", home.as_os_str()), ("PATH", "/usr/bin:/bin:/usr/sbin:/sbin".as_ref())])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    let status = output.status.code().unwrap();
    assert_eq!(listing(&work), before, "something was changed by {arguments:?}");
    let others = fs::read_dir(&home).unwrap().filter(|entry| entry.as_ref().unwrap().file_name() != ".local").count();
    assert_eq!(others, 0, "a file besides the run log was made by {arguments:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "{arguments:?}");
    assert!((1..=4).contains(&status), "{arguments:?}: {status}\n{error}");
    let heads = error.lines().filter(|line| line.starts_with("error:") || line.starts_with("  ×")).count();
    // A configuration's problems follow the error that says how many there are.
    assert!(heads == 1 || error.contains("× the configuration"), "one error, please: {error}");
    format!("$ k3srun {}\n{}exit status {status}\n", arguments.join(" "), normal(&error))
}

/// The folder's files with their contents; of the unreadable ones their names.
fn listing(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(listing(&path));
        }
        files.insert(path.display().to_string(), fs::read(&path).unwrap_or_default());
    }
    files
}

/// Without the time that the run took and the name of its log.
fn normal(text: &str) -> String {
    let line = |line: &str| match line.split_once("  log: ") {
        Some((summary, _)) if summary.starts_with("failed after") => {
            let (_, counts) = summary.split_once(": ").unwrap();
            format!("failed after TIME: {counts}  log: ~/.local/state/k3srun/runs/TIME.log\n")
        }
        _ => format!("{}\n", line.trim_end()),
    };
    text.lines().map(line).collect()
}

#[test]
fn command_line() {
    check(
        "command_line",
        &[
            // An option of ours misspelt: never taken for the script's, which might take no notice of it.
            &["--plna", "play.rhai"],
            &["play.rhai", "--plna"],
            &["play.rhai", "--config"],
            &["play.rhai", "--output", "yaml"],
            &["play.rhai", "-q", "-v"],
            &["-e", "1", "-e", "2"],
            &["-e", " "],
            // Words that nobody would look at.
            &["play.rhai", "worker"],
            &["play.rhai", "--force"],
            // Phases are compared with those of the script before it starts.
            &["play.rhai", "--only", "frist"],
            &["play.rhai", "--skip", "first,third"],
            &["scripts/hello.rhai", "--from", "base"],
            &["play.rhai", "--stdlib", "nowhere"],
            &["play.rhai", "--stdlib", "play.rhai"],
            &["play.rhai", "--set", "k3s.version=v1.36.5+k3s1"],
            &["completions", "tcsh"],
            &["check"],
            &["check", "missing.rhai"],
        ],
    );
}

#[test]
fn scripts() {
    check(
        "scripts",
        &[
            &["missing.rhai"],
            &["play"],
            &["hello"],
            &["scripts"],
            &["private.rhai"],
            &["empty.rhai"],
            &["-"],
            &["latin1.rhai"],
            &["program.rhai"],
            &["syntax.rhai"],
            &["circle.rhai"],
            &["-e", "import \"clustr\" as cluster;"],
            &["-e", "nodes.len()"],
            &["-e", "frobnicate(1)"],
        ],
    );
}

#[test]
fn config_and_overrides() {
    check(
        "config",
        &[
            &["load.rhai", "-c", "missing.toml"],
            &["load.rhai", "-c", "scripts"],
            &["load.rhai", "-c", "private.toml"],
            &["load.rhai", "-c", "syntax.toml"],
            &["load.rhai", "--set", "cluster.name"],
            &["load.rhai", "--set", "cluster.nmae=prod"],
            &["load.rhai", "--set", "nodes.wroker.private_ip=10.0.0.9"],
            &["load.rhai", "--set", "nodes.worker.private_ip=10.0.0"],
            &["load.rhai", "--set", "nodes.worker.private_ip=10.0.0.1"],
            &["load.rhai", "--set", "k3s=v1.36.5+k3s1"],
            &["load.rhai", "--set", "k3s.version=latest", "--set", "ssh.port=0"],
            &["load.rhai", "--set", "ssh.sudo=true", "--set", "ssh.sudo_password_env=NOT_SET"],
        ],
    );
}

#[test]
fn functions() {
    check_expressions(
        "functions",
        &[
            r#"local().run("touch x", #{ tiemout: 1 })"#,
            r#"local().run("touch x", #{ timeout: "soon" })"#,
            r#"local().run(1)"#,
            r#"ssh::connect("127.0.0.1", #{ port: 70000 })"#,
            r#"ssh::connect("127.0.0.1", #{ sudo: "yes" })"#,
            r#"ssh::connect("127.0.0.1", #{ user: secret("correct horse") })"#,
            r#"retry(#{ attemps: 3 }, || local().run("touch x"))"#,
            r#"phase("base", 1)"#,
            r#"confirm("Remove everything?")"#,
            r#"play("missing.rhai", #{})"#,
            r#"firewall::apply(local(), #{ sources: #{}, opne: [] })"#,
            r#"firewall::apply(local(), #{ sources: #{ admin: #{ networks: ["10.0.0.300"] } }, open: [] })"#,
            r#"firewall::apply(local(), #{ sources: #{}, open: [#{ port: 70000, protocol: "tcp", to: "internet" }] })"#,
            r#"firewall::apply(local(), #{ sources: #{ admin: #{ networks: [] }, Office: #{} }, open: [#{ port: 22, protocol: "tcp", to: "admn" }] })"#,
            r#"local().upload("missing.txt", "/tmp/x")"#,
            r#"fail("the disk is too small", "rent a larger one")"#,
        ],
    );
}

#[test]
fn resources() {
    check_expressions(
        "resources",
        &[
            r#"file("/etc/motd", #{ contnet: "hello" })"#,
            r#"file("/etc/motd", #{ content: "hello", source: "motd" })"#,
            r#"file("/etc/motd", #{ content: "hello", mode: 644 })"#,
            r#"local().ensure([file("etc/motd", #{ content: "hello" })])"#,
            r#"local().ensure(["/etc/motd"])"#,
            r#"local().ensure([sysctl("vm swappiness", 10)])"#,
            r#"service("k3s", #{ state: "runing" })"#,
            r#"command("setup", #{})"#,
            r#"local().ensure([sshd(#{ "Password Authentication": false, PermitRootLogin: "\n" })])"#,
        ],
    );
}

#[test]
fn destinations() {
    check_expressions(
        "destinations",
        &[
            r#"ssh::connect("")"#,
            r#"ssh::connect("root@")"#,
            r#"ssh::connect("my host")"#,
            // Nothing that ssh could take for an option.
            r#"ssh::connect("-oProxyCommand=touch x")"#,
            r#"ssh::connect("ssh://host:notaport")"#,
        ],
    );
}
