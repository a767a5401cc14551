//! Others who have rules on the host, and what the firewall tells of itself.

use libtest_mimic::Trial;

use crate::cluster::GONE;
use crate::hosts::{Host, Kind};
use crate::lockout::firewall;
use crate::place::run;
use crate::scan;
use crate::support::lab::Step;
use crate::trial;
use crate::way_in::WayIn;
use crate::witness::load;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_table_of_somebody_else_is_told_and_left_as_it_is", foreign),
        trial("the_status_counts_what_was_dropped", drops),
        trial("an_active_ufw_is_explained_and_nothing_is_changed", || {
            rival("ufw", "ufw allow 22/tcp && ufw --force enable", "ufw disable")
        }),
        trial("an_active_firewalld_is_explained_and_nothing_is_changed", || {
            let enable = "systemctl reload dbus && systemctl start firewalld &&
                for i in $(seq 50); do firewall-cmd --state && exit; sleep 0.2; done; exit 1";
            rival("firewalld", enable, "systemctl disable --now firewalld")
        }),
    ]
}

/// The status of a host's firewall.
pub fn status(host: &Host) -> Step<serde_json::Value> {
    let script = r#"import "cluster" as cluster;
let node = cluster::connect(cluster::load().nodes.find(|n| n.name == "HOST"));
print(firewall::status(node.host).to_json());"#;
    let (status, said) = WayIn::to(host, "")?.run(script)?;
    let json = said.lines().find(|line| line.starts_with('{'));
    match json.and_then(|line| serde_json::from_str(line).ok()) {
        Some(value) if status == 0 => Ok(value),
        _ => Err(format!("the status ended with {status}:\n{said}")),
    }
}

/// What would bring a firewall back that is gone.
const FORGOTTEN: &str = "systemctl stop firewall-k3srun; rm -rf /etc/k3srun /var/lib/k3srun/firewall.*
    rm -rf /etc/systemd/system/firewall-k3srun* /etc/systemd/system/k3s*.service.d; systemctl daemon-reload";

fn foreign() -> Step {
    const TABLE: &str = "table inet visitors {
        counter met { }
        chain arriving { type filter hook prerouting priority -200; policy accept; tcp dport 12345 counter name met drop; }
    }\n";
    let host = Host::take(Kind::Bare)?;
    load(&host.place(), TABLE)?;
    let listed = || host.place().run(&["nft", "-s", "list", "table", "inet", "visitors"]);
    let before = listed()?;
    let (code, said) = WayIn::to(&host, "")?.run(&firewall(""))?;
    let told = status(&host)?;
    let after = listed()?;
    host.console(&format!("systemctl disable -q firewall-k3srun; {GONE}; {FORGOTTEN}"))?;
    host.place().run(&["nft", "delete", "table", "inet", "visitors"])?;
    if code != 0 || before != after {
        return Err(format!("status {code}; the table was\n{before}and is\n{after}\n{said}"));
    }
    if told["active"] == true && told["others"].to_string().contains("inet visitors") {
        Ok(())
    } else {
        Err(format!("the status says nothing about it: {told}"))
    }
}

fn drops() -> Step {
    const KNOCKS: u64 = 100;
    let host = Host::take(Kind::Protected)?;
    let count = |status: serde_json::Value| status["dropped"]["packets"].as_u64().ok_or("no count".to_owned());
    let before = count(status(&host)?)?;
    scan::scan(&host.at("internet"), host.address(), &["-sS", "-p", "30000-30099", "--max-retries", "0"])?;
    let counted = count(status(&host)?)? - before;
    if (KNOCKS..KNOCKS + 20).contains(&counted) { Ok(()) } else { Err(format!("{counted} counted of {KNOCKS}")) }
}

/// The real thing, from the archive of the distribution.
fn rival(name: &str, enable: &str, disable: &str) -> Step {
    let host = Host::take(Kind::Bare)?;
    install(&host, name)?;
    host.console(enable)?;
    let before = host.console("nft -s list ruleset")?;
    let (status, said) = WayIn::to(&host, "")?.run(&firewall(""))?;
    let after = host.console("nft -s list ruleset")?;
    host.console(disable)?;
    host.console("nft flush ruleset")?;
    if status != 2 || !said.contains(&format!("{name} is active there")) {
        return Err(format!("it ended with {status} and doesn't explain {name}:\n{said}"));
    }
    if before == after { Ok(()) } else { Err(format!("the rules were\n{before}and are\n{after}")) }
}

/// Installs a package of the distribution in the root of a host, from this machine and over its network; nothing is started.
/// What was downloaded once is kept beside the lab's image.
fn install(host: &Host, package: &str) -> Step {
    const SCRIPT: &str = r#"
        cache=${XDG_CACHE_HOME:-$HOME/.cache}/k3srun/lab/packages root=$1 package=$2
        mkdir -p "$cache/archives/partial" "$cache/lists/partial"
        exec 9>"$cache/lock" && flock 9
        mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
        mount --bind "$cache/archives" "$root/var/cache/apt/archives"
        mount --bind "$cache/lists" "$root/var/lib/apt/lists"
        mount -t proc proc "$root/proc"
        get() {
          DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get -q -y --no-install-recommends -o APT::Sandbox::User=root \
            -o APT::Keep-Downloaded-Packages=true -o Dir::Etc::sourceparts=/usr/share/lab \
            -o Dir::Etc::sourcelist=/usr/share/lab/sources.list "$@" 2>&1
        }
        get install "$package" || { get update && get install "$package"; }"#;
    let root = host.lab().file(&format!("roots/{}", host.name()));
    let mut command = std::process::Command::new("unshare");
    run(command.args(["--mount", "sh", "-c", SCRIPT, "install", &root, package])).map(drop)
}
