//! What `host.ensure([..])` does to a host, as a user's script sees it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::Path;

use support::sshd::Sshd;
use support::{events_of, k3srun, said};

#[test]
fn hundred_resources_with_nothing_to_do_cost_one_connection_and_few_round_trips() {
    let sshd = Sshd::start();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("hundred.rhai");
    fs::write(&script, hundred(&sshd.connect(), &folder.path().join("box"))).unwrap();
    let first = k3srun(folder.path()).arg(&script).output().unwrap();
    assert!(first.status.success(), "{}", said(&first));
    let (connections, sessions) = (sshd.connections(), sshd.sessions());

    let second = k3srun(folder.path()).args(["--output", "json"]).arg(&script).output().unwrap();

    assert!(second.status.success(), "{}", said(&second));
    let finished = &events_of(&second, "run_finished")[0];
    assert_eq!((&finished["changed"], &finished["ok"]), (&0.into(), &100.into()), "{}", said(&second));
    let conversation = &events_of(&second, "connection")[0];
    assert!(conversation["channels"].as_u64().unwrap() <= 3, "{conversation}");
    assert!(conversation["round_trips"].as_u64().unwrap() <= 4, "{conversation}");
    assert_eq!(sshd.connections() - connections, 1, "{}", sshd.log());
    let sessions = sshd.sessions() - sessions;
    assert!((1..=3).contains(&sessions), "{sessions} sessions\n{}", sshd.log());
    assert_eq!(conversation["channels"], sessions, "the count of channels is not what sshd saw");
}

/// A script with 100 resources of all kinds that a test may put anywhere.
fn hundred(host: &str, root: &Path) -> String {
    format!(
        r#"
let host = {host};
let root = "{root}";
let wanted = [packages(["coreutils", "dpkg"]), absent(root + "/nothing"), directory("/tmp")];
for n in 0..24 {{ wanted.push(directory(`${{root}}/d${{n}}`, #{{ mode: "0750" }})) }}
for n in 0..24 {{ wanted.push(file(`${{root}}/d${{n}}/file`, #{{ content: `content of ${{n}}\n`, mode: "0640" }})) }}
for n in 0..24 {{ wanted.push(symlink(`${{root}}/d${{n}}/link`, "file")) }}
for n in 0..24 {{ wanted.push(command(`note ${{n}}`, #{{ run: `touch ${{root}}/note${{n}}`, creates: `${{root}}/note${{n}}` }})) }}
wanted.push(command("guarded", #{{ run: `echo yes >${{root}}/guarded`, unless: `grep -q yes ${{root}}/guarded` }}));
host.ensure(wanted);
"#,
        root = root.display()
    )
}
