//! Which settings there are: the tables of `cluster.toml`, their keys and defaults.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    ops::RangeInclusive,
    path::PathBuf,
};

use ipnet::{IpNet, Ipv4Net};

use super::{
    document::{Place, Table, Value},
    k3s::{self, K3sDraft},
    platform::{self, PlatformDraft},
    problem::Finding,
    reader::{Field, Located, Reader, TableReader},
    types::{Cluster, Config, ConnectOptions, Node, Role, Ssh, SudoPassword},
    values,
};

/// Prefix lengths of the pods' network: each node gets a /24, and the controller manager counts at most 2^16 of them
/// (`node-cidr-mask-size`, Kubernetes' range allocator).
const POD_PREFIXES: RangeInclusive<u8> = 8..=23;
/// Prefix lengths of the services' network: kube-apiserver takes no network larger than a /12, and the DNS service has its tenth
/// address.
const SERVICE_PREFIXES: RangeInclusive<u8> = 12..=28;

/// What was read, as far as it could be; complete when there were no findings.
pub(super) struct Draft {
    pub name: Field<String>,
    pub pod_cidr: Field<Ipv4Net>,
    pub service_cidr: Field<Ipv4Net>,
    admin_networks: Field<Vec<IpNet>>,
    pub k3s: K3sDraft,
    pub platform: PlatformDraft,
    pub ssh: ConnectionDraft,
    pub nodes: Vec<NodeDraft>,
    /// Where nodes are, or should be; nothing if the list itself is wrong, which is reported.
    pub nodes_place: Option<Place>,
}

/// What was read of one of `[[nodes]]`.
pub(super) struct NodeDraft {
    /// How `--set` names it: `nodes.worker`, or `nodes[1]` as long as it has no name.
    pub path: String,
    pub name: Field<String>,
    pub role: Field<Role>,
    pub ssh: Field<String>,
    pub connection: ConnectionDraft,
    pub public_ip: Field<Ipv4Addr>,
    pub public_ip6: Field<Ipv6Addr>,
    pub private_ip: Field<Ipv4Addr>,
    private_interface: Field<String>,
}

/// What was read of `[ssh]`, or of a node's keys that begin with `ssh_`.
#[derive(Clone)]
pub(super) struct ConnectionDraft {
    pub config: Field<PathBuf>,
    pub user: Field<String>,
    pub port: Field<u16>,
    key: Field<PathBuf>,
    pub jump: Field<Vec<String>>,
    connect_timeout: Field<u16>,
    accept_new_host_keys: Field<bool>,
    pub sudo: Field<bool>,
    pub sudo_password_env: Field<String>,
    pub sudo_password_file: Field<PathBuf>,
}

/// Reads the whole tree.
pub(super) fn read(root: &Table, reader: &mut Reader<'_>) -> Draft {
    let nothing = Table::empty(reader.end_of_file());
    let [cluster, k3s, ssh] = ["cluster", "k3s", "ssh"].map(|key| table(root, key, &nothing, reader));
    let platform = platform::NAMES.map(|key| table(root, key, &nothing, reader));
    let node_tables = tables(root, "nodes", "node", reader);
    let apps = tables(root, "apps", "app", reader);
    let nodes_place = node_tables.as_ref().map(|tables| tables.first().map_or(nothing.place, |(_, table)| table.place));

    let mut root = reader.table(Some(root), "", "cluster.toml");
    root.knows(&["cluster", "k3s", "ssh", "nodes", "apps"]);
    root.knows(&platform::NAMES);
    root.finish();

    let mut cluster = reader.table(cluster, "cluster", "[cluster]");
    let name = cluster.text("name", values::host_name);
    let pod_cidr =
        cluster.text("pod_cidr", |text| values::ipv4_network(text, POD_PREFIXES, "each node gets a /24 of it"));
    let service_cidr = cluster
        .text("service_cidr", |text| values::ipv4_network(text, SERVICE_PREFIXES, "Kubernetes takes no other size"));
    let admin_networks = cluster.list("admin_networks", |text, _| values::network(text));
    cluster.finish();

    let k3s = k3s::read(k3s, reader);

    let platform = platform::read(platform, apps.unwrap_or_default(), reader);

    let mut table = reader.table(ssh, "ssh", "[ssh]");
    let ssh = connection(&mut table, "");
    table.finish();

    let nodes = node_tables
        .unwrap_or_default()
        .into_iter()
        .map(|(path, table)| node(reader.table(Some(table), &path, "[[nodes]]"), path))
        .collect();
    Draft { name, pod_cidr, service_cidr, admin_networks, k3s, platform, ssh, nodes, nodes_place }
}

/// The table of a key, `nothing` if it isn't there, and none if something else is.
fn table<'t>(root: &'t Table, key: &str, nothing: &'t Table, reader: &mut Reader<'_>) -> Option<&'t Table> {
    let Some(entry) = root.get(key) else { return Some(nothing) };
    match &entry.node.value {
        Value::Table(table) => Some(table),
        other => {
            let message = format!("`{key}` must be a table, not {}", other.kind());
            reader.findings.push(Finding::new(
                message,
                format!("write [{key}] and its settings below"),
                entry.key_place,
            ));
            None
        }
    }
}

/// The tables of a list with their paths, or nothing if the key is something else than a list of tables.
fn tables<'t>(root: &'t Table, key: &str, one: &str, reader: &mut Reader<'_>) -> Option<Vec<(String, &'t Table)>> {
    let Some(entry) = root.get(key) else { return Some(Vec::new()) };
    let mut wrong = |place, kind| {
        let message = format!("`{key}` must be a list of tables, not {kind}");
        reader.findings.push(Finding::new(
            message,
            format!("write [[{key}]], in double brackets, once for each {one}"),
            place,
        ));
    };
    let Value::Array(items) = &entry.node.value else {
        wrong(entry.key_place, entry.node.value.kind());
        return None;
    };
    let mut tables = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Value::Table(table) = &item.value else {
            wrong(item.place, "a list of something else");
            return None;
        };
        tables.push((item.name().map_or_else(|| format!("{key}[{index}]"), |name| format!("{key}.{name}")), table));
    }
    Some(tables)
}

fn node(mut table: TableReader<'_, '_>, path: String) -> NodeDraft {
    let draft = NodeDraft {
        name: table.required("name", "worker", values::host_name),
        role: table.required("role", "worker", values::role),
        ssh: table.required("ssh", "root@203.0.113.2", values::destination),
        connection: connection(&mut table, "ssh_"),
        public_ip: table.required("public_ip", "203.0.113.2", values::ipv4),
        public_ip6: table.text("public_ip6", values::ipv6),
        private_ip: table.required("private_ip", "10.0.0.2", values::ipv4),
        private_interface: table.required("private_interface", "eth1", values::interface),
        path,
    };
    table.finish();
    draft
}

fn connection(table: &mut TableReader<'_, '_>, prefix: &str) -> ConnectionDraft {
    let key = |name: &str| format!("{prefix}{name}");
    ConnectionDraft {
        config: table.text_of(&key("config"), values::file),
        user: table.text(&key("user"), values::user),
        port: table.number(&key("port"), "a port", 1..=u16::MAX),
        key: table.text_of(&key("key"), values::file),
        jump: table.text(&key("jump"), values::jump),
        connect_timeout: table.number(&key("connect_timeout"), "seconds", 1..=600),
        accept_new_host_keys: table.flag(&key("accept_new_host_keys")),
        sudo: table.flag(&key("sudo")),
        sudo_password_env: table.text(&key("sudo_password_env"), values::variable),
        sudo_password_file: table.text_of(&key("sudo_password_file"), values::secret_file),
    }
}

impl ConnectionDraft {
    /// This with `general` where it says nothing. A password's two keys are one setting.
    pub fn over(self, general: ConnectionDraft) -> Self {
        let own_password =
            !matches!((&self.sudo_password_env, &self.sudo_password_file), (Field::Absent, Field::Absent));
        let (env, file) = match own_password {
            true => (self.sudo_password_env, self.sudo_password_file),
            false => (general.sudo_password_env, general.sudo_password_file),
        };
        Self {
            config: self.config.or(general.config),
            user: self.user.or(general.user),
            port: self.port.or(general.port),
            key: self.key.or(general.key),
            jump: self.jump.or(general.jump),
            connect_timeout: self.connect_timeout.or(general.connect_timeout),
            accept_new_host_keys: self.accept_new_host_keys.or(general.accept_new_host_keys),
            sudo: self.sudo.or(general.sudo),
            sudo_password_env: env,
            sudo_password_file: file,
        }
    }

    fn complete(self, name: String) -> ConnectOptions {
        ConnectOptions {
            name,
            config: self.config.value(),
            user: self.user.value(),
            port: self.port.value(),
            key: self.key.value(),
            jump: self.jump.value().unwrap_or_default(),
            connect_timeout: self.connect_timeout.value().unwrap_or(10),
            accept_new_host_keys: self.accept_new_host_keys.value().unwrap_or(false),
            sudo: self.sudo.value().unwrap_or(false),
            sudo_password: self
                .sudo_password_env
                .value()
                .map(SudoPassword::Env)
                .or(self.sudo_password_file.value().map(SudoPassword::File)),
        }
    }
}

impl NodeDraft {
    /// How this node is connected to: its own settings over those of `[ssh]`. A login in the destination wins over `[ssh]`'s.
    pub fn effective_connection(&self, general: &ConnectionDraft) -> ConnectionDraft {
        let mut general = general.clone();
        if self.ssh.given().is_some_and(|destination| destination.value.contains('@')) {
            general.user = Field::Absent;
        }
        self.connection.clone().over(general)
    }

    fn complete(self, ssh: &ConnectionDraft) -> Option<Node> {
        let connection = self.effective_connection(ssh);
        let name = self.name.value()?;
        Some(Node {
            ssh: Ssh { destination: self.ssh.value()?, options: connection.complete(name.clone()) },
            name,
            role: self.role.value()?,
            public_ip: self.public_ip.value()?,
            public_ip6: self.public_ip6.value(),
            private_ip: self.private_ip.value()?,
            private_interface: self.private_interface.value()?,
        })
    }
}

impl Draft {
    /// The pods' network, given or default; nothing if an unusable one was given.
    pub fn pod_cidr(&self) -> Option<(Ipv4Net, Option<Place>)> {
        with_default(&self.pod_cidr, default_pod_cidr())
    }

    /// The services' network, given or default; nothing if an unusable one was given.
    pub fn service_cidr(&self) -> Option<(Ipv4Net, Option<Place>)> {
        with_default(&self.service_cidr, default_service_cidr())
    }

    /// The configuration, with the defaults where nothing was said; nothing if something is missing or wrong.
    pub fn complete(self) -> Option<Config> {
        let nodes: Vec<Node> = self.nodes.into_iter().map(|node| node.complete(&self.ssh)).collect::<Option<_>>()?;
        let (masters, workers): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|node| node.role == Role::Master);
        Some(Config {
            cluster: Cluster {
                name: self.name.value().unwrap_or_else(|| "k3s".to_owned()),
                pod_cidr: self.pod_cidr.value().unwrap_or_else(default_pod_cidr),
                service_cidr: self.service_cidr.value().unwrap_or_else(default_service_cidr),
                admin_networks: self.admin_networks.value().unwrap_or_default(),
            },
            k3s: self.k3s.complete()?,
            platform: self.platform.complete()?,
            master: masters.into_iter().next()?,
            workers,
        })
    }
}

fn default_pod_cidr() -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(10, 42, 0, 0), 16)
}

fn default_service_cidr() -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(10, 43, 0, 0), 16)
}

fn with_default(field: &Field<Ipv4Net>, default: Ipv4Net) -> Option<(Ipv4Net, Option<Place>)> {
    match field {
        Field::Absent => Some((default, None)),
        Field::Invalid => None,
        Field::Given(Located { value, place }) => Some((*value, Some(*place))),
    }
}
