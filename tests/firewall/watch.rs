//! Other programs that load, empty and remove rules on a host with our firewall: at no moment is a stranger let in.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::cluster::{BACK, GONE};
use crate::hosts::{Host, Kind};
use crate::knocks::{BAIT, NO_BAIT, during};
use crate::lockout::firewall;
use crate::neighbours::status;
use crate::support::lab::Step;
use crate::trial;
use crate::way_in::WayIn;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("watch::whatever_is_done_to_nftables_no_stranger_is_answered", others),
        trial("watch::without_the_watch_the_same_strangers_are_answered", unwatched),
        trial("watch::a_hole_that_is_made_by_hand_opens_nothing_and_is_closed", hole),
        trial("watch::a_host_of_an_earlier_version_is_moved_over_without_a_gap", moved),
    ]
}

/// What others do.
const DEEDS: &[&str] = &[
    "systemctl start nftables",
    "systemctl reload nftables",
    "systemctl restart nftables",
    "systemctl reload-or-restart nftables",
    "systemctl stop nftables",
    "systemctl enable --now nftables",
    "systemctl disable --now nftables",
    "nft -f /etc/nftables.conf",
    "nft flush ruleset",
    "nft delete table inet k3srun",
    "for i in $(seq 20); do nft flush ruleset; done",
    "systemctl kill -s KILL firewall-k3srun-watch",
    "systemctl restart firewall-k3srun-watch",
    "systemctl restart firewall-k3srun",
    "systemctl stop firewall-k3srun; systemctl start firewall-k3srun",
];

fn others() -> Step {
    let host = Host::take(Kind::Protected)?;
    let before = host.console("nft -s list table inet k3srun")?;
    host.console(BAIT)?;
    let seen = during(host.lab(), [host.address(), host.address6()], || {
        DEEDS.iter().try_for_each(|deed| {
            host.console(deed)?;
            // Until then the copy is in force, which the strangers' packets show.
            let end = Instant::now() + Duration::from_secs(20);
            std::thread::sleep(Duration::from_secs(2));
            while host.console("nft -s list table inet k3srun 2>&1 || :")? != before {
                if Instant::now() > end {
                    return Err(format!("{deed}: the table is not back"));
                }
                std::thread::sleep(Duration::from_millis(500));
            }
            if host.lets_in("") { Ok(()) } else { Err(format!("{deed}: the administrator does not get in")) }
        })
    });
    host.console(&format!("{NO_BAIT}; nft delete table inet filter 2>/dev/null || :"))?;
    seen?.nobody_was_answered(500)?;
    let told = status(&host)?;
    let removed = told["restored"].as_array().is_some_and(|all| all.iter().any(|one| one["what"] == "removed"));
    if !removed || told["persistent"] != true || told["watched"] != true {
        return Err(format!("the status does not tell what happened: {told}"));
    }
    unchanged(&host)
}

/// A run that finds everything as it should be.
fn unchanged(host: &Host) -> Step {
    let (status, said) = WayIn::to(host, "")?.run(&firewall(""))?;
    if status == 0 && said.contains("changed: false") {
        Ok(())
    } else {
        Err(format!("it ended with {status}:\n{said}"))
    }
}

fn unwatched() -> Step {
    let host = Host::take(Kind::Protected)?;
    host.console(BAIT)?;
    let seen = during(host.lab(), [host.address(), host.address6()], || {
        host.console(&format!("{GONE}; sleep 3; {BACK}")).map(drop)
    });
    host.console(&format!("{NO_BAIT}; {BACK}"))?;
    seen?.answered_from(&["22", "7777"], [host.address(), host.address6()])
}

/// A rule that an intruder, or a program that means well, adds to the table.
fn hole() -> Step {
    let host = Host::take(Kind::Protected)?;
    let before = host.console("nft -s list table inet k3srun")?;
    host.console(BAIT)?;
    let seen = during(host.lab(), [host.address(), host.address6()], || {
        host.console("nft insert rule inet k3srun arriving tcp dport '{ 22, 7777 }' accept")?;
        let end = Instant::now() + Duration::from_secs(75);
        while host.console("nft -s list table inet k3srun")? != before {
            if Instant::now() > end {
                return Err("the hole is still there after a minute".to_owned());
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        Ok(())
    });
    host.console(NO_BAIT)?;
    seen?.nobody_was_answered(100)?;
    let told = status(&host)?;
    let changed = told["restored"].as_array().is_some_and(|all| all.iter().any(|one| one["what"] == "changed"));
    if changed { Ok(()) } else { Err(format!("the status does not tell what happened: {told}")) }
}

/// The units as they were called before, without a watch.
const FORMER: &str = "
    systemctl disable -q firewall-k3srun; systemctl stop firewall-k3srun firewall-k3srun-watch
    rm /etc/systemd/system/firewall-k3srun* /etc/k3srun/firewall-watch.sh
    cat >/etc/systemd/system/k3srun-firewall.service <<END
[Unit]
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target sysinit.target shutdown.target
After=local-fs.target systemd-modules-load.service nftables.service k3srun-rollback-firewall.service
Conflicts=shutdown.target
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
ConditionPathExists=/etc/k3srun/firewall.nft
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/k3srun/firewall.nft
ExecReload=/usr/sbin/nft -f /etc/k3srun/firewall.nft
[Install]
WantedBy=sysinit.target
END
    sed -i 's/ by firewall-k3srun.service/ by k3srun-firewall.service/' /etc/k3srun/firewall.nft
    systemctl daemon-reload; systemctl enable -q --now k3srun-firewall
    nft -s list table inet k3srun >/var/lib/k3srun/firewall.listing";

fn moved() -> Step {
    let host = Host::take(Kind::Protected)?;
    host.console(&format!("{FORMER}; {BAIT}"))?;
    let seen = during(host.lab(), [host.address(), host.address6()], || {
        let (status, said) = WayIn::to(&host, "")?.run(&firewall(""))?;
        if status == 0 && said.contains("changed: true") {
            Ok(())
        } else {
            Err(format!("it ended with {status}:\n{said}"))
        }
    });
    host.console(NO_BAIT)?;
    seen?.nobody_was_answered(50)?;
    let left = host.console("ls -d /etc/systemd/system/k3s*.service /etc/systemd/system/*.wants/k3s* 2>/dev/null; systemctl list-units --no-legend --all 'k3s*'")?;
    if !left.trim().is_empty() {
        return Err(format!("left of the earlier version:\n{left}"));
    }
    unchanged(&host)
}
