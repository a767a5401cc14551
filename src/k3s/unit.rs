//! The systemd unit and its environment file, as the official installer writes them: an installation that it made without
//! arguments is the same byte for byte, so adopting it restarts nothing.

use std::collections::BTreeMap;

use super::settings::Role;

/// Where the executable is.
pub const BINARY: &str = "/usr/local/bin/k3s";

/// Where the executable of another version waits for its turn.
pub const STAGED: &str = "/usr/local/bin/k3s.staged";

/// Where an upgrade keeps the executable that it replaced.
pub const PREVIOUS: &str = "/usr/local/bin/k3s.previous";

/// The folder of the unit.
pub const FOLDER: &str = "/etc/systemd/system";

/// The path of the unit file.
pub fn path(role: Role) -> String {
    format!("{FOLDER}/{}.service", role.unit())
}

/// The path of the file with the unit's environment.
pub fn environment_path(role: Role) -> String {
    format!("{FOLDER}/{}.service.env", role.unit())
}

/// The text of the unit file. Settings are in config.yaml, so there are no arguments.
pub fn text(role: Role) -> String {
    format!(
        "[Unit]
Description=Lightweight Kubernetes
Documentation=https://k3s.io
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=notify
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
EnvironmentFile=-{}
KillMode=process
Delegate=yes
User=root
# Having non-zero Limit*s causes performance problems due to accounting overhead
# in the kernel. We recommend using cgroups to do container-local accounting.
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart={BINARY} \\
    {} \\

",
        environment_path(role),
        role.name(),
    )
}

/// The text of the environment file.
pub fn environment(variables: &BTreeMap<String, String>) -> String {
    variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

/// The arguments that a unit file gives to k3s after the subcommand, e.g. those that were passed to the official installer.
///
/// ```
/// let unit = "[Service]\nExecStart=/usr/local/bin/k3s \\\n    server \\\n\t'--disable' \\\n\t'traefik' \\\n\n";
/// assert_eq!(k3srun::k3s::unit::arguments(unit), ["--disable", "traefik"]);
/// ```
pub fn arguments(unit: &str) -> Vec<String> {
    let joined = unit.replace("\\\n", " ");
    let Some(command) = joined.lines().find_map(|line| line.trim().strip_prefix("ExecStart=")) else {
        return Vec::new();
    };
    words(command).into_iter().skip(2).collect()
}

/// Splits a command line as systemd does: blanks, quotes of both kinds, backslashes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) => word.get_or_insert_default().extend(chars.next()),
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_an_agent() {
        let text = text(Role::Agent);
        assert!(text.contains("\nEnvironmentFile=-/etc/systemd/system/k3s-agent.service.env\n"));
        assert!(text.ends_with("\nExecStart=/usr/local/bin/k3s \\\n    agent \\\n\n"));
        assert!(arguments(&text).is_empty());
    }

    #[test]
    fn quoted_arguments_are_taken_apart() {
        let unit = "ExecStart=/usr/local/bin/k3s server '--node-label=a=b c' \"--x=\\\"\" --flag ''";
        assert_eq!(arguments(unit), ["--node-label=a=b c", "--x=\"", "--flag", ""]);
        assert!(arguments("[Unit]").is_empty());
    }
}
