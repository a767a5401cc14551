//! Faults at chosen moments: each was once the end of a run that the next one did not mend.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::bootstrap::Desk;
use crate::fault::{RUN, hold_apt_lock};
use crate::round::{finished_by_running_it_again, fresh_lab};
use crate::support::lab::{Lab, Step};

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, test: fn(&Lab, &Desk) -> Step| {
        Trial::test(name, move || {
            let lab = fresh_lab("case")?;
            let done = Desk::new().and_then(|desk| test(&lab, &desk));
            Ok(done.and(lab.down())?)
        })
    };
    vec![
        trial("apt_is_locked_then_cut_off_in_the_middle_of_a_package", apt),
        trial("the_administrators_machine_vanishes_in_the_middle_of_a_check", vanish),
    ]
}

/// The run waits for the lock, and says for whom. Then it is killed while dpkg is at work: apt refuses everything until what
/// was begun is finished.
fn apt(lab: &Lab, desk: &Desk) -> Step {
    hold_apt_lock(lab, "worker", 15)?;
    // Where it is held at the beginning, preflight already refuses.
    let mut run = desk.bootstrap_with(lab, &["--skip", "preflight"])?;
    let named = run.follow(RUN, |event| {
        let text = event["text"].as_str().unwrap_or_default();
        event["host"] == "worker" && text.starts_with("waiting for process ") && text.contains("(perl)")
    })?;
    if !named {
        return Err("bootstrap did not say who holds apt's lock".into());
    }
    let at_work = "for i in $(seq 300); do pgrep -f [c]onntrack.postinst >/dev/null && exit; sleep 0.1; done; exit 1";
    lab.exec("worker", at_work)?;
    run.kill()?;
    run.end(RUN)?;
    finished_by_running_it_again(lab, desk)
}

/// No end of a connection reaches the hosts: they keep its shells, with the locks and what runs in them, for hours. The next
/// run notices that they are dead, and removes the pods that the check has made.
fn vanish(lab: &Lab, desk: &Desk) -> Step {
    // What a machine sends that is off: nothing.
    lab.exec("admin", "echo 1 >/proc/sys/net/ipv4/tcp_orphan_retries")?;
    let mut run = desk.bootstrap(lab)?;
    if !run.follow(RUN, |event| event["text"] == "verify: secrets is right")? {
        return Err("the run ended too early".into());
    }
    let begun =
        "for i in $(seq 50); do k3s kubectl get daemonsets -A -l k3srun -o name | grep -q . && exit; done; exit 1";
    lab.exec("master", begun)?;
    for host in ["master", "worker"] {
        lab.control(&["cut", &format!("{host}.public")])?;
    }
    run.kill()?;
    run.end(Duration::from_secs(5))?;
    for process in desk.masters().into_iter().chain(connections(lab)?) {
        // One may have ended with the other.
        let _ = Command::new("kill").args(["-KILL", &process]).status();
    }
    // Who was silent for less counts as alive (`ALIVE` in src/host/lock.rs), and the next run would be refused.
    std::thread::sleep(Duration::from_secs(12));
    for host in ["master", "worker"] {
        lab.control(&["restore", &format!("{host}.public")])?;
    }
    let next = desk.bootstrap(lab)?.end(RUN)?;
    if next.status != Some(0) || !next.said("was held by a run that has lost its connection") {
        return Err(format!("the next run ended with {:?}, and this last:\n{}", next.status, next.tail()));
    }
    finished_by_running_it_again(lab, desk)
}

/// The ids of the processes that carry connections from the administrator's place to the hosts.
fn connections(lab: &Lab) -> Step<Vec<String>> {
    let namespace = |path: &Path| fs::metadata(path).map(|it| it.ino());
    let office = namespace(Path::new(&format!("/run/netns/k3l-{}-admin", lab.name()))).map_err(|e| e.to_string())?;
    let processes = fs::read_dir("/proc").map_err(|error| error.to_string())?.flatten();
    let found = processes.filter(|process| {
        let carries = fs::read_to_string(process.path().join("comm")).is_ok_and(|name| name == "nc\n");
        carries && namespace(&process.path().join("ns/net")).is_ok_and(|it| it == office)
    });
    Ok(found.filter_map(|process| process.file_name().into_string().ok()).collect())
}
