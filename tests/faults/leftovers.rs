//! What dead runs leave: on the hosts and on the administrator's machine nothing must be left.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use crate::bootstrap::Desk;
use crate::support::lab::{Lab, Step};

/// Prints what is left of runs on a host.
const ON_HOST: &str = r"
    find / \( -path /proc -o -path /sys -o -path /srv -o -path '/var/lib/rancher/k3s/agent/containerd' \) -prune -o -name '*.k3srun*' -print
    find /tmp /var/tmp -mindepth 1 \( -name 'tmp.*' -o -name '*k3srun*' \)
    ls /run/k3srun/*.info /var/lib/k3srun/verify* 2>/dev/null
    grep -lsz '^k3srun-[0-9a-f]*\.[0-9]*$' /proc/[0-9]*/cmdline
    systemctl list-units --all --plain --no-legend 'rollback-k3srun-*' | grep -v ' not-found '
    find /etc/systemd/system /etc/k3srun /etc/ssh -name '*.new'
    ls -d /var/lib/k3srun/rollback/* 2>/dev/null
    dpkg --audit
    pidof apt-get dpkg";

/// Prints what is left of the checks in the cluster.
const IN_CLUSTER: &str = "k3s kubectl get pods,daemonsets,services,configmaps,secrets -A -l k3srun --no-headers 2>&1 | grep -v '^No resources'";

/// ssh ends by itself after 30 s without work.
const IDLE: Duration = Duration::from_secs(40);

/// Fails with what is left.
pub fn none(lab: &Lab, desk: &Desk) -> Step {
    let mut left = Vec::new();
    for (host, command) in [("master", ON_HOST), ("worker", ON_HOST), ("master", IN_CLUSTER)] {
        // What is being removed needs a moment.
        let command = format!(
            "for i in $(seq 20); do left=$({command}); [ -n \"$left\" ] || break; sleep 1; done; echo \"$left\""
        );
        let found = lab.exec(host, &command)?;
        left.extend(found.lines().filter(|line| !line.is_empty()).map(|line| format!("{host}: {line}")));
    }
    let end = Instant::now() + IDLE;
    while !desk.masters().is_empty() && Instant::now() < end {
        sleep(Duration::from_millis(200));
    }
    left.extend(desk.masters().iter().map(|id| format!("here: the ssh process {id}")));
    for folder in [desk.sockets(), desk.temporary()] {
        let entries = fs::read_dir(folder).map_err(|error| error.to_string())?;
        left.extend(entries.flatten().map(|entry| format!("here: {}", entry.path().display())));
    }
    match left.as_slice() {
        [] => Ok(()),
        left => Err(format!("this is left of dead runs:\n{}", left.join("\n"))),
    }
}

/// Makes the folders of control sockets old that have no socket: the next run takes them for what they are.
pub fn age(desk: &Desk) -> Step {
    let end = Instant::now() + IDLE;
    while !desk.masters().is_empty() && Instant::now() < end {
        sleep(Duration::from_millis(200));
    }
    let entries = fs::read_dir(desk.sockets()).map_err(|error| error.to_string())?;
    let then = SystemTime::now() - Duration::from_secs(3600);
    for entry in entries.flatten() {
        let folder = fs::File::open(entry.path()).and_then(|folder| folder.set_modified(then));
        folder.map_err(|error| error.to_string())?;
    }
    Ok(())
}
