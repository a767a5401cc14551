//! Labs of other kinds: with several workers, with another Debian, with hosts that have little.

use std::fs;

use crate::fixture::{Lab, text};

const RELEASE: &str = ". /etc/os-release; echo $VERSION_ID";

#[test]
fn a_lab_has_as_many_workers_as_are_asked_for() {
    let lab = Lab::with("two", &["--workers", "2"]);
    let (status, _) = lab.ok(&["status"]);
    assert!(status.contains("worker2   running       203.0.113.12  10.77.0.12"), "{status}");
    assert_eq!(text(&mut lab.ssh("worker2-jump", "hostname")), "worker2");
    assert!(lab.pings("worker", "10.77.0.12") && lab.pings("internet", "2001:db8:1::12"));
    let look_up = |name: &str| lab.exec("master", &format!("getent ahostsv4 {name} | cut -d ' ' -f 1 | sort -u"));
    assert_eq!(look_up("app.example.test"), "203.0.113.11\n203.0.113.12");
    assert_eq!(look_up("site.worker2.example.test"), "203.0.113.12");

    let mut load = lab.command();
    load.arg("-c").arg(lab.state().join("cluster.toml"));
    load.args(["-e", "let c = config::load(); print(c.workers.map(|w| `${w.name} ${w.private_ip}`))"]);
    assert_eq!(text(&mut load), r#"["worker 10.77.0.11", "worker2 10.77.0.12"]"#);

    // Without options it stays what it is; it doesn't become another one.
    assert!(lab.ok(&["up"]).1.contains(" 0 changed"));
    lab.refuses(&["up", "--workers", "3"], "is there already, with Debian 13, 2 workers");
    lab.ok(&["cut", "worker2.private"]);
    assert!(!lab.pings("worker", "10.77.0.12"));
    lab.ok(&["down"]);
    lab.assert_gone();
}

#[test]
fn machines_have_the_debian_that_is_asked_for() {
    let lab = Lab::with("twelve", &["--debian", "12"]);
    assert_eq!(text(&mut lab.ssh("worker", RELEASE)), "12");
    assert_eq!(lab.exec("tenant", RELEASE), "12");
}

#[test]
fn minimal_hosts_have_coreutils_and_sudo_in_rust_and_lack_what_small_ones_lack() {
    let lab = Lab::with("little", &["--minimal"]);
    assert_eq!(text(&mut lab.ssh("master", RELEASE)), "13");
    let found = "for program in curl wget socat nc perl python3; do command -v $program; done; true";
    assert_eq!(text(&mut lab.ssh("master", found)), "");
    for program in ["ls", "df", "stat", "date", "install", "env"] {
        let target = text(&mut lab.ssh("master", &format!("readlink -f $(command -v {program})")));
        assert_eq!(target, "/usr/bin/coreutils", "{program}");
    }
    let password = fs::read_to_string(lab.state().join("ops-password")).unwrap();
    assert_eq!(text(&mut lab.ssh("ops@worker", &format!("echo {password} | sudo -S -p '' id -un"))), "root");
    assert!(!lab.ssh("ops@worker", "sudo -n true").output().unwrap().status.success());
    assert!(lab.exec("internet", "command -v curl").ends_with("/curl"), "bystanders have what tests need");
}
