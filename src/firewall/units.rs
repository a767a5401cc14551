//! What keeps the rules in force on a host: the unit that loads them at boot, the one that watches them, and what keeps others
//! from starting without them.
//!
//! No name begins with `k3s`: the official scripts of k3s stop every unit that does, and don't uninstall beside one.

use super::{FILE, Policy, ruleset};

/// The folder of the units.
const FOLDER: &str = "/etc/systemd/system";

/// What the watching unit runs.
const SCRIPT: &str = "/etc/k3srun/firewall-watch.sh";

/// A file beside the rules: path and text.
pub type Part = (String, String);

/// All of them for a policy. `ssh` is the port that stays open to whom the policy opens it where the rules don't load.
pub fn parts(policy: &Policy, ssh: u16) -> Vec<Part> {
    let mut parts = vec![
        (format!("{FOLDER}/firewall-k3srun.service"), loader(&ruleset::minimal(policy, ssh))),
        (format!("{FOLDER}/firewall-k3srun-watch.service"), watcher()),
        (SCRIPT.to_owned(), include_str!("watch.sh").to_owned()),
    ];
    parts.extend(policy.required_by.iter().map(|unit| (drop_in(unit), requirement())));
    parts
}

/// Loads the rules before anything is reached: also before sysinit.target, since sockets that systemd opens by itself come right
/// after it. Rules that don't load, or aren't there, leave the way in and nothing else.
fn loader(minimal: &str) -> String {
    format!(
        "# Written by k3srun: changes are overwritten.
[Unit]
Description=Firewall of k3srun
DefaultDependencies=no
Wants=network-pre.target firewall-k3srun-watch.service
Before=network-pre.target sysinit.target shutdown.target
# What empties the ruleset at boot, or takes back a change, comes first.
After=local-fs.target systemd-modules-load.service nftables.service rollback-k3srun-firewall.service
Conflicts=shutdown.target
# It isn't there where a change was taken back meanwhile.
ConditionPathExists={FOLDER}/firewall-k3srun.service

[Service]
Type=oneshot
RemainAfterExit=yes
# A file that is empty loads, too.
ExecStart=/bin/sh -c 'nft -f {FILE} && nft list table inet k3srun >/dev/null || {{ nft \"{minimal}\"; exit 1; }}'
ExecReload=/bin/sh -c 'nft -f {FILE}'

[Install]
WantedBy=sysinit.target
",
        minimal = minimal.replace('%', "%%"),
    )
}

fn watcher() -> String {
    format!(
        "# Written by k3srun: changes are overwritten.
[Unit]
Description=Watch over the firewall of k3srun
DefaultDependencies=no
RequiresMountsFor=/var/lib/k3srun
After=local-fs.target firewall-k3srun.service
Before=shutdown.target
Conflicts=shutdown.target
StartLimitIntervalSec=0
ConditionPathExists={FOLDER}/firewall-k3srun-watch.service

[Service]
ExecStart=/bin/sh {SCRIPT}
Restart=always
RestartSec=1
"
    )
}

fn drop_in(unit: &str) -> String {
    format!("{FOLDER}/{unit}.d/firewall-k3srun.conf")
}

/// A look at the table, and no `Requires=`: that would stop the unit whenever somebody restarts the firewall's.
fn requirement() -> String {
    "# Written by k3srun: changes are overwritten.
[Unit]
Wants=firewall-k3srun.service
After=firewall-k3srun.service

[Service]
ExecStartPre=/bin/sh -c 'nft list table inet k3srun >/dev/null || { echo \"not started without its firewall; see: systemctl status firewall-k3srun.service\"; exit 1; }'
"
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::policy::tests::master;
    use super::*;

    #[test]
    fn the_parts_of_a_master() {
        let policy = Policy { required_by: vec!["k3s.service".into()], ..master() };
        let parts = parts(&policy, 22);
        let units: Vec<String> =
            parts.iter().filter(|(path, _)| path != SCRIPT).map(|(path, text)| format!("{path}\n{text}")).collect();
        insta::assert_snapshot!(units.join("\n"));
    }

    #[test]
    fn no_name_is_one_that_k3s_takes_for_its_own() {
        let policy = Policy { required_by: vec!["k3s.service".into()], ..master() };
        for (path, _) in parts(&policy, 22) {
            let name = path.strip_prefix(FOLDER).unwrap_or_default();
            assert!(!(name.starts_with("/k3s") && name.ends_with(".service")), "{path}");
        }
    }
}
