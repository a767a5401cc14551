//! Labs that are saved, and go on under other names.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::fixture::{Lab, entries, text};

#[test]
fn a_saved_lab_goes_on_in_several_at_once() {
    let lab = Lab::with("first", &["--debian", "12"]);
    assert_eq!(lab.ok(&["saved"]).0, "no lab is saved");
    lab.exec("worker", "echo before >/root/kept; mkfifo /root/pipe; chown ops /root/kept");
    let started = lab.exec("worker", "cat /proc/sys/kernel/random/boot_id");
    lab.ok(&["save", "kept"]);
    lab.refuses(&["save", "kept"], "there is a saved lab kept already");
    let (list, _) = lab.ok(&["saved"]);
    assert!(list.starts_with("kept ") && list.contains("Debian 12, 1 worker, k3s v1.34.4+k3s1"), "{list}");

    // The lab itself goes on, and its further life isn't in what was saved.
    lab.ok(&["power-on", "worker"]);
    assert_ne!(lab.exec("worker", "cat /proc/sys/kernel/random/boot_id; echo after >/root/kept"), started);
    let journal = lab.exec("worker", "journalctl -b -1 -o cat");
    assert!(journal.contains("Reached target") && journal.contains("Shutdown"), "it was not shut down: {journal}");

    let (one, two) = (lab.beside("one"), lab.beside("other"));
    for another in [&one, &two] {
        another.ok(&["up", "--saved", "kept"]);
        let seen = "hostname; cat /root/kept; stat -c %U /root/kept; stat -c %F /root/pipe";
        assert_eq!(text(&mut another.ssh("worker", seen)), "worker\nbefore\nops\nfifo");
        assert_eq!(another.exec("worker", "cat /etc/machine-id"), lab.exec("worker", "cat /etc/machine-id"));
        another.exec("worker", "rm /root/kept");
    }
    assert!(one.pings("admin", "203.0.113.11"));
    one.refuses(&["up", "--saved", "kept"], "is there already");
    let again = one.ok(&["up"]).1;
    assert!(again.contains(" 0 changed"), "{again}");

    // A lab needs nothing of the one that was saved, nor of the copy.
    lab.ok(&["forget", "kept"]);
    assert_eq!(lab.ok(&["saved"]).0, "no lab is saved");
    lab.ok(&["down"]);
    one.ok(&["reboot", "worker"]);
    assert_eq!(text(&mut one.ssh("master-jump", "hostname")), "master");
    for one in [&one, &two] {
        one.ok(&["down"]);
        one.assert_gone();
    }
}

#[test]
fn a_copy_that_fails_leaves_nothing() {
    let lab = Lab::up("full");
    let saved = lab.folder.path().join("state/k3srun/saved");
    fs::create_dir_all(&saved).unwrap();
    text(Command::new("mount").args(["-t", "tmpfs", "-o", "size=20m", "tmpfs"]).arg(&saved));
    let failed = lab.run(&["save", "kept"]);
    let left = entries(&saved);
    text(Command::new("umount").arg(&saved));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("No space left"));
    assert_eq!(left, Vec::<PathBuf>::new());
    assert_eq!(lab.ok(&["saved"]).0, "no lab is saved");
    assert!(!lab.ok(&["status"]).0.contains(" off "), "the machines got no power back");
}
