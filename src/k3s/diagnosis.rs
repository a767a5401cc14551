//! What the lines of k3s's journal mean: one table, used while a node starts and when it doesn't.

use super::settings::Role;

/// What a line tells about the start that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It will not succeed however long one waits.
    Permanent,
    /// It may still succeed; if it doesn't, this is why.
    Transient,
    /// It goes on, but something will be missing.
    Warning,
}

/// A line of the journal that we know.
#[derive(Debug, PartialEq, Eq)]
pub struct Symptom {
    /// What the line contains.
    pub fragment: &'static str,
    /// Whether waiting helps.
    pub verdict: Verdict,
    /// What it means.
    pub cause: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

const fn permanent(fragment: &'static str, cause: &'static str, remedy: &'static str) -> Symptom {
    Symptom { fragment, verdict: Verdict::Permanent, cause, remedy }
}

const fn transient(fragment: &'static str, cause: &'static str, remedy: &'static str) -> Symptom {
    Symptom { fragment, verdict: Verdict::Transient, cause, remedy }
}

const fn warning(fragment: &'static str, cause: &'static str, remedy: &'static str) -> Symptom {
    Symptom { fragment, verdict: Verdict::Warning, cause, remedy }
}

const SYSCTLS: &str = "set vm.overcommit_memory=1 vm.panic_on_oom=0 kernel.panic=10 kernel.panic_on_oops=1 \
     kernel.keys.root_maxkeys=1000000 kernel.keys.root_maxbytes=25000000 in a file of /etc/sysctl.d, and load it";
const REJOIN: &str = "if this machine was set up anew under its old name: `k3s kubectl delete node NAME` on the server, then \
     run again. If another machine has this name: give this one a name of its own (node_name)";
const NEW_TOKEN: &str = "let k3srun read the token from the server's host (option `server`) instead of passing one";

/// All that we know, the more telling first. The fragments are those of k3s 1.34 and the Kubernetes inside it; without
/// quotes, because logs escape those in different ways.
pub const SYMPTOMS: &[Symptom] = &[
    permanent(
        "invalid kernel flag",
        "protect_kernel_defaults is set and a kernel setting is not what the kubelet wants",
        SYSCTLS,
    ),
    permanent("Failed to start ContainerManager", "the kubelet can't manage the host's resources", SYSCTLS),
    permanent(
        "failed to find memory cgroup",
        "the kernel gives no memory controller to k3s",
        "boot with `cgroup_memory=1 cgroup_enable=memory`, or delegate the controllers to this container",
    ),
    permanent(
        "Failed to find memory cgroup",
        "the kernel gives no memory controller to k3s",
        "boot with `cgroup_memory=1 cgroup_enable=memory`",
    ),
    permanent(
        "pids cgroup controller not found",
        "the kernel gives no pids controller to k3s",
        "delegate the cgroup controllers to this machine",
    ),
    permanent(
        "server time isn't set properly",
        "the clock of this host stands before 1980",
        "set the clock and keep it right by NTP",
    ),
    permanent(
        "not yet valid",
        "the clock of this host is behind the one on which the cluster's certificates were made",
        "let NTP set the clocks of both hosts, then run again",
    ),
    permanent(
        "token CA hash does not match",
        "the token belongs to another cluster, or the server was set up anew",
        NEW_TOKEN,
    ),
    permanent("invalid token CA hash length", "the token is cut off", NEW_TOKEN),
    permanent("invalid token format", "the token is cut off", NEW_TOKEN),
    permanent("Node password rejected", "the cluster knows this name with another password", REJOIN),
    permanent("not authorized", "the server refuses this token", NEW_TOKEN),
    permanent(
        "unable to find interface",
        "the interface of flannel_iface is not on this host",
        "look at `ip link`, and name the one of the private network",
    ),
    permanent(
        "does not have a correct global unicast ip",
        "the interface of flannel_iface has no address to use",
        "give it its address, or set node_ip",
    ),
    permanent(
        "multiple global unicast addresses",
        "the interface of flannel_iface has several addresses",
        "say which one with node_ip",
    ),
    permanent(
        "no default routes found",
        "the host has no default route to find its address by",
        "set node_ip and flannel_iface",
    ),
    permanent(
        "failed to get default interface",
        "the host has no default route to find its interface by",
        "set node_ip and flannel_iface",
    ),
    permanent(
        "encrypted with different token",
        "the token in the configuration is not the one that the cluster's data is sealed with",
        "put the old token back into config.yaml, or remove the line: the server knows its token",
    ),
    permanent(
        "newer than datastore and could cause a cluster outage",
        "a certificate or password file was changed by hand since k3s stored it, or agent-token was changed",
        "remove the file that the line names, then restart k3s",
    ),
    permanent(
        "no bootstrap data found in datastore",
        "the token or the datastore is not that of this cluster",
        "put the old token back into config.yaml",
    ),
    permanent(
        "is a not a member of the etcd cluster",
        "the address or the name of this server is not the one that etcd was started with",
        "put the old address back (node_ip), or run `k3s server --cluster-reset` once with the unit stopped",
    ),
    permanent(
        "Managed etcd cluster membership was previously reset",
        "a reset of the cluster was not finished",
        "take cluster-reset out of the configuration and remove the reset-flag that the line names",
    ),
    permanent(
        "cannot perform cluster-reset while server URL is set",
        "cluster-reset and server exclude each other",
        "take `server` out of the configuration",
    ),
    permanent(
        "cannot be enabled",
        "the file system under /var/lib/rancher can't carry this snapshotter",
        "use ext4 or xfs (with ftype=1) there, or set snapshotter to native",
    ),
    permanent(
        "unknown 'kubernetes.io' or 'k8s.io' labels",
        "a kubelet may not give itself this label",
        "pass it in node_labels, not in kubelet_args: k3srun sets it through the API",
    ),
    permanent(
        "flag provided but not defined",
        "config.yaml has a key that an agent doesn't know",
        "take the key that the line names out of /etc/rancher/k3s/config.yaml.d",
    ),
    permanent(
        "must share the same IP version",
        "the networks of pods and services and node_ip are not of the same IP family",
        "give all three in IPv4, in IPv6, or in both",
    ),
    permanent(
        "incompatible down-level server detected",
        "the agent is newer than the server",
        "install the server's version on the agent",
    ),
    permanent(
        "iptables is not available on this host",
        "kube-proxy finds neither iptables nor nf_tables in the kernel",
        "install iptables and load ip_tables or nf_tables",
    ),
    permanent(
        "failed to verify directory",
        "the files that k3s has unpacked are damaged; the disk may be full",
        "free space, remove /var/lib/rancher/k3s/data, run again",
    ),
    permanent("no space left on device", "the disk is full", "free space under /var/lib/rancher"),
    transient(
        "bind: cannot assign requested address",
        "node_ip or bind_address is not an address of this host",
        "look at `ip address`, and correct node_ip",
    ),
    transient(
        "failed to start supervisor listener",
        "another program listens on port 6443",
        "`ss -ltnp sport = 6443` shows which; stop it",
    ),
    transient(
        "Error starting load balancer",
        "another program listens on port 6444",
        "`ss -ltnp sport = 6444` shows which; stop it",
    ),
    transient("address already in use", "another program listens on a port of k3s", "`ss -ltnp` shows which; stop it"),
    transient(
        "failed to get CA certs",
        "the server can't be reached on port 6443",
        "is k3s up on the server, its address right, and 6443/tcp open from this host?",
    ),
    transient("runtime core not ready", "the server is still starting", "look at k3s on the server if it stays so"),
    transient(
        "failed to pull",
        "an image can't be pulled",
        "is the registry reachable from this host? Without the internet pass `images`",
    ),
    transient(
        "ImagePullBackOff",
        "an image can't be pulled",
        "is the registry reachable from this host? Without the internet pass `images`",
    ),
    warning(
        "Failed to load kernel module br_netfilter",
        "br_netfilter is missing: Services may fail between nodes",
        "install the kernel's modules, or build it in",
    ),
    warning(
        "Skipping network policy controller start",
        "ipset doesn't work: network policies are not enforced",
        "install ipset, and load the module ip_set",
    ),
    warning(
        "Host resolv.conf includes loopback",
        "pods would use the name server 8.8.8.8",
        "set resolv_conf to a file with a name server that pods can reach",
    ),
];

/// The symptom that a line of the journal shows.
pub fn recognise(line: &str) -> Option<&'static Symptom> {
    SYMPTOMS.iter().find(|symptom| line.contains(symptom.fragment))
}

/// What the unit is, for a person who doesn't know systemd's words.
pub fn progress(role: Role, active: &str) -> &'static str {
    match (role, active) {
        (_, "active") => "the kubelet is not ready yet",
        (Role::Server, "activating") => "the API server is not ready yet",
        (Role::Agent, "activating") => "not joined yet",
        _ => "not running",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_journal_are_recognised() {
        let lines = [
            (
                r#"time="2026-11-23T20:00:00Z" level=error msg="token CA hash does not match the Cluster CA certificate hash: a != b""#,
                Verdict::Permanent,
            ),
            (
                r#"E1123 kubelet.go:1703] "Failed to start ContainerManager" err="invalid kernel flag: vm/overcommit_memory, expected value: 1, actual value: 0""#,
                Verdict::Permanent,
            ),
            (
                r#"time="x" level=error msg="Failed to validate connection to cluster at https://127.0.0.1:6444: failed to get CA certs: EOF""#,
                Verdict::Transient,
            ),
            (
                r#"time="x" level=warning msg="Skipping network policy controller start, ipset unavailable""#,
                Verdict::Warning,
            ),
        ];
        for (line, verdict) in lines {
            assert_eq!(recognise(line).map(|symptom| symptom.verdict), Some(verdict), "{line}");
        }
        assert_eq!(recognise("level=info msg=\"k3s is up and running\""), None);
    }

    #[test]
    fn no_fragment_hides_behind_an_earlier_one() {
        for (at, symptom) in SYMPTOMS.iter().enumerate() {
            let hidden = SYMPTOMS[..at].iter().find(|earlier| symptom.fragment.contains(earlier.fragment));
            assert_eq!(hidden.map(|earlier| earlier.fragment), None, "{}", symptom.fragment);
            assert!(!symptom.fragment.contains('"'), "{}", symptom.fragment);
        }
    }
}
