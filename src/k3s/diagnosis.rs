//! What the lines of k3s's journal mean for the start that one waits for.

use super::settings::Role;
use super::symptoms::{SYMPTOMS, Symptom};

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

/// What a server logs of requests that others have made of it, whoever reaches its port: what is refused there says nothing
/// about its own start.
pub const OF_OTHERS: &[&str] = &[
    "Sending HTTP/",
    "Failed to authenticate request from ",
    "Unable to authenticate the request",
    "TLS handshake error from ",
    "rejected connection ",
];

impl Symptom {
    /// Whether a server, or an agent, can show it.
    pub fn concerns(&self, role: Role) -> bool {
        self.role.is_none_or(|of| of == role)
    }

    /// Whether a line of the journal shows it.
    pub fn is_in(&self, line: &str) -> bool {
        let mut rest = Some(line);
        for text in self.fragment.split('*') {
            rest = rest.and_then(|rest| rest.split_once(text)).map(|(_, after)| after);
        }
        rest.is_some()
    }

    /// A text by which lines that may show it are found.
    pub fn key(&self) -> &'static str {
        self.fragment.split('*').max_by_key(|text| text.len()).unwrap_or_default()
    }
}

/// The symptom that a line of the journal shows.
pub fn recognise(role: Role, line: &str) -> Option<&'static Symptom> {
    if OF_OTHERS.iter().any(|text| line.contains(text)) {
        return None;
    }
    SYMPTOMS.iter().find(|symptom| symptom.concerns(role) && symptom.is_in(line))
}

/// What the unit is, for a person who doesn't know systemd's words.
pub fn progress(role: Role, active: &str) -> &'static str {
    match (role, active) {
        (_, "active") => "the kubelet is not ready yet",
        (Role::Server, "activating") => "the API server is not ready yet",
        (Role::Agent, "activating") => "not joined yet",
        (_, "deactivating") => "still stopping",
        _ => "not running",
    }
}

#[cfg(test)]
mod tests {
    use Role::{Agent, Server};
    use Verdict::{Permanent, Transient, Warning};

    use super::*;

    /// Who writes a line, the line, and what it means, if anything: what becomes of the wait, and how the cause begins.
    type Case = (Role, &'static str, Option<(Verdict, &'static str)>);

    /// Lines that k3s v1.34.3+k3s1 has written.
    const LINES: &[Case] = &[
        // Refusals of an agent.
        (
            Agent,
            r#"level=info msg="Waiting to retrieve agent configuration; server is not ready: failed to retrieve configuration from server: not authorized""#,
            Some((Permanent, "the server refuses this token")),
        ),
        (
            Agent,
            r#"level=error msg="Failed to validate connection to cluster at https://10.77.0.10:6443: token CA hash does not match the Cluster CA certificate hash: cc != dd""#,
            Some((Permanent, "the token belongs to another cluster")),
        ),
        (
            Agent,
            r#"level=error msg="Failed to validate connection to cluster at https://10.77.0.10:6443: invalid token format""#,
            Some((Permanent, "the token is cut off")),
        ),
        (Agent, r#"level=fatal msg="Error: --token is required""#, Some((Permanent, "the agent has no token"))),
        (
            Agent,
            r#"level=info msg="Waiting to retrieve agent configuration; server is not ready: /var/lib/rancher/k3s/agent/serving-kubelet.crt: Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match server node-passwd entry""#,
            Some((Permanent, "the cluster knows this name")),
        ),
        (
            Agent,
            r#"level=fatal msg="Error: flag provided but not defined: -cluster-init""#,
            Some((Permanent, "config.yaml has a key that an agent doesn't know")),
        ),
        (
            Agent,
            r#"level=fatal msg="yaml: line 10: did not find expected ',' or ']'""#,
            Some((Permanent, "a file with k3s's settings is not valid YAML")),
        ),
        (
            Agent,
            r#"level=fatal msg="yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `a` into yaml.MapItem""#,
            Some((Permanent, "a file with k3s's settings is not valid YAML")),
        ),
        (
            Agent,
            r#"level=fatal msg="Error: unable to find interface eth9: route ip+net: no such network interface""#,
            Some((Permanent, "the interface of flannel_iface is not on this host")),
        ),
        (
            Agent,
            r#"E1127 kubelet_node_status.go] "Failed to set some node status fields" err="failed to validate nodeIP: node IP: \"10.77.0.99\" not found in the host's network interfaces" node="worker""#,
            Some((Permanent, "node_ip is not an address of this host")),
        ),
        (
            Agent,
            r#"level=fatal msg="Error: failed to get node name and addresses: invalid node-ip: invalid ip format '10.77.0.999'""#,
            Some((Permanent, "node_ip is not an IP address")),
        ),
        (
            Agent,
            r#"level=error msg="Failed to validate connection to cluster at https://10.77.0.99:6443: failed to get CA certs: Get \"https://127.0.0.1:6444/cacerts\": read: connection reset by peer""#,
            Some((Transient, "the server can't be reached on port 6443")),
        ),
        (
            Agent,
            r#"level=error msg="Failed to validate connection to cluster at http://10.77.0.10:6443: only https:// URLs are supported, invalid scheme: http://127.0.0.1:6444""#,
            Some((Permanent, "the server's address doesn't begin with https://")),
        ),
        (
            Agent,
            r#"level=warning msg="Error starting load balancer: parse \"10.77.0.10:6443\": first path segment in URL cannot contain colon""#,
            Some((Permanent, "the server's address is not a URL")),
        ),
        (Agent, r#"level=fatal msg="Error: --server is required""#, Some((Permanent, "the agent isn't told where"))),
        (
            Agent,
            r#"level=error msg="Shutdown request received: kubelet exited: failed to validate kubelet flags: unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [node-role.kubernetes.io/worker]""#,
            Some((Permanent, "a kubelet may not give itself this label")),
        ),
        (
            Agent,
            r#"E1127 kubelet.go] "Failed to start ContainerManager" err="invalid kernel flag: kernel/panic, expected value: 10, actual value: 1""#,
            Some((Permanent, "protect_kernel_defaults is set")),
        ),
        (
            Agent,
            r#"E1127 server.go] "Failed to listen and serve" err="listen tcp 0.0.0.0:10250: bind: address already in use""#,
            Some((Permanent, "another program listens on port 10250")),
        ),
        (
            Agent,
            r#"level=warning msg="Error starting load balancer: listen tcp 127.0.0.1:6444: bind: address already in use""#,
            Some((Permanent, "another program listens on port 6444")),
        ),
        (
            Agent,
            r#"E1127 server.go] "Healthz server failed" err="failed to start proxy healthz on 127.0.0.1:10256: listen tcp 127.0.0.1:10256: bind: address already in use""#,
            Some((Transient, "another program listens on a port of k3s")),
        ),
        (
            Agent,
            r#"level=error msg="Shutdown request received: kubelet exited: failed to parse kubelet flag: unknown flag: --no-such-flag""#,
            Some((Permanent, "the kubelet refuses one of kubelet_args")),
        ),
        (
            Agent,
            r#"E1127 log.go] "RunPodSandbox from runtime service failed" err="rpc error: code = Unknown desc = failed to start sandbox \"308d\": failed to get sandbox image \"rancher/mirrored-pause:3.6\": failed to pull image""#,
            Some((Transient, "an image can't be pulled")),
        ),
        (
            Agent,
            r#"level=warning msg="Failed to load kernel module br_netfilter with modprobe""#,
            Some((Warning, "br_netfilter is missing")),
        ),
        // Refusals of a server.
        (
            Server,
            r#"level=fatal msg="Failed to reconcile with temporary etcd: bootstrap data already found and encrypted with different token""#,
            Some((Permanent, "the token in the configuration is not the one")),
        ),
        (
            Server,
            r#"level=error msg="Shutdown request received: flannel exited: failed to register flannel network: failed to acquire lease: subnet \"10.52.0.0/16\" specified in the flannel net config doesn't contain \"10.42.0.0/24\" PodCIDR of the \"master\" node""#,
            Some((Permanent, "the node has its pod network from another cluster_cidr")),
        ),
        (
            Server,
            r#"level=error msg="Failed to process config: failed to process /var/lib/rancher/k3s/server/manifests/coredns.yaml: failed to update kube-system/kube-dns /v1, Kind=Service for  kube-system/coredns: Service \"kube-dns\" is invalid: spec.clusterIPs[0]: Invalid value: [\"10.53.0.10\"]: may not change once set""#,
            Some((Permanent, "the cluster's Services have addresses of another service_cidr")),
        ),
        (
            Server,
            r#"level=warning msg="Unknown flag --no-such-key found in config.yaml, skipping\n""#,
            Some((Warning, "k3s leaves out a key that it doesn't know")),
        ),
        (
            Server,
            r#"level=info msg="Failed to test etcd connection: this server is a not a member of the etcd cluster. Found [master-149d57d9=https://10.77.0.10:2380], expect: master-149d57d9=https://192.0.2.10:2380""#,
            Some((Permanent, "the address or the name of this server is not the one")),
        ),
        (
            Server,
            r#"level=fatal msg="Error: starting kubernetes: failed to start cluster: start managed database: listen tcp 10.77.0.99:2380: bind: cannot assign requested address""#,
            Some((Permanent, "node_ip is not an address of this host")),
        ),
        (
            Server,
            r#"level=fatal msg="Error: preparing server: failed to start supervisor listener: listen tcp :6443: bind: address already in use""#,
            Some((Permanent, "another program listens on port 6443")),
        ),
        (
            Server,
            r#"level=error msg="Shutdown request received: apiserver exited: failed to create listener: failed to listen on 127.0.0.1:6444: listen tcp 127.0.0.1:6444: bind: address already in use""#,
            Some((Permanent, "another program listens on port 6444")),
        ),
        (
            Server,
            r#"level=fatal msg="Error: starting kubernetes: failed to start cluster: start managed database: listen tcp 127.0.0.1:2379: bind: address already in use""#,
            Some((Permanent, "another program listens on a port of etcd")),
        ),
        (
            Server,
            r#"E1127 cacher.go] cacher (secrets): unexpected ListAndWatch error: failed to list *core.Secret: unable to transform key "/registry/secrets/kube-system/k3s-serving": identity transformer tried to read encrypted data; reinitializing..."#,
            Some((Permanent, "Secrets are stored encrypted")),
        ),
        (
            Server,
            r#"level=fatal msg="/var/lib/rancher/k3s/server/cred/encryption-config.json newer than datastore and could cause a cluster outage. Remove the file(s) from disk and restart to be recreated from datastore.""#,
            Some((Permanent, "a certificate or password file was changed by hand")),
        ),
        (
            Server,
            r#"level=error msg="Shutdown request received: apiserver exited: unknown flag: --no-such-flag""#,
            Some((Permanent, "a part of k3s doesn't know one of its arguments")),
        ),
        (
            Server,
            r#"level=error msg="Shutdown request received: \"Managed etcd cluster membership has been reset, restart without --cluster-reset flag now. Backup and delete ${datadir}/server/db on each peer etcd server and rejoin the nodes\"""#,
            Some((Permanent, "cluster-reset is in the configuration")),
        ),
        (
            Server,
            r#"level=error msg="Shutdown request received: failed to start networking: unable to initialize network policy controller: error getting node subnet: failed to find interface with specified node ip""#,
            Some((Permanent, "the cluster knows this node by an address")),
        ),
        (
            Server,
            r#"level=error msg="Shutdown request received: kubelet exited: failed to run Kubelet: bad --node-ip \"10.77.0.10,10.77.0.99\": must contain either a single IP or a dual-stack pair of IPs""#,
            Some((Permanent, "node_ip is set in two places")),
        ),
        // As the source of Kubernetes 1.36 and 1.37 has them.
        (
            Server,
            r#"level=error msg="Shutdown request received: kubelet exited: failed to validate kubelet configuration, error: kubelet is configured to not run on a host using cgroup v1. cgroup v1 support is unsupported and will be removed in a future release""#,
            Some((Permanent, "from Kubernetes 1.35 on the kubelet doesn't start")),
        ),
        (
            Server,
            r#"level=error msg="Shutdown request received: kubelet exited: failed to run Kubelet: failed to create kubelet: open /dev/kmsg: no such file or directory""#,
            Some((Permanent, "the kubelet reads the kernel's log")),
        ),
        (
            Server,
            r#"level=error msg="Shutdown request received: cloud-controller-manager exited: leaderelection lost""#,
            Some((Transient, "a part of k3s has ended, and k3s with it")),
        ),
        // What strangers do, and what every start has.
        (Server, r#"level=error msg="Sending HTTP/2.0 401 response to 10.77.0.11:41214: not authorized""#, None),
        (
            Server,
            r#"level=error msg="Failed to authenticate request from 10.77.0.11:41214: invalid username/password combination""#,
            None,
        ),
        (
            Server,
            r#"level=error msg="Sending HTTP/1.1 403 response to 10.77.0.11:58756: unable to verify password for node worker: hash does not match""#,
            None,
        ),
        (
            Server,
            r#"level=info msg="Cluster-Http-Server 2026/11/27 05:30:32 http: TLS handshake error from 10.77.0.11:41214: x509: certificate has expired or is not yet valid: current time 2026-11-27 is before 2027-01-01""#,
            None,
        ),
        (Server, r#"level=warning msg="Failed to list nodes with etcd role: runtime core not ready""#, None),
        (Server, r#"level=info msg="k3s is up and running""#, None),
        (Agent, r#"level=info msg="Server 10.77.0.10:6443@RECOVERING*->ACTIVE from successful health check""#, None),
    ];

    #[test]
    fn what_k3s_says_has_its_cause() {
        for (role, line, expected) in LINES {
            let found = recognise(*role, line).map(|symptom| (symptom.verdict, symptom.cause));
            let fits = match (found, expected) {
                (Some((verdict, cause)), Some((wanted, begin))) => verdict == *wanted && cause.starts_with(begin),
                (None, None) => true,
                _ => false,
            };
            assert!(fits, "{role:?}: {line}\n  found {found:?}");
        }
    }

    /// Journals come as JSON, where quotes are escaped: what is looked for must be found in it all the same.
    #[test]
    fn every_line_that_means_something_is_found_by_its_key() {
        for (role, line, expected) in LINES.iter().filter(|(_, _, expected)| expected.is_some()) {
            let json = serde_json::Value::from(*line).to_string();
            let symptom = recognise(*role, line).unwrap();
            assert!(json.contains(symptom.key()), "{:?} in {json} for {expected:?}", symptom.key());
        }
    }

    #[test]
    fn no_row_hides_behind_an_earlier_one() {
        for (at, symptom) in SYMPTOMS.iter().enumerate() {
            let meet = |earlier: &&Symptom| {
                [Server, Agent].into_iter().any(|role| earlier.concerns(role) && symptom.concerns(role))
            };
            let hidden = SYMPTOMS[..at].iter().filter(meet).find(|earlier| earlier.is_in(symptom.fragment));
            assert_eq!(hidden.map(|earlier| earlier.fragment), None, "{}", symptom.fragment);
            assert!(!symptom.fragment.contains('"') && symptom.key().len() > 5, "{}", symptom.fragment);
            assert!(!symptom.cause.ends_with('.') && !symptom.remedy.ends_with('.'), "{}", symptom.fragment);
        }
    }
}
