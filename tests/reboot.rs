//! `host.reboot`. Only the reboot itself is a stand-in here; the machines of the lab reboot for real.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::playbook::Playbook;
use support::sshd::Sshd;

#[test]
fn reboot_waits_for_the_new_boot_id_and_connects_again() {
    let sshd = Sshd::that_reboots();
    let script = format!(
        "let h = {}; let before = h.facts.boot_id; h.reboot(#{{ timeout: 60 }});
         print(`${{before}} ${{h.facts.boot_id}}`); print(h.query(\"echo back\").stdout)",
        sshd.connect()
    );
    let finished = Playbook::new(&script).run();
    assert!(finished.stderr.contains("box: back after"), "{}", finished.stderr);
    assert_eq!(finished.printed(), "first second\nback\n");
}

#[test]
fn a_host_that_does_not_go_down_is_an_error_with_the_remedy() {
    let sshd = Sshd::that_reboots();
    std::fs::write(sshd.path("systemctl"), "#!/bin/sh\n").unwrap();
    let finished = Playbook::new(&format!("{}.reboot(#{{ timeout: 3 }})", sshd.connect())).run();
    assert_eq!(finished.status, Some(3), "{}", finished.stderr);
    assert!(finished.stderr.contains("box: it is not back 3 s after the reboot"), "{}", finished.stderr);
    assert!(finished.stderr.contains("it still runs and has not gone down"), "{}", finished.stderr);
    assert!(finished.stderr.contains("look at its console"), "{}", finished.stderr);
}

#[test]
fn a_plan_does_not_reboot() {
    let sshd = Sshd::that_reboots();
    let finished = Playbook::new(&format!("{}.reboot()", sshd.connect())).option("--plan").run();
    assert!(finished.stderr.contains("would run: reboot"), "{}", finished.stderr);
    assert_eq!(std::fs::read_to_string(sshd.path("boot_id")).unwrap(), "first\n");
}

#[test]
fn the_own_machine_is_not_rebooted() {
    let finished = Playbook::new("local().reboot()").run();
    assert_eq!(finished.status, Some(2));
    assert!(finished.stderr.contains("local: k3srun can't reboot the machine that it runs on"), "{}", finished.stderr);
}
