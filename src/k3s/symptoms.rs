//! What k3s and the Kubernetes inside it say when they can't start or join: one row for each line that we know.

use super::diagnosis::Verdict::{self, Permanent, Transient, Warning};
use super::settings::Role;

/// A line of the journal that we know.
#[derive(Debug, PartialEq, Eq)]
pub struct Symptom {
    /// Whose line it is; none: that of servers and agents.
    pub role: Option<Role>,
    /// What the line contains: texts in this order, with `*` between them. Without quotes, which logs escape in different
    /// ways.
    pub fragment: &'static str,
    /// Whether waiting helps.
    pub verdict: Verdict,
    /// What it means.
    pub cause: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

const fn both(verdict: Verdict, fragment: &'static str, cause: &'static str, remedy: &'static str) -> Symptom {
    Symptom { role: None, fragment, verdict, cause, remedy }
}

const fn server(verdict: Verdict, fragment: &'static str, cause: &'static str, remedy: &'static str) -> Symptom {
    Symptom { role: Some(Role::Server), fragment, verdict, cause, remedy }
}

const fn agent(verdict: Verdict, fragment: &'static str, cause: &'static str, remedy: &'static str) -> Symptom {
    Symptom { role: Some(Role::Agent), fragment, verdict, cause, remedy }
}

const SYSCTLS: &str = "set vm.overcommit_memory=1 vm.panic_on_oom=0 kernel.panic=10 kernel.panic_on_oops=1 \
     kernel.keys.root_maxkeys=1000000 kernel.keys.root_maxbytes=25000000 in a file of /etc/sysctl.d, and load it";
const REJOIN: &str = "if this machine was reinstalled under its old name: `k3s kubectl delete node NAME` on the server, then \
     run again. If another machine has this name: give this one a name of its own (node_name)";
const NEW_TOKEN: &str = "let k3srun read the token from the server's host (option `server`) instead of passing one";
const REACH: &str = "is k3s up on the server, its address right, and 6443/tcp open from this host?";
const REGISTRY: &str = "is the registry reachable from this host? Without the internet pass `images`";
const MEMBER: &str =
    "put the old address back (node_ip), or run `k3s server --cluster-reset` once with the unit stopped";
const ARGUMENT: &str =
    "correct the argument that the line names: arguments come and go with the minor releases of Kubernetes";
const NO_ADDRESS: &str = "look at `ip address`, and correct node_ip";
const TAKEN: &str = "`ss -ltnp` shows which; stop it";

/// What is said where an agent's server doesn't answer: k3s itself writes nothing about it for a while.
pub const SILENT: Symptom = agent(
    Transient,
    "",
    "the server doesn't answer at its port: it is down, still starting, or can't be reached",
    REACH,
);

/// All that we know, the more telling first. The fragments are those of k3s 1.34 to 1.37.
pub const SYMPTOMS: &[Symptom] = &[
    both(
        Permanent,
        "invalid kernel flag",
        "protect_kernel_defaults is set and a kernel setting is not what the kubelet wants",
        SYSCTLS,
    ),
    both(Permanent, "Failed to start ContainerManager", "the kubelet can't manage the host's resources", SYSCTLS),
    both(
        Permanent,
        "configured to not run on a host using cgroup v1",
        "from Kubernetes 1.35 on the kubelet doesn't start on control groups of version 1",
        "boot the host with version 2 (systemd.unified_cgroup_hierarchy=1 on the kernel's command line), or tell the kubelet \
         to accept it: kubelet_args = [\"fail-cgroupv1=false\"]",
    ),
    both(
        Permanent,
        "failed to find memory cgroup",
        "the kernel gives no memory controller to k3s",
        "boot with `cgroup_memory=1 cgroup_enable=memory`, or delegate the controllers to this container",
    ),
    both(
        Permanent,
        "Failed to find memory cgroup",
        "the kernel gives no memory controller to k3s",
        "boot with `cgroup_memory=1 cgroup_enable=memory`",
    ),
    both(
        Permanent,
        "pids cgroup controller not found",
        "the kernel gives no pids controller to k3s",
        "delegate the cgroup controllers to this machine",
    ),
    both(
        Permanent,
        "failed to create kubelet: open /dev/kmsg",
        "the kubelet reads the kernel's log, and this container has no /dev/kmsg",
        "let the container have the device, or tell the kubelet to do without: \
         kubelet_args = [\"feature-gates=KubeletInUserNamespace=true\"]",
    ),
    both(
        Permanent,
        "server time isn't set properly",
        "the clock of this host stands before 1980",
        "set the clock and keep it right by NTP",
    ),
    agent(
        Permanent,
        "not yet valid*is before",
        "the clock of this host is behind the one on which the cluster's certificates were made",
        "let NTP set the clocks of both hosts, then run again",
    ),
    agent(
        Permanent,
        "not yet valid*is after",
        "a certificate of the cluster has expired, or the clock of this host is ahead",
        "let NTP set the clocks of both hosts; `k3s certificate check` on the server tells what has expired, and a restart of \
         k3s there renews it",
    ),
    agent(
        Permanent,
        "token CA hash does not match",
        "the token belongs to another cluster, or the server was reinstalled",
        NEW_TOKEN,
    ),
    agent(Permanent, "invalid token CA hash length", "the token is cut off", NEW_TOKEN),
    agent(Permanent, "invalid token format", "the token is cut off", NEW_TOKEN),
    agent(Permanent, "--token is required", "the agent has no token: the file with it is empty", NEW_TOKEN),
    agent(
        Permanent,
        "--server is required",
        "the agent isn't told where its server is",
        "does a file of /etc/rancher/k3s/config.yaml.d take `server` away?",
    ),
    agent(
        Permanent,
        "only https:// URLs are supported",
        "the server's address doesn't begin with https://",
        "write it like https://10.0.0.1:6443 (server_url)",
    ),
    agent(
        Permanent,
        "first path segment in URL",
        "the server's address is not a URL",
        "write it like https://10.0.0.1:6443 (server_url)",
    ),
    agent(Permanent, "Node password rejected", "the cluster knows this name with another password", REJOIN),
    agent(Permanent, "not authorized", "the server refuses this token", NEW_TOKEN),
    both(
        Permanent,
        "unable to find interface",
        "the interface of flannel_iface is not on this host",
        "look at `ip link`, and name the one of the private network",
    ),
    both(
        Permanent,
        "does not have a correct global unicast ip",
        "the interface of flannel_iface has no address to use",
        "give it its address, or set node_ip",
    ),
    both(
        Permanent,
        "multiple global unicast addresses",
        "the interface of flannel_iface has several addresses",
        "say which one with node_ip",
    ),
    both(
        Permanent,
        "no default routes found",
        "the host has no default route to find its address by",
        "set node_ip and flannel_iface",
    ),
    both(
        Permanent,
        "failed to get default interface",
        "the host has no default route to find its interface by",
        "set node_ip and flannel_iface",
    ),
    both(Permanent, "invalid node-ip", "node_ip is not an IP address", NO_ADDRESS),
    both(
        Permanent,
        "bad --node-ip",
        "node_ip is set in two places, and k3s takes both values",
        "look into /etc/rancher/k3s/config.yaml.d and at the arguments in the unit, and take one away",
    ),
    both(
        Permanent,
        "failed to validate nodeIP*not found in the host",
        "node_ip is not an address of this host",
        NO_ADDRESS,
    ),
    server(
        Permanent,
        "start managed database*cannot assign requested address",
        "node_ip is not an address of this host",
        NO_ADDRESS,
    ),
    both(
        Permanent,
        "specified in the flannel net config doesn't contain",
        "the node has its pod network from another cluster_cidr",
        "put the old cluster_cidr back: it can't be changed once nodes have joined",
    ),
    server(
        Permanent,
        "coredns.yaml*may not change once set",
        "the cluster's Services have addresses of another service_cidr",
        "put the old service_cidr and cluster_dns back: they can't be changed once the cluster is made",
    ),
    both(
        Permanent,
        "failed to find interface with specified node ip",
        "the cluster knows this node by an address that the machine doesn't have",
        "give the machine the node's old address, and node_ip too; or give the node a name of its own (node_name)",
    ),
    server(
        Permanent,
        "encrypted with different token",
        "the token in the configuration is not the one that the cluster's data is sealed with",
        "put the old token back into config.yaml, or remove the line: the server knows its token",
    ),
    server(
        Permanent,
        "newer than datastore and could cause a cluster outage",
        "a certificate or password file was changed by hand since k3s stored it, or agent-token was changed",
        "put the old agent-token back if you changed it, remove the file that the line names, then restart k3s",
    ),
    server(
        Permanent,
        "no bootstrap data found in datastore",
        "the token or the datastore is not that of this cluster",
        "put the old token back into config.yaml",
    ),
    server(
        Permanent,
        "identity transformer tried to read encrypted data",
        "Secrets are stored encrypted, and secrets_encryption is off",
        "switch secrets_encryption on again; to take the encryption away, see `k3s secrets-encrypt disable`",
    ),
    server(
        Permanent,
        "is a not a member of the etcd cluster",
        "the address or the name of this server is not the one that etcd was started with",
        MEMBER,
    ),
    server(
        Permanent,
        "Managed etcd cluster membership*reset",
        "cluster-reset is in the configuration, and the reset is done",
        "take cluster-reset out of the configuration, and remove /var/lib/rancher/k3s/server/db/reset-flag where that is there",
    ),
    server(
        Permanent,
        "cannot perform cluster-reset while server URL is set",
        "cluster-reset and server exclude each other",
        "take `server` out of the configuration",
    ),
    both(
        Permanent,
        "cannot be enabled",
        "the file system under /var/lib/rancher can't carry this snapshotter",
        "use ext4 or xfs (with ftype=1) there, or set snapshotter = \"native\" (in cluster.toml below [k3s])",
    ),
    both(
        Permanent,
        "unknown 'kubernetes.io' or 'k8s.io' labels",
        "a kubelet may not give itself this label",
        "pass it in node_labels, not in kubelet_args: k3srun sets it through the API",
    ),
    both(Permanent, "failed to parse kubelet flag", "the kubelet refuses one of kubelet_args", ARGUMENT),
    both(Permanent, "exited: unknown flag", "a part of k3s doesn't know one of its arguments", ARGUMENT),
    both(Permanent, "exited: invalid argument", "a part of k3s refuses the value of an argument", ARGUMENT),
    both(
        Permanent,
        "level=fatal*yaml: ",
        "a file with k3s's settings is not valid YAML",
        "correct the file in /etc/rancher/k3s/config.yaml.d that has such a line, or config.yaml itself",
    ),
    agent(
        Permanent,
        "flag provided but not defined",
        "config.yaml has a key that an agent doesn't know",
        "take the key that the line names out of /etc/rancher/k3s/config.yaml.d",
    ),
    both(
        Permanent,
        "must share the same IP version",
        "the networks of pods and services and node_ip are not of the same IP family",
        "give all three in IPv4, in IPv6, or in both",
    ),
    agent(
        Permanent,
        "incompatible down-level server detected",
        "the agent is newer than the server",
        "install the server's version on the agent",
    ),
    both(
        Permanent,
        "iptables is not available on this host",
        "kube-proxy finds neither iptables nor nf_tables in the kernel",
        "install iptables and load ip_tables or nf_tables",
    ),
    both(
        Permanent,
        "failed to verify directory",
        "the files that k3s has unpacked are damaged; the disk may be full",
        "free space, remove /var/lib/rancher/k3s/data, run again",
    ),
    both(Permanent, "no space left on device", "the disk is full", "free space under /var/lib/rancher"),
    server(
        Permanent,
        "failed to start supervisor listener*address already in use",
        "another program listens on port 6443",
        "`ss -ltnp sport = 6443` shows which; stop it",
    ),
    server(
        Permanent,
        "apiserver exited*address already in use",
        "another program listens on port 6444",
        "`ss -ltnp sport = 6444` shows which; stop it",
    ),
    server(
        Permanent,
        "start managed database*address already in use",
        "another program listens on a port of etcd, 2379 to 2381",
        TAKEN,
    ),
    agent(
        Permanent,
        "Error starting load balancer*address already in use",
        "another program listens on port 6444",
        "`ss -ltnp sport = 6444` shows which; stop it",
    ),
    both(
        Permanent,
        "Failed to listen and serve*address already in use",
        "another program listens on port 10250",
        "`ss -ltnp sport = 10250` shows which; stop it",
    ),
    both(Transient, "address already in use", "another program listens on a port of k3s", TAKEN),
    both(
        Transient,
        "cannot assign requested address",
        "node_ip or bind_address is not an address of this host",
        NO_ADDRESS,
    ),
    agent(Transient, "failed to get CA certs", "the server can't be reached on port 6443", REACH),
    agent(
        Transient,
        "runtime core not ready",
        "the server is still starting",
        "look at k3s on the server if it stays so",
    ),
    both(Transient, "failed to pull", "an image can't be pulled", REGISTRY),
    both(Transient, "ImagePullBackOff", "an image can't be pulled", REGISTRY),
    both(
        Warning,
        "Failed to load kernel module br_netfilter",
        "br_netfilter is missing: Services may fail between nodes",
        "install the kernel's modules, or build it in",
    ),
    both(
        Warning,
        "Skipping network policy controller start",
        "ipset doesn't work: network policies are not enforced",
        "install ipset, and load the module ip_set",
    ),
    both(
        Warning,
        "Host resolv.conf includes loopback",
        "pods would use the name server 8.8.8.8",
        "set resolv_conf to a file with a name server that pods can reach",
    ),
    server(
        Warning,
        "found in config.yaml, skipping",
        "k3s leaves out a key that it doesn't know",
        "`journalctl -u k3s | grep 'Unknown flag'` on the host names it; correct it, or take it out",
    ),
    both(
        Transient,
        "Shutdown request received: *exited: ",
        "a part of k3s has ended, and k3s with it",
        "the line says which part, and why",
    ),
    both(Transient, "Shutdown request received: failed to ", "k3s has ended by itself", "the line says why"),
];
