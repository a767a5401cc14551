//! The settings of k3s that options can name: one row for each, with its key in config.yaml, its form, whose it is, and
//! what a change of it means for a node that is already part of a cluster. A new setting is a new row.

use std::collections::BTreeMap;

/// What a node is in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The control plane: API server, datastore, and a kubelet.
    Server,
    /// A node that only carries work.
    Agent,
}

impl Role {
    /// The subcommand of k3s.
    pub fn name(self) -> &'static str {
        match self {
            Role::Server => "server",
            Role::Agent => "agent",
        }
    }

    /// The systemd unit, as the official installer calls it.
    pub fn unit(self) -> &'static str {
        match self {
            Role::Server => "k3s",
            Role::Agent => "k3s-agent",
        }
    }

    /// The other role.
    pub fn other(self) -> Self {
        match self {
            Role::Server => Role::Agent,
            Role::Agent => Role::Server,
        }
    }
}

/// What the value of a setting looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// true or false.
    Flag,
    /// A whole number.
    Number,
    /// Any text.
    Text,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Octal permission bits as text: a number would be read as decimal by one and as octal by another program.
    Mode,
    /// IP addresses, joined with commas.
    Addresses,
    /// Networks in CIDR notation, joined with commas.
    Networks,
    /// A list of words; k3s splits each at commas.
    Words,
    /// A list of `name=value`, kept as they are.
    Arguments,
    /// Labels of a node: a map, or a list of `key=value`.
    Labels,
    /// Taints of a node: a list of `key=value:Effect`.
    Taints,
}

/// What a change means for a node that was started before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// k3s reads it when it starts.
    Restart,
    /// It can't be changed; the reason.
    Never(&'static str),
    /// It can't be changed on a server; the reason. An agent is restarted.
    NeverOnServer(&'static str),
    /// It can be added, but not taken away; the reason.
    NeverRemoved(&'static str),
    /// Options don't name it; what a host has is kept.
    Kept,
}

/// One setting of k3s.
#[derive(Debug)]
pub struct Setting {
    /// The name of the option.
    pub option: &'static str,
    /// The key in config.yaml and the name of the flag.
    pub key: &'static str,
    /// The form of its value.
    pub form: Form,
    /// Whether only servers know it. Agents die of keys that they don't know.
    pub server_only: bool,
    /// What k3s takes when it isn't set.
    pub default: Option<&'static str>,
    /// What a change means.
    pub change: Change,
}

const fn both(option: &'static str, key: &'static str, form: Form, change: Change) -> Setting {
    Setting { option, key, form, server_only: false, default: None, change }
}

const fn server(option: &'static str, key: &'static str, form: Form, change: Change) -> Setting {
    Setting { option, key, form, server_only: true, default: None, change }
}

const fn fixed(
    option: &'static str,
    key: &'static str,
    form: Form,
    default: &'static str,
    why: &'static str,
) -> Setting {
    Setting { option, key, form, server_only: true, default: Some(default), change: Change::Never(why) }
}

const CREATED_ONCE: &str = "the networks of nodes and services are created once, from the value at the first start";
const IDENTITY: &str = "the node's object, certificates and password belong to this name";
const ETCD_ADDRESS: &str = "etcd's membership is bound to this address: a server with another one doesn't start";
const ENCRYPTION: &str =
    "without its key the API server can't read the Secrets that it stored, and a key added later isn't in the backups";
const OTHER_STORE: &str = "the cluster's data is in the datastore that it was started with";

use Change::{Kept, Never, NeverOnServer, NeverRemoved, Restart};
use Form::{Addresses, Arguments, Flag, Labels, Mode, Networks, Number, OneOf, Taints, Text, Words};

/// All settings, in the order of config.yaml. Keys, roles and consequences as k3s has them from 1.34 to 1.36
/// (<https://docs.k3s.io/cli/server>, <https://docs.k3s.io/cli/agent>).
pub const SETTINGS: &[Setting] = &[
    both("node_name", "node-name", Text, Never(IDENTITY)),
    both("node_ip", "node-ip", Addresses, NeverOnServer(ETCD_ADDRESS)),
    both("node_external_ip", "node-external-ip", Addresses, Restart),
    both("node_labels", "node-label", Labels, Restart),
    both("node_taints", "node-taint", Taints, Restart),
    server("cluster_init", "cluster-init", Flag, NeverRemoved("etcd is the datastore from then on")),
    fixed("cluster_cidr", "cluster-cidr", Networks, "10.42.0.0/16", CREATED_ONCE),
    fixed("service_cidr", "service-cidr", Networks, "10.43.0.0/16", CREATED_ONCE),
    fixed("cluster_dns", "cluster-dns", Addresses, "10.43.0.10", "running pods have this address as their name server"),
    fixed("cluster_domain", "cluster-domain", Text, "cluster.local", "names of services and certificates end with it"),
    server("service_node_port_range", "service-node-port-range", Text, Restart),
    both("flannel_iface", "flannel-iface", Text, Restart),
    fixed(
        "flannel_backend",
        "flannel-backend",
        OneOf(&["vxlan", "host-gw", "wireguard-native", "none"]),
        "vxlan",
        "every node would have to change at the same moment, and pods keep the routes that they were started with",
    ),
    server("advertise_address", "advertise-address", Addresses, Restart),
    both("bind_address", "bind-address", Addresses, Restart),
    server("tls_san", "tls-san", Words, Restart),
    server("disable", "disable", Words, Restart),
    server("disable_network_policy", "disable-network-policy", Flag, Restart),
    server("disable_kube_proxy", "disable-kube-proxy", Flag, Restart),
    server("disable_cloud_controller", "disable-cloud-controller", Flag, Restart),
    server("disable_helm_controller", "disable-helm-controller", Flag, Restart),
    fixed("secrets_encryption", "secrets-encryption", Flag, "false", ENCRYPTION),
    fixed(
        "secrets_encryption_provider",
        "secrets-encryption-provider",
        OneOf(&["aescbc", "secretbox"]),
        "aescbc",
        ENCRYPTION,
    ),
    server("write_kubeconfig_mode", "write-kubeconfig-mode", Mode, Restart),
    server("write_kubeconfig_group", "write-kubeconfig-group", Text, Restart),
    server("etcd_snapshot_schedule_cron", "etcd-snapshot-schedule-cron", Text, Restart),
    server("etcd_snapshot_retention", "etcd-snapshot-retention", Number, Restart),
    server("etcd_snapshot_dir", "etcd-snapshot-dir", Text, Restart),
    server("etcd_snapshot_compress", "etcd-snapshot-compress", Flag, Restart),
    server("etcd_disable_snapshots", "etcd-disable-snapshots", Flag, Restart),
    server("etcd_expose_metrics", "etcd-expose-metrics", Flag, Restart),
    both("protect_kernel_defaults", "protect-kernel-defaults", Flag, Restart),
    both("selinux", "selinux", Flag, Restart),
    both("resolv_conf", "resolv-conf", Text, Restart),
    both("private_registry", "private-registry", Text, Restart),
    both("pause_image", "pause-image", Text, Restart),
    both("snapshotter", "snapshotter", Text, Restart),
    both("lb_server_port", "lb-server-port", Number, Restart),
    both("prefer_bundled_bin", "prefer-bundled-bin", Flag, Restart),
    server("embedded_registry", "embedded-registry", Flag, Restart),
    server("supervisor_metrics", "supervisor-metrics", Flag, Restart),
    both("kubelet_args", "kubelet-arg", Arguments, Restart),
    both("kube_proxy_args", "kube-proxy-arg", Arguments, Restart),
    server("kube_apiserver_args", "kube-apiserver-arg", Arguments, Restart),
    server("kube_controller_manager_args", "kube-controller-manager-arg", Arguments, Restart),
    server("kube_scheduler_args", "kube-scheduler-arg", Arguments, Restart),
    server("kube_cloud_controller_manager_args", "kube-cloud-controller-manager-arg", Arguments, Restart),
    server("etcd_args", "etcd-arg", Arguments, Restart),
    both("debug", "debug", Flag, Restart),
    both("log_level", "v", Number, Restart),
    both("vmodule", "vmodule", Text, Restart),
    both("node_internal_dns", "node-internal-dns", Words, Restart),
    both("node_external_dns", "node-external-dns", Words, Restart),
    both("flannel_conf", "flannel-conf", Text, Restart),
    both("flannel_cni_conf", "flannel-cni-conf", Text, Restart),
    server("flannel_ipv6_masq", "flannel-ipv6-masq", Flag, Restart),
    server("flannel_external_ip", "flannel-external-ip", Flag, Restart),
    server("egress_selector_mode", "egress-selector-mode", OneOf(&["agent", "cluster", "pod", "disabled"]), Restart),
    server("tls_san_security", "tls-san-security", Flag, Restart),
    server("servicelb_namespace", "servicelb-namespace", Text, Restart),
    server("helm_job_image", "helm-job-image", Text, Restart),
    server("etcd_snapshot_name", "etcd-snapshot-name", Text, Restart),
    server("etcd_snapshot_reconcile_interval", "etcd-snapshot-reconcile-interval", Text, Restart),
    server("default_local_storage_path", "default-local-storage-path", Text, Restart),
    both("default_runtime", "default-runtime", Text, Restart),
    both("disable_default_registry_endpoint", "disable-default-registry-endpoint", Flag, Restart),
    both("system_default_registry", "system-default-registry", Text, Restart),
    both("nonroot_devices", "nonroot-devices", Flag, Restart),
    both("image_credential_provider_bin_dir", "image-credential-provider-bin-dir", Text, Restart),
    both("image_credential_provider_config", "image-credential-provider-config", Text, Restart),
    both("image_service_endpoint", "image-service-endpoint", Text, Restart),
    both("enable_pprof", "enable-pprof", Flag, Restart),
    both("data_dir", "data-dir", Text, Never("everything that the node knows is in this folder")),
    server("", "token", Text, Kept),
    server("", "token-file", Text, Kept),
    server("", "agent-token", Text, Kept),
    server("", "agent-token-file", Text, Kept),
    server("", "datastore-endpoint", Text, Never(OTHER_STORE)),
];

/// The keys of config.yaml with a secret value, also those that no option names.
pub const SECRET_KEYS: &[&str] = &[
    "token",
    "agent-token",
    "datastore-endpoint",
    "etcd-s3-access-key",
    "etcd-s3-secret-key",
    "etcd-s3-session-token",
    "vpn-auth",
];

/// Where k3s keeps everything, unless told otherwise.
pub const DATA_DIR: &str = "/var/lib/rancher/k3s";

/// The setting with this key.
pub fn by_key(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// The settings that options of this role can name.
pub fn of_role(role: Role) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(move |setting| !(setting.option.is_empty() || setting.server_only && role == Role::Agent))
}

/// Values of settings by key. A setting with one value has a list of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<String, Vec<String>>);

impl Values {
    /// Sets a value, or all values of a list.
    pub fn set(&mut self, key: impl Into<String>, values: Vec<String>) {
        self.0.insert(key.into(), values);
    }

    /// Adds values to those that are there.
    pub fn append(&mut self, key: &str, values: Vec<String>) {
        self.0.entry(key.to_owned()).or_default().extend(values);
    }

    /// All values of a setting; empty where it isn't set.
    pub fn all(&self, key: &str) -> &[String] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    /// The value of a setting that has one.
    pub fn one(&self, key: &str) -> Option<&str> {
        self.all(key).last().map(String::as_str)
    }

    /// Whether a flag is set.
    pub fn flag(&self, key: &str) -> bool {
        self.one(key) == Some("true")
    }

    /// The keys that are set.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_key_and_no_option_is_listed_twice() {
        let keys: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.key).collect();
        assert_eq!(keys.len(), SETTINGS.len());
        let named: Vec<_> = of_role(Role::Server).map(|setting| setting.option).collect();
        assert_eq!(named.iter().collect::<BTreeSet<_>>().len(), named.len());
    }

    #[test]
    fn agents_are_offered_only_what_they_know() {
        assert!(of_role(Role::Agent).any(|setting| setting.key == "node-label"));
        assert!(!of_role(Role::Agent).any(|setting| setting.key == "tls-san"));
    }
}
