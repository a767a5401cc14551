//! A host that boots: no packet of a stranger reaches a service before the firewall is up, nor if its rules don't load.

use libtest_mimic::Trial;

use crate::cluster::{BACK, GONE, cluster};
use crate::hosts::{Host, Kind};
use crate::knocks::{BAIT, NO_BAIT, Seen, during};
use crate::lockout::firewall;
use crate::neighbours::status;
use crate::place::console;
use crate::support::lab::Step;
use crate::trial;
use crate::way_in::WayIn;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_master_that_reboots_answers_no_stranger_at_any_moment", master),
        trial("with_the_firewalls_unit_disabled_the_same_strangers_are_answered", unprotected),
        trial("rules_that_do_not_load_at_boot_leave_the_administrators_way_in_and_nothing_else", broken),
        trial("k3s_does_not_start_without_the_firewall", required),
    ]
}

/// Reboots a host while strangers knock.
fn reboot(host: &Host) -> Step<Seen> {
    during(host.lab(), [host.address(), host.address6()], || host.lab().reboot(host.name()))
}

fn master() -> Step {
    let (mut cluster, mut turn) = cluster()?;
    console(&cluster.lab, "master", BAIT)?;
    let seen = during(&cluster.lab, ["203.0.113.10", "2001:db8:1::10"], || cluster.lab.reboot("master"))?;
    console(&cluster.lab, "master", NO_BAIT)?;
    cluster.settle()?;
    *turn = Some(Ok(cluster));
    seen.nobody_was_answered(500)
}

fn unprotected() -> Step {
    let host = Host::take(Kind::Protected)?;
    host.console(&format!("{BAIT}; systemctl disable -q firewall-k3srun"))?;
    let seen = reboot(&host);
    host.console(&format!("{NO_BAIT}; systemctl enable -q firewall-k3srun; {BACK}"))?;
    seen?.answered_from(&["22", "7777"], [host.address(), host.address6()])
}

/// Each way in which the rules can be lost, with a rival that empties the ruleset at boot.
fn broken() -> Step {
    let host = Host::take(Kind::Protected)?;
    host.console(&format!("{BAIT}; systemctl enable -q nftables"))?;
    let ways = ["echo 'no rule at all' >>/etc/k3srun/firewall.nft", ": >/etc/k3srun/firewall.nft", "rm -r /etc/k3srun"];
    for way in ways {
        host.console(way)?;
        let seen = reboot(&host)?;
        seen.nobody_was_answered(500).map_err(|error| format!("{way}: {error}"))?;
        if !host.lets_in("") || !host.lets_in("-ipv6") {
            return Err(format!("{way}: the administrator does not get in"));
        }
        let told = status(&host)?;
        if told["minimal"] != true {
            return Err(format!("{way}: the status does not tell: {told}"));
        }
        let (code, said) = WayIn::to(&host, "")?.run(&firewall(""))?;
        let told = status(&host)?;
        if code != 0 || told["minimal"] != false || told["persistent"] != true || told["watched"] != true {
            return Err(format!("{way}: the next run ended with {code} and left {told}:\n{said}"));
        }
    }
    host.console(&format!("{NO_BAIT}; systemctl disable -q --now nftables"))?;
    Ok(())
}

fn required() -> Step {
    let (cluster, _turn) = cluster()?;
    let said = console(
        &cluster.lab,
        "worker",
        &format!(
            "{GONE}; systemctl restart --no-block k3s-agent; sleep 5
             systemctl is-active k3s-agent; journalctl -q -u k3s-agent -n 20 -o cat; systemctl stop k3s-agent; {BACK}"
        ),
    );
    console(&cluster.lab, "worker", "systemctl start k3s-agent")?;
    let said = said?;
    if said.starts_with("activating") && said.contains("not started without its firewall") {
        Ok(())
    } else {
        Err(format!("the agent, without a firewall:\n{said}"))
    }
}
