//! What a machine can't do to the box that it runs on.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::fixture::{Lab, text};

/// Capabilities by their numbers: they are for what has no namespace, and what no node of a cluster needs.
const OF_THE_BOX: [(&str, u32); 9] = [
    ("CAP_SYS_MODULE", 16),
    ("CAP_SYS_RAWIO", 17),
    ("CAP_SYS_PACCT", 20),
    ("CAP_SYS_TIME", 25),
    ("CAP_MAC_OVERRIDE", 32),
    ("CAP_MAC_ADMIN", 33),
    ("CAP_WAKE_ALARM", 35),
    ("CAP_BLOCK_SUSPEND", 36),
    ("CAP_AUDIT_READ", 37),
];

/// In the time zone of a machine, eight hours from that of the box: what a file of a time zone says.
const ZONE: &str = r"mkdir -p /usr/share/zoneinfo/Asia && {
    printf 'TZif'; head -c 32 /dev/zero; printf '\0\0\0\1\0\0\0\4\0\0\160\200\0\0CST\0'
} >/usr/share/zoneinfo/Asia/Shanghai && timedatectl set-timezone Asia/Shanghai && date +%z";

/// The time of the box, in seconds since it booted: it jumps when somebody sets the clock.
fn boot_time() -> Duration {
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let seconds = uptime.split(' ').next().unwrap().parse().unwrap();
    SystemTime::UNIX_EPOCH.elapsed().unwrap() - Duration::from_secs_f64(seconds)
}

/// Fails if what `status` tells of a process can do what is the box's.
fn assert_harmless(what: &str, status: &str) {
    for set in ["CapPrm:", "CapEff:", "CapBnd:"] {
        let line = status.lines().find(|line| line.starts_with(set)).unwrap();
        let mask = u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap();
        for (name, number) in OF_THE_BOX {
            assert_eq!(mask >> number & 1, 0, "{what} has {name}: {line}");
        }
    }
}

#[test]
fn a_machine_cannot_touch_the_clock_nor_other_settings_of_the_box() {
    let lab = Lab::up("limits");
    let own = "cat /proc/self/status";
    for place in ["master", "internet", "admin", "tenant"] {
        let first = text(Command::new(lab.state().join("machine")).args([&lab.name, "leader", place]));
        assert_harmless(place, &fs::read_to_string(format!("/proc/{first}/status")).unwrap());
        assert_harmless(&format!("the console of {place}"), &lab.exec(place, own));
    }
    assert_harmless("a login", &text(&mut lab.ssh("master", own)));

    // Only now is it safe to try.
    let before = boot_time();
    assert_eq!(text(&mut lab.ssh("master", ZONE)), "+0800");
    lab.exec("master", "printf '0 0 0\\n0\\nLOCAL\\n' >/etc/adjtime");
    lab.ok(&["reboot", "master"]);
    assert_eq!(text(&mut lab.ssh("master", "date +%z; systemctl is-active chrony")), "+0800\nactive");
    let moved = boot_time().abs_diff(before);
    assert!(moved < Duration::from_secs(60), "the clock of the box has moved by {moved:?}");

    // What is written is what is there already.
    let write = |setting: &str| lab.ssh("master", &format!("sysctl -w {setting}=$(sysctl -n {setting})")).output();
    for setting in ["vm.max_map_count", "kernel.pid_max", "fs.file-max", "kernel.core_pattern"] {
        assert!(!write(setting).unwrap().status.success(), "a machine can write {setting}");
    }
    for setting in ["vm.overcommit_memory", "kernel.panic", "net.ipv4.ip_forward", "kernel.msgmax"] {
        assert!(write(setting).unwrap().status.success(), "a machine can't write {setting}");
    }
}
