//! What a user does with `scripts/lab.rhai`. The machines are real: this takes root on Linux, and a minute.
//! The Debian image is kept in the user's cache, as it is for the user.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixture;
mod kinds;
mod limits;
mod saved;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use fixture::{Lab, entries, text};

#[test]
fn up_makes_two_machines_and_down_leaves_nothing() {
    let lab = Lab::up("life");
    let (status, _) = lab.ok(&["status"]);
    for place in ["master    running", "worker    running", "internet  on", "admin     on", "tenant    on"] {
        assert!(status.contains(place), "{status}");
    }
    assert_eq!(text(&mut lab.ssh("master", "hostname; systemctl is-system-running")), "master\nrunning");
    let mut load = lab.command();
    load.arg("-c").arg(lab.state().join("cluster.toml"));
    load.args(["-e", "let c = config::load(); print(`${c.cluster.name} ${c.master.name} ${c.workers.len()}`)"]);
    assert_eq!(text(&mut load), format!("{} master 1", lab.name));
    let (_, again) = lab.ok(&["up", "--bare", "--k3s", lab.k3s().to_str().unwrap()]);
    assert!(again.contains(" 0 changed"), "{again}");
    let locks = lab.locks();
    assert_eq!(locks.len(), 3);
    lab.ok(&["down"]);
    lab.assert_gone();
    assert!(locks.iter().all(|lock| !lock.exists()));
    let (_, again) = lab.ok(&["down"]);
    assert!(again.contains(" 0 changed"), "{again}");
}

#[test]
fn every_way_to_connect_works_with_strict_host_keys() {
    let lab = Lab::up("ways");
    let from = |host: &str| text(&mut lab.ssh(host, "echo ${SSH_CONNECTION% *}"));
    assert!(from("master").starts_with("198.51.100.10 ") && from("master").ends_with(" 203.0.113.10"));
    assert!(from("worker-ipv6").starts_with("2001:db8:2::10 ") && from("worker-ipv6").ends_with(" 2001:db8:1::11"));
    assert!(from("worker-jump").starts_with("198.51.100.10 "));
    assert_eq!(text(&mut lab.ssh("admin", "hostname")), "admin");

    let password = fs::read_to_string(lab.state().join("ops-password")).unwrap();
    let mode = fs::metadata(lab.state().join("ops-password")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!lab.ssh("ops@master", "sudo -n true").output().unwrap().status.success());
    assert_eq!(text(&mut lab.ssh("ops@master", &format!("echo {password} | sudo -S -p '' id -un"))), "root");

    fs::write(lab.state().join("known_hosts"), "").unwrap();
    let stranger = lab.ssh("master", "true").output().unwrap();
    assert!(String::from_utf8_lossy(&stranger.stderr).contains("Host key verification failed"));
}

#[test]
fn the_networks_connect_who_they_should() {
    let lab = Lab::up("nets");
    assert!(lab.pings("tenant", "10.77.0.10") && lab.pings("master", "fd4b:3373:77::11"));
    assert!(lab.pings("internet", "203.0.113.11") && lab.pings("admin", "2001:db8:1::10"));
    assert!(!lab.pings("tenant", "203.0.113.10"), "the private network has no way out");
    assert_eq!(lab.exec("internet", "ip -o route get 203.0.113.10 | grep -o 'src [0-9.]*'"), "src 192.0.2.10");

    lab.ok(&["cut", "worker.private"]);
    assert!(!lab.pings("master", "10.77.0.11") && lab.pings("master", "10.77.0.66"));
    assert_eq!(lab.exec("worker", "cat /sys/class/net/eth1/operstate"), "up", "a cut link keeps its carrier");
    assert!(lab.ok(&["status"]).0.contains("cut       worker.private"));
    lab.ok(&["reboot", "worker"]);
    assert!(!lab.pings("master", "10.77.0.11"), "a cut link stays cut over a restart");
    lab.ok(&["restore", "worker.private"]);
    assert!(lab.pings("master", "10.77.0.11"));
}

#[test]
fn machines_reboot_and_lose_power_like_real_ones() {
    let lab = Lab::up("power");
    let facts = "cat /etc/machine-id /sys/class/net/eth*/address; cat /proc/sys/kernel/random/boot_id";
    let before = lab.exec("master", facts);
    lab.exec("master", "nft add table inet leftover; ip link add leftover type bridge; touch /root/kept");
    lab.exec("master", "cd /sys/fs/cgroup; [ ! -e pids ] || cd pids; mkdir -p leftover/pod");
    lab.ok(&["reboot", "master"]);
    let after = lab.exec("master", facts);
    let identity = |facts: &str| facts.rsplit_once('\n').unwrap().0.to_owned();
    assert_eq!(identity(&before), identity(&after));
    assert_ne!(before, after, "a new boot has a new boot id");
    let rests =
        "nft list ruleset; ip link show leftover 2>/dev/null; find /sys/fs/cgroup -name leftover; ls /root/kept";
    assert_eq!(lab.exec("master", rests), "/root/kept");
    assert_eq!(text(&mut lab.ssh("master", "hostname")), "master");

    lab.ok(&["power-off", "master"]);
    assert!(lab.ok(&["status"]).0.contains("master    off"));
    assert!(!lab.pings("worker", "203.0.113.10"));
    let refused = lab.run(&["exec", "master", "true"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("master is off"));
    lab.ok(&["power-on", "master"]);
    assert_eq!(lab.exec("master", "ls /root/kept"), "/root/kept");

    // From inside, too.
    lab.exec("worker", "systemctl poweroff");
    for _ in 0..100 {
        if lab.ok(&["status"]).0.contains("worker    off") {
            break;
        }
    }
    assert!(lab.ok(&["status"]).0.contains("worker    off"));
}

#[test]
fn a_command_ends_with_the_machine_in_which_it_runs() {
    let lab = Lab::up("ends");
    for _ in 0..3 {
        let mut console = Command::new(lab.state().join("machine"));
        console.args([&lab.name, "console", "master", "sleep 600"]).stderr(Stdio::null());
        let mut sleeping = console.spawn().unwrap();
        lab.ok(&["reboot", "master"]);
        let ended = (0..50).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            sleeping.try_wait().unwrap().is_some()
        });
        sleeping.kill().unwrap();
        sleeping.wait().unwrap();
        assert!(ended, "it outlived the machine");
    }
}

#[test]
fn labs_stand_side_by_side_and_do_not_meet() {
    let (one, two) = (Lab::up("one"), Lab::up("two"));
    one.exec("master", "echo one >/etc/motd");
    two.exec("master", "echo two >/etc/motd");
    assert_eq!(text(&mut one.ssh("master", "cat /etc/motd")), "one");
    assert_eq!(text(&mut two.ssh("master", "cat /etc/motd")), "two");
    assert_ne!(one.exec("master", "cat /etc/machine-id"), two.exec("master", "cat /etc/machine-id"));
    one.ok(&["down"]);
    one.assert_gone();
    assert_eq!(text(&mut two.ssh("worker", "hostname")), "worker");
}

#[test]
fn a_lab_that_crashed_is_repaired_or_removed() {
    let lab = Lab::up("crash");
    let nspawn = |machine: &str| {
        let name = format!("--machine=k3l-{}-{machine}\0", lab.name);
        let is_it = |process: &PathBuf| fs::read_to_string(process.join("cmdline")).unwrap_or_default().contains(&name);
        entries(Path::new("/proc")).into_iter().find(is_it).unwrap()
    };
    let kill = |process: PathBuf| {
        let id = process.file_name().unwrap().to_string_lossy().into_owned();
        text(Command::new("kill").args(["-KILL", &id]));
    };
    kill(nspawn("worker"));
    kill(nspawn("admin"));
    lab.ok(&["up", "--bare", "--k3s", lab.k3s().to_str().unwrap()]);
    assert_eq!(text(&mut lab.ssh("worker", "hostname")), "worker");

    // As after a reboot of the box: nothing runs, the folder is there.
    let kept = lab.exec("worker", "cat /etc/machine-id");
    for place in ["internet", "admin", "tenant", "master", "worker"] {
        text(Command::new(lab.state().join("machine")).args([&lab.name, "off", place]));
    }
    text(Command::new("ip").args(["netns", "delete", &format!("k3l-{}-switch", lab.name)]));
    lab.ok(&["up", "--bare", "--k3s", lab.k3s().to_str().unwrap()]);
    assert_eq!(text(&mut lab.ssh("worker", "cat /etc/machine-id")), kept);

    // Only rests, and nothing that says what they are.
    kill(nspawn("master"));
    // The worker still runs, and may write into a folder that is just being removed.
    assert!((0..20).any(|_| fs::remove_dir_all(lab.state()).is_ok()));
    assert!(!lab.traces().is_empty());
    lab.ok(&["down"]);
    lab.assert_gone();
}

#[test]
fn a_plan_changes_nothing() {
    let lab = Lab::new("plan");
    let mut plan = lab.command();
    plan.args(["--plan", "scripts/lab.rhai", "--name", &lab.name, "up", "--bare", "--k3s"]).arg(lab.k3s());
    text(&mut plan);
    lab.assert_gone();
}

#[test]
fn mistakes_are_explained_and_change_nothing() {
    let lab = Lab::new("bad");
    let missing = lab.folder.path().join("missing").display().to_string();
    let k3s = lab.k3s().display().to_string();
    for (args, said) in [
        (vec![], "which command?"),
        (vec!["upp"], "unknown command upp"),
        (vec!["up", "--k4s"], "unknown option --k4s"),
        (vec!["up", "--k3s"], "--k3s needs a value"),
        (vec!["up", "--k3s", &missing], "is not a k3s executable"),
        (vec!["up", "--k3s", &k3s, "--platform", &missing], "has no images"),
        (vec!["up", "--bare", "--platform", &missing], "there is no use for --platform"),
        (vec!["up", "--kubernetes", "1.3"], "the lab has no Kubernetes 1.3"),
        (vec!["up", "--kubernetes", "1.37", "--k3s", &k3s], "there is no use for --kubernetes"),
        (vec!["up", "--workers", "0"], "a lab can't have 0 workers"),
        (vec!["up", "--debian", "9"], "the lab has no Debian 9"),
        (vec!["up", "--debian", "12", "--minimal"], "too old a sudo-rs for --minimal"),
        (vec!["up", "--saved", "nothing"], "there is no saved lab nothing"),
        (vec!["up", "--saved", "nothing", "--bare"], "there is no use for --bare"),
        (vec!["status", "--bare"], "--bare belongs to up"),
        (vec!["cut"], "cut takes 1 more word"),
        (vec!["reboot", "master"], "there is no lab"),
        (vec!["save", "it"], "there is no lab"),
        (vec!["forget", "it"], "there is no saved lab it"),
        (vec!["forget", "../labs"], "`../labs` is not a name for a lab"),
        (vec!["status", "--name", "No Lab"], "`No Lab` is not a name for a lab"),
    ] {
        lab.refuses(&args, said);
    }
    lab.assert_gone();
}
