//! One round: a fresh lab, one fault, and the two runs after it.

use std::time::{Duration, Instant};

use crate::bootstrap::{Desk, Moment};
use crate::fault::{Kind, RUN, small_disk};
use crate::leftovers;
use crate::support::chance::Chance;
use crate::support::lab::{Lab, Step};

/// So many events have the phases in which k3s is installed, at least, and the others.
const EVENTS: [u64; 2] = [36, 10];

/// Makes a package missing on a host that bootstrap installs, and lets apt have it: packed from what is installed, in an
/// archive on the host itself. Its installation takes a few seconds, as others do.
const MISSING_PACKAGE: &str = r#"
    set -e
    mkdir -p /srv/archive/root/DEBIAN
    cd /srv/archive
    dpkg-query -L conntrack | while read -r path; do [ ! -f "$path" ] || echo ".$path"; done | tar -C / -cT - | tar -xC root
    dpkg-query -s conntrack | sed /^Status:/d >root/DEBIAN/control
    printf '#!/bin/sh\nsleep 3\n' >root/DEBIAN/postinst
    chmod 755 root/DEBIAN/postinst
    dpkg-deb -Zgzip -b root conntrack.deb >/dev/null
    { dpkg-deb -f conntrack.deb; printf 'Filename: ./conntrack.deb\nSize: %s\nSHA256: %s\n' $(stat -c %s conntrack.deb) $(sha256sum <conntrack.deb | cut -c1-64); } >Packages
    echo 'deb [trusted=yes] file:/srv/archive ./' >/etc/apt/sources.list.d/archive.list
    dpkg --purge conntrack >/dev/null"#;

/// A lab in which bootstrap has everything to do, packages too.
pub fn fresh_lab(purpose: &str) -> Step<Lab> {
    let lab = Lab::up(purpose)?;
    for host in ["master", "worker"] {
        lab.exec(host, MISSING_PACKAGE)?;
    }
    Ok(lab)
}

pub fn round(number: u64, kind: Kind, chance: &mut Chance) -> Step {
    let phases = phases()?;
    let concerned: Vec<&str> = phases.iter().map(String::as_str).filter(|phase| kind.concerns(phase)).collect();
    let phase = chance.one_of(&concerned).to_owned();
    let moment = Moment {
        events: chance.between(0, EVENTS[usize::from(!["server", "agent"].contains(&phase.as_str()))]),
        phase,
        delay: Duration::from_millis(chance.between(0, 4000)),
    };
    let host = match (kind, moment.phase.as_str()) {
        (Kind::FullDisk, "server") => "master",
        (Kind::FullDisk, _) => "worker",
        _ => chance.one_of(&["master", "worker"]),
    };
    let what = format!("{kind:?} at {host}, {moment:?}");
    println!("{what}");
    let lab = fresh_lab(&format!("f{number}"))?;
    let done = faulty(&lab, kind, &moment, host, chance);
    let done = done.map_err(|error| format!("{what}: {error}\n{}", journals(&lab)));
    done.and(lab.down())
}

fn faulty(lab: &Lab, kind: Kind, moment: &Moment, host: &str, chance: &mut Chance) -> Step {
    if kind == Kind::FullDisk {
        small_disk(lab, host)?;
    }
    let desk = Desk::new()?;
    let mut run = desk.bootstrap(lab)?;
    run.reach(moment, RUN)?;
    let start = Instant::now();
    let ended = kind.happen(lab, &desk, run, host, chance)?;
    println!("  it ended with {:?} after {} s", ended.status, start.elapsed().as_secs());
    if !kind.expected().statuses.contains(&ended.status) {
        return Err(format!("the run ended with {:?}, and this last:\n{}", ended.status, ended.tail()));
    }
    ended.is_explained()?;
    if kind == Kind::CutUntilItFails
        && ended.status == Some(3)
        && !ended.said("could not be confirmed over a new connection")
    {
        return Err(format!("the run blames the host, not the network:\n{}", ended.tail()));
    }
    if kind == Kind::FullDisk && ended.status != Some(0) && !ended.said("No space left") && !ended.said("disk is full")
    {
        return Err(format!("the run does not say that the disk is full:\n{}", ended.tail()));
    }
    finished_by_running_it_again(lab, &desk)
}

/// The next run does what is left to do, the one after it finds nothing to do, and nothing of the dead run is left.
pub fn finished_by_running_it_again(lab: &Lab, desk: &Desk) -> Step {
    let next = desk.bootstrap(lab)?.end(RUN)?;
    if next.status != Some(0) {
        return Err(format!("the next run ended with {:?}, and this last:\n{}", next.status, next.tail()));
    }
    leftovers::age(desk)?;
    let last = desk.bootstrap(lab)?.end(RUN)?;
    if (last.status, last.changed()) != (Some(0), Some(0)) {
        return Err(format!("the run after it ended with {:?}, and this last:\n{}", last.status, last.tail()));
    }
    leftovers::none(lab, desk)
}

/// The phases of bootstrap, from its script.
fn phases() -> Step<Vec<String>> {
    let script = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/bootstrap.rhai"));
    let script = script.map_err(|error| error.to_string())?;
    let names = script.lines().filter_map(|line| line.strip_prefix("phase(\"")?.split('"').next().map(str::to_owned));
    let phases: Vec<String> = names.collect();
    if phases.len() < 6 { Err(format!("these are not all phases of bootstrap: {phases:?}")) } else { Ok(phases) }
}

/// What k3s said last on the hosts.
fn journals(lab: &Lab) -> String {
    let show = "journalctl -q --no-pager -o cat -u 'k3s*' | grep -E 'level=(error|fatal)|^[EF][0-9]' | tail -n 6";
    ["master", "worker"].map(|host| format!("{host}:\n{}", lab.exec(host, show).unwrap_or_default())).join("\n")
}
