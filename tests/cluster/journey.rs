//! From fresh machines to a cluster, and what a second run, a reboot and another way in make of it.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;

use libtest_mimic::Trial;

use crate::support::lab::{Lab, Step, k3srun};
use crate::support::said;

fn trial(name: &str, test: fn() -> Step) -> Trial {
    Trial::test(name, move || test().map_err(Into::into))
}

/// What comes before the checks are broken one by one.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_look_at_fresh_hosts_is_enough_for_cluster_toml", look),
        trial("a_plan_on_fresh_hosts_shows_everything_and_changes_nothing", plan),
        trial("preflight_tells_all_problems_of_both_hosts_at_once_and_changes_nothing", preflight),
        trial("bootstrap_makes_a_cluster_of_two_fresh_machines", bootstrap),
        trial("a_second_run_changes_nothing", second_run),
        trial("a_plan_of_a_finished_cluster_is_empty", plan_again),
        trial("nothing_secret_is_readable", secrets),
        trial("a_worker_has_only_the_token_of_agents", token_of_agents),
        trial("verify_passes", verify),
        trial("what_is_collected_for_others_tells_the_state_and_no_secret", support),
    ]
}

/// What comes after.
pub fn last_trials() -> Vec<Trial> {
    vec![
        trial("nodes_without_ping_find_each_other_behind_the_firewall", without_ping),
        trial("a_flag_of_k3s_comes_with_cluster_toml_and_goes_with_it", flags),
        trial("a_worker_that_boots_without_its_server_waits_for_it", lonely_boot),
        trial("after_a_reboot_of_both_hosts_the_cluster_is_back_and_nothing_is_to_be_changed", reboot),
        trial("as_a_sudo_user_with_a_password_through_a_jump_host_over_ipv6", sudo_jump_ipv6),
    ]
}

/// What `init` finds is what the lab has.
fn look() -> Step {
    let lab = Lab::shared()?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = folder.path().join("cluster.toml").display().to_string();
    let ssh_config = lab.file("ssh_config");
    lab.playbook("init.rhai", &["master", "worker", "--ssh-config", &ssh_config, "--to", &path])?;
    let describe = "let c = config::load();
        print(c.nodes.map(|n| [n.name, n.role, n.public_ip, n.public_ip6, n.private_ip, n.private_interface]));
        print(c.k3s.kubelet_args)";
    let said = |config: &str| -> Step<String> {
        let output = k3srun(&["-q", "-c", config, "-e", describe])?;
        if output.status.success() { Ok(said(&output)) } else { Err(said(&output)) }
    };
    let (found, wanted) = (said(&path)?, said(&lab.file("cluster.toml"))?);
    if found == wanted { Ok(()) } else { Err(format!("init found\n{found}\nand not\n{wanted}")) }
}

fn plan() -> Step {
    let lab = Lab::shared()?;
    let before = [lab.listing("master")?, lab.listing("worker")?];
    let said = lab.bootstrap(&["--plan"])?;
    for expected in [
        "vm.overcommit_memory",
        "/etc/rancher/k3s/config.yaml",
        "/etc/rancher/k3s/agent-token",
        "k3s.service",
        "k3s-agent.service",
        "node-role=master",
        "master 6443/tcp: open to worker",
    ] {
        if !said.contains(expected) {
            return Err(format!("the plan says nothing about {expected}:\n{said}"));
        }
    }
    let after = [lab.listing("master")?, lab.listing("worker")?];
    for (before, after) in before.iter().zip(&after) {
        if before != after {
            let diff = similar::TextDiff::from_lines(before.as_str(), after.as_str());
            return Err(format!("the plan changed a host:\n{}", diff.unified_diff().context_radius(0)));
        }
    }
    Ok(())
}

fn preflight() -> Step {
    let lab = Lab::shared()?;
    let taken = "setsid nc -lk 10250 </dev/null >/dev/null 2>&1 & mkdir -p /etc/rancher/node && touch /etc/rancher/node/password";
    lab.exec("worker", taken)?;
    let wrong = ["--set", "nodes.worker.private_interface=eth9", "--set", "nodes.master.private_ip=10.77.0.99"];
    let output = lab.try_bootstrap(&wrong);
    let freed = "rm -r /etc/rancher/node && kill $(ss -Hltnp 'sport = :10250' | sed 's/.*pid=\\([0-9]*\\).*/\\1/')";
    lab.exec("worker", freed)?;
    let (status, said) = output?;
    let expected = [
        "4 problems",
        "master: eth1 does not have the address 10.77.0.99",
        "worker: there is no interface eth9",
        "worker: port 10250/tcp is taken by nc",
        "worker: /etc/rancher/node/password is left of another cluster",
        "nothing was changed",
        " 0 changed,",
    ];
    match expected.iter().find(|text| !said.contains(**text)) {
        None if status == 2 => Ok(()),
        missing => Err(format!("preflight ended with {status} and doesn't say {missing:?}:\n{said}")),
    }
}

fn bootstrap() -> Step {
    Lab::shared()?.bootstrap(&[]).map(drop)
}

fn second_run() -> Step {
    Lab::shared()?.second_run(&[("master", 2, 14), ("worker", 2, 9)])
}

fn plan_again() -> Step {
    let said = Lab::shared()?.bootstrap(&["--plan"])?;
    if said.contains(" 0 to change,") { Ok(()) } else { Err(format!("the plan is not empty:\n{said}")) }
}

/// The token of servers would make root of a worker an administrator of the cluster.
fn token_of_agents() -> Step {
    let lab = Lab::shared()?;
    let agents = lab.exec("master", "cat /etc/rancher/k3s/agent-token")?;
    let hash = lab.exec("master", "sha256sum </var/lib/rancher/k3s/server/tls/server-ca.crt | cut -c1-64")?;
    let token = lab.exec("worker", "stat -c '%a %U' /etc/rancher/k3s/token; cat /etc/rancher/k3s/token")?;
    if token != format!("600 root\nK10{hash}::node:{agents}") {
        return Err("the worker's token is not that of agents in full, or others can read it".into());
    }
    let servers = lab.exec("master", "sed 's/.*:://; s/.*://' /var/lib/rancher/k3s/server/token")?;
    let found =
        lab.exec("worker", &format!("grep -rlF {servers} /etc /root /home /opt /run /srv /tmp /usr/local /var || :"))?;
    if found.is_empty() { Ok(()) } else { Err(format!("the password of servers is on the worker: {found}")) }
}

/// The join token is in no argument list, no journal and no file that others may read, on either host.
fn secrets() -> Step {
    let lab = Lab::shared()?;
    for (host, file) in [
        ("master", "/var/lib/rancher/k3s/server/token"),
        ("master", "/etc/rancher/k3s/agent-token"),
        ("worker", "/etc/rancher/k3s/token"),
    ] {
        // The pattern goes from file to file: this command's own arguments must not contain it.
        let search = format!(
            "umask 077; sed 's/.*:://; s/.*://' {file} >/root/pattern; [ $(wc -c </root/pattern) -gt 16 ] || exit 1
             grep -lF -f /root/pattern /proc/[0-9]*/cmdline 2>/dev/null
             journalctl -o cat | grep -qF -f /root/pattern && echo journal
             find /etc /var /usr/local /tmp -xdev -type f -perm /077 -exec grep -lF -f /root/pattern {{}} + 2>/dev/null
             rm /root/pattern; true"
        );
        let found = lab.exec(host, &search)?;
        if !found.is_empty() {
            return Err(format!("the token is readable on {host}: {found}"));
        }
    }
    Ok(())
}

fn verify() -> Step {
    let (status, said) = Lab::shared()?.verify(&[], &[])?;
    if status == 0 && said.contains("13 checks passed") { Ok(()) } else { Err(said) }
}

/// Small systems have no `ping`, and between the nodes only the ports of the table are open.
fn without_ping() -> Step {
    let lab = Lab::shared()?;
    let on_both =
        |command: &str| ["master", "worker"].into_iter().try_for_each(|host| lab.exec(host, command).map(drop));
    on_both("mv \"$(command -v ping)\" /root/ping.aside")?;
    let looked = lab.bootstrap(&["--only", "preflight"]);
    on_both("mv /root/ping.aside /usr/bin/ping")?;
    looked.map(drop)
}

/// What was added to cluster.toml is in force, and what was taken out is gone; what contradicts the architecture is refused.
fn flags() -> Step {
    let lab = Lab::shared()?;
    let with = "k3s.server_args=etcd-snapshot-retention=7";
    let wrong = "k3s.server_args=node-ip=10.0.0.9,etcd-snapshot-retentoin=7";
    let (status, said) = lab.try_bootstrap(&["--set", wrong])?;
    if status == 0
        || !said.contains("node-ip is set already")
        || !said.contains("etcd-snapshot-retentoin is not a flag")
    {
        return Err(format!("it ended with {status}:\n{said}"));
    }
    let written = "grep -c etcd-snapshot-retention /etc/rancher/k3s/config.yaml || true";
    for (options, lines) in [(&["--set", with][..], "1"), (&[], "0")] {
        lab.bootstrap(options)?;
        let found = lab.exec("master", written)?;
        if found != lines {
            return Err(format!("config.yaml has {found} lines of the flag, not {lines}"));
        }
    }
    lab.bootstrap_changes_nothing()
}

/// The lab takes the machine for booted though its agent waits, and the agent joins when its server is back.
fn lonely_boot() -> Step {
    let lab = Lab::shared()?;
    lab.exec("master", "systemctl stop k3s")?;
    let rebooted = lab.reboot("worker");
    let waits = lab.exec("worker", "systemctl is-system-running; systemctl show k3s-agent -p ActiveState --value");
    lab.exec("master", "systemctl start k3s")?;
    rebooted?;
    let waits = waits?;
    if waits != "starting\nactivating" {
        return Err(format!("the worker doesn't wait for its server: {waits}"));
    }
    come_back(&lab)
}

fn reboot() -> Step {
    let lab = Lab::shared()?;
    lab.reboot("master")?;
    lab.reboot("worker")?;
    come_back(&lab)?;
    lab.bootstrap_changes_nothing()
}

/// Waits until both nodes and all add-ons are ready.
fn come_back(lab: &Lab) -> Step {
    let ready = "for i in $(seq 90); do
        [ \"$(k3s kubectl get nodes --no-headers 2>/dev/null | awk '$2 == \"Ready\"' | wc -l)\" = 2 ] &&
        k3s kubectl -n kube-system rollout status deployment --timeout=2s >/dev/null 2>&1 && exit 0; sleep 1; done; exit 1";
    lab.exec("master", ready).map(drop)
}

/// The same playbook on machines of its own, by another way in.
fn sudo_jump_ipv6() -> Step {
    let lab = Lab::up("sudo")?;
    let text = std::fs::read_to_string(lab.file("cluster.toml")).map_err(|error| error.to_string())?;
    let text = text
        .replace("[ssh]", "[ssh]\nuser = \"ops\"\nsudo = true\nsudo_password_file = \"ops-password\"\njump = \"admin\"")
        .replace("ssh = \"master\"", "ssh = \"2001:db8:1::10\"")
        .replace("ssh = \"worker\"", "ssh = \"2001:db8:1::11\"");
    std::fs::write(lab.file("cluster.toml"), text).map_err(|error| error.to_string())?;
    lab.bootstrap(&[])?;
    lab.bootstrap_changes_nothing()
}

/// One archive with what a node and the cluster say.
fn support() -> Step {
    let lab = Lab::shared()?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let archive = folder.path().join("support.tar.gz");
    let path = archive.display().to_string();
    match lab.with_config("support.rhai", &[], &["--to", &path])? {
        (0, said) if said.contains(" 0 changed,") => {}
        (status, said) => return Err(format!("it ended with {status}:\n{said}")),
    }
    let packed = std::fs::File::open(&archive).map_err(|error| error.to_string())?;
    if packed.metadata().is_ok_and(|it| it.permissions().mode() & 0o777 != 0o600) {
        return Err("others can read the archive".to_owned());
    }
    let mut texts = BTreeMap::new();
    let mut entries = tar::Archive::new(flate2::read::GzDecoder::new(packed));
    for entry in entries.entries().map_err(|error| error.to_string())? {
        let mut entry = entry.map_err(|error| error.to_string())?;
        let (name, mut text) = (entry.path().map_err(|error| error.to_string())?.display().to_string(), String::new());
        entry.read_to_string(&mut text).map_err(|error| error.to_string())?;
        texts.insert(name, text);
    }
    for (name, expected) in [
        ("cluster.json", "\"pod_cidr\""),
        ("master/journal.txt", "k3s"),
        ("master/nodes.txt", "worker"),
        ("master/objects.txt", "coredns"),
        ("worker/k3s.txt", "flannel-iface"),
        ("worker/firewall.txt", "active"),
        ("worker/rules.txt", "k3srun"),
    ] {
        if !texts.get(name).is_some_and(|text| text.contains(expected)) {
            return Err(format!("{name} doesn't tell {expected}: {:?}", texts.get(name)));
        }
    }
    let token = lab.exec("master", "cut -d : -f 4 /var/lib/rancher/k3s/server/token")?;
    match texts.iter().find(|(_, text)| text.contains(&token)) {
        None if token.len() > 8 => Ok(()),
        None => Err(format!("{token} is not a token")),
        Some((name, _)) => Err(format!("{name} has the server's token")),
    }
}
