//! Ways to lock oneself out. Some are refused before anything is changed; the others are really loaded, and nobody gets in
//! any more. Within a minute the administrator is let in again, over a new connection and without a console, and the host
//! is as it was before.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::hosts::{Host, Kind};
use crate::support::lab::Step;
use crate::trial;
use crate::way_in::WayIn;

/// A way to lock oneself out.
struct Case {
    name: &'static str,
    /// Which host it happens on.
    on: Kind,
    change: Change,
    /// What happens between the change and its confirmation, as the gate's shell script; see `way_in.rs`.
    meanwhile: &'static str,
    end: End,
}

/// What is changed.
#[derive(Clone, Copy)]
enum Change {
    /// The policy `p` of the port table, with these changes.
    Policy(&'static str),
    /// The same, by somebody who logs in to an additional address on an interface `fip0`, where packets never arrive.
    PolicyByFloatingAddress(&'static str),
    /// The same, by somebody who logs in over IPv6.
    PolicyByIpv6(&'static str),
    /// Settings of sshd.
    Sshd(&'static str),
}

/// How it ends.
enum End {
    /// It is loaded, nobody gets in, and the host takes it back.
    TakenBack,
    /// It is loaded, the host is switched off, and takes it back when it boots.
    TakenBackAtBoot,
    /// k3srun refuses it with these words, and changes nothing.
    Refused(&'static str),
}

use Change::*;
use End::*;
use Kind::*;

/// The only address that the administrator knows of himself.
const MINE: &str = r#"p.sources.admin.networks = ["198.51.100.10"];"#;

#[rustfmt::skip]
const CASES: &[Case] = &[
    // What one types wrong.
    Case { name: "the_admin_network_is_not_the_one_we_come_from", on: Any, meanwhile: "", end: Refused("we come from 198.51.100.10"),
           change: Policy(r#"p.sources.admin.networks = ["192.0.2.0/24"];"#) },
    Case { name: "we_come_over_ipv6_and_the_admin_network_is_of_ipv4", on: Any, meanwhile: "", end: Refused("we come from 2001:db8:2::10"),
           change: PolicyByIpv6(r#"p.sources.admin.networks = ["198.51.100.0/24"];"#) },
    Case { name: "the_admin_networks_are_empty", on: Any, meanwhile: "", end: Refused("admin has no networks"),
           change: Policy(r#"p.sources.admin.networks = [];"#) },
    Case { name: "the_policy_has_no_port_22", on: Any, meanwhile: "", end: Refused("22/tcp, on which sshd listens, is open to nobody"),
           change: Policy(r#"p.open = p.open.filter(|row| row.port != 22);"#) },
    Case { name: "admins_are_expected_on_the_private_interface", on: Any, meanwhile: "", end: Refused("it would lock us out"),
           change: Policy(r#"p.sources.admin.interfaces = ["eth1"];"#) },
    Case { name: "sshd_does_not_understand_its_settings", on: Any, meanwhile: "", end: Refused("sshd does not accept the settings"),
           change: Sshd(r#"PermitRootLogin: "perhaps""#) },

    // What looks right and isn't.
    Case { name: "the_provider_gives_each_connection_another_address", on: Protected, meanwhile: "moves", end: TakenBack, change: Policy(MINE) },
    Case { name: "the_same_on_a_host_without_a_firewall_so_far", on: Bare, meanwhile: "moves", end: TakenBack, change: Policy(MINE) },
    Case { name: "an_additional_address_lies_on_an_interface_where_nothing_arrives", on: Any, meanwhile: "", end: TakenBack,
           change: PolicyByFloatingAddress(r#"p.sources.admin.interfaces = ["fip0"];"#) },
    Case { name: "the_next_connection_goes_over_ipv6", on: Any, meanwhile: "way=-ipv6", end: TakenBack,
           change: Policy(r#"p.sources.admin.networks = ["198.51.100.0/24"];"#) },

    // What goes wrong between the change and its confirmation.
    Case { name: "the_link_is_cut_before_the_confirmation", on: Any, end: TakenBack, change: Policy(MINE),
           meanwhile: "lab cut $host.public; (sleep 15; lab restore $host.public) </dev/null >/dev/null 2>&1 &" },
    Case { name: "the_controller_is_killed_before_the_confirmation", on: Protected, end: TakenBack, change: Policy(MINE),
           meanwhile: "moves; kill_controller" },
    Case { name: "systemd_is_loaded_anew_meanwhile_and_the_controller_is_killed", on: Bare, end: TakenBack, change: Policy(MINE),
           meanwhile: "moves; kill_controller; in_host 'systemctl daemon-reload; systemctl daemon-reexec'" },
    Case { name: "the_host_reboots_before_the_confirmation", on: Any, end: TakenBack, change: Policy(MINE),
           meanwhile: "moves; locked_out; in_host 'systemctl reboot'" },
    Case { name: "the_power_fails_before_the_confirmation", on: Any, end: TakenBackAtBoot, change: Policy(MINE),
           meanwhile: "moves; locked_out; lab power-off $host" },
    Case { name: "somebody_stops_the_timer_then_the_power_fails", on: Any, end: TakenBackAtBoot, change: Policy(MINE),
           meanwhile: "moves; kill_controller; in_host 'systemctl stop rollback-k3srun-firewall.timer'; locked_out; lab power-off $host" },

    // The same with sshd.
    Case { name: "sshd_moves_to_a_port_that_the_firewall_closes", on: Protected, meanwhile: "", end: TakenBack, change: Sshd(r#"Port: "2222""#) },
    Case { name: "sshd_allows_other_users_only", on: Any, meanwhile: "", end: TakenBack, change: Sshd(r#"AllowUsers: "ops""#) },
    Case { name: "sshd_lets_root_in_no_more", on: Any, meanwhile: "", end: TakenBack, change: Sshd(r#"PermitRootLogin: "no""#) },
    Case { name: "sshd_listens_on_the_private_network_only", on: Any, meanwhile: "", end: TakenBack,
           change: Sshd(r#"ListenAddress: "10.77.0.1NUMBER:22""#) },
    Case { name: "sshd_takes_no_keys_any_more", on: Any, meanwhile: "", end: TakenBack, change: Sshd(r#"PubkeyAuthentication: "no""#) },
    Case { name: "sshd_looks_for_keys_elsewhere", on: Any, meanwhile: "", end: TakenBack,
           change: Sshd(r#"AuthorizedKeysFile: "/etc/ssh/keys/%u""#) },
    Case { name: "sshd_denies_us_and_the_controller_is_killed", on: Any, meanwhile: "kill_controller", end: TakenBack,
           change: Sshd(r#"DenyUsers: "root""#) },
    Case { name: "sshd_denies_us_and_the_host_reboots", on: Any, meanwhile: "locked_out; in_host 'systemctl reboot'", end: TakenBack,
           change: Sshd(r#"DenyUsers: "root""#) },
    Case { name: "sshd_denies_us_and_the_power_fails", on: Any, meanwhile: "locked_out; lab power-off $host", end: TakenBackAtBoot,
           change: Sshd(r#"DenyUsers: "root""#) },
];

/// As long as it may take until the administrator is let in again.
const MINUTE: Duration = Duration::from_secs(60);

/// A test for each case.
pub fn trials() -> Vec<Trial> {
    CASES.iter().map(|case| trial(&format!("lockout::{}", case.name), move || lock_out(case))).collect()
}

/// A script that applies the policy of the port table to a host, after it was changed.
pub fn firewall(edit: &str) -> String {
    format!(
        r#"import "cluster" as cluster;
import "ports" as ports;
let c = cluster::load();
let node = cluster::connect(c.nodes.find(|n| n.name == "HOST"));
let p = ports::policy(c, node);
{edit}
print(`changed: ${{firewall::apply(node.host, p)}}`);"#
    )
}

fn script(change: Change, host: &Host) -> String {
    match change {
        Policy(edit) | PolicyByFloatingAddress(edit) | PolicyByIpv6(edit) => firewall(edit),
        Sshd(settings) => {
            let settings = settings.replace("NUMBER", if host.name() == "master" { "0" } else { "1" });
            format!(
                r#"import "cluster" as cluster;
let node = cluster::connect(cluster::load().nodes.find(|n| n.name == "HOST"));
node.host.ensure([sshd(#{{ {settings} }})]);"#
            )
        }
    }
}

fn lock_out(case: &'static Case) -> Step {
    let host = Host::take(case.on)?;
    let way = WayIn::to(&host, case.meanwhile)?;
    let (way, floating) = match case.change {
        PolicyByFloatingAddress(_) => (way.by("203.0.113.100")?, Some(Floating::at(&host)?)),
        PolicyByIpv6(_) => (way.by(host.address6())?, None),
        Policy(_) | Sshd(_) => (way, None),
    };
    let before = host.state()?;
    let script = script(case.change, &host);
    if let Refused(words) = case.end {
        let (status, said) = way.run(&script)?;
        if status != 2 && status != 3 || !unwrapped(&said).contains(words) {
            return Err(format!("it ended with {status}, and doesn't say `{words}`:\n{said}"));
        }
        return if host.lets_in("") { unchanged(&host, &before) } else { Err("nobody gets in".to_owned()) };
    }
    let outcome = recover(case, &host, &way, &script, &before);
    drop(floating);
    outcome
}

/// Without the line breaks of a report.
fn unwrapped(said: &str) -> String {
    said.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

/// From the moment that nobody gets in to the moment that the administrator does.
fn recover(case: &Case, host: &Host, way: &WayIn, script: &str, before: &str) -> Step {
    let mut controller = way.start(script)?;
    let began = Instant::now();
    while !way.happened() {
        if let Some(status) = controller.ended().filter(|_| !case.meanwhile.contains("kill_controller")) {
            return Err(format!("k3srun ended with {status} before anything was confirmed:\n{}", controller.said()));
        }
        if began.elapsed() > MINUTE {
            return Err(format!("k3srun has not changed anything in a minute:\n{}", controller.said()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let locked = Instant::now();
    if !way.locked() {
        return Err("an administrator still gets in: this case locks nobody out".to_owned());
    }
    if matches!(case.end, TakenBackAtBoot) {
        host.lab().control(&["power-on", host.name()])?;
    }
    let family = if case.meanwhile.contains("-ipv6") { "-ipv6" } else { "" };
    while !host.lets_in(family) {
        if locked.elapsed() > MINUTE {
            return Err(format!("nobody gets in after a minute; k3srun said:\n{}", controller.said()));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    println!("{}: let in again after {:.0?}", case.name, locked.elapsed());
    let end = Instant::now() + MINUTE;
    let status = loop {
        match controller.ended() {
            Some(status) => break status,
            None if Instant::now() > end => return Err(format!("k3srun does not end:\n{}", controller.said())),
            None => std::thread::sleep(Duration::from_millis(100)),
        }
    };
    // Killed, or told what happened: never content.
    if status == 0 {
        return Err(format!("k3srun ended as if all was well:\n{}", controller.said()));
    }
    unchanged(host, before)
}

/// The host becomes as it was: where k3srun has ended before the host's own timer, when that has run, and what is left to tidy up
/// takes a moment.
fn unchanged(host: &Host, before: &str) -> Step {
    let end = Instant::now() + MINUTE + Duration::from_secs(15);
    loop {
        let after = host.state()?;
        if after == before {
            return Ok(());
        }
        if Instant::now() > end {
            let diff = similar::TextDiff::from_lines(before, &after).unified_diff().context_radius(0).to_string();
            return Err(format!("the host is not as it was:\n{diff}"));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// An additional address on an interface of its own, as failover addresses of some providers are set up: packets to it
/// arrive at the public interface all the same.
struct Floating<'a>(&'a Host);

impl Floating<'_> {
    fn at(host: &Host) -> Step<Floating<'_>> {
        let add = "ip link add fip0 type bridge && ip address add 203.0.113.100/32 dev fip0 && ip link set fip0 up";
        host.place().shell(add).map(|_| Floating(host))
    }
}

impl Drop for Floating<'_> {
    fn drop(&mut self) {
        let _ = self.0.place().shell("ip link delete fip0");
    }
}
