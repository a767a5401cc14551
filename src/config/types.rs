//! The configuration as the rest of the program sees it: complete and consistent. It serialises to what scripts get from
//! `config::load()`.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use ipnet::{IpNet, Ipv4Net};
use serde::{Serialize, Serializer};

use crate::error::Error;

use super::{k3s::K3s, platform::Platform};

/// What `cluster.toml` and `--set` say. It holds no secrets, only the names of the places where they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Config {
    /// What the cluster is.
    pub cluster: Cluster,
    /// What is installed.
    pub k3s: K3s,
    /// What runs on it.
    #[serde(flatten)]
    pub platform: Platform,
    /// The node with the control plane.
    pub master: Node,
    /// The nodes with the workloads, at least one.
    pub workers: Vec<Node>,
}

impl Config {
    /// The master, then the workers.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        std::iter::once(&self.master).chain(&self.workers)
    }
}

/// `[cluster]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cluster {
    /// What the cluster is called, for example in kubeconfig contexts; default `k3s`.
    pub name: String,
    /// The network of the pods; default 10.42.0.0/16. Each node gets a /24 of it.
    pub pod_cidr: Ipv4Net,
    /// The network of the services' cluster IPs; default 10.43.0.0/16.
    pub service_cidr: Ipv4Net,
    /// The networks that administrators connect from; default none.
    pub admin_networks: Vec<IpNet>,
}

/// Where an executable comes from and how it is verified. Serialised it has at most two of the fields `path`, `url`, `sha256`
/// and `sums`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArtifactSource {
    /// The executable; nothing means the official release.
    #[serde(flatten)]
    pub binary: Option<Artifact>,
    /// What verifies it; nothing means the list of checksums beside it.
    #[serde(flatten)]
    pub checksum: Option<Checksum>,
}

/// A file here or on the internet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Artifact {
    /// A readable file on this machine.
    Path(PathBuf),
    /// An https address.
    Url(String),
}

/// What a downloaded or copied file is verified with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Checksum {
    /// 64 hexadecimal digits in lower case.
    Sha256(String),
    /// A list as `sha256sum` writes it.
    #[serde(serialize_with = "artifact_as_text")]
    Sums(Artifact),
}

/// The path or the address, whichever it is.
fn artifact_as_text<S: Serializer>(artifact: &Artifact, serializer: S) -> Result<S::Ok, S::Error> {
    match artifact {
        Artifact::Path(path) => path.serialize(serializer),
        Artifact::Url(url) => url.serialize(serializer),
    }
}

/// One of `[[nodes]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its host name and its name in Kubernetes: a lower-case label of RFC 1123.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// How to connect to it.
    pub ssh: Ssh,
    /// The address by which the internet reaches it.
    pub public_ip: Ipv4Addr,
    /// The same in IPv6, if it has one.
    pub public_ip6: Option<Ipv6Addr>,
    /// The address by which the other nodes reach it.
    pub private_ip: Ipv4Addr,
    /// The network interface that has `private_ip`.
    pub private_interface: String,
}

/// What a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The control plane, without workloads.
    Master,
    /// The workloads.
    Worker,
}

/// How to connect to a node: the two arguments of `ssh::connect`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ssh {
    /// What `ssh` connects to: an alias, a host or `user@host`.
    pub destination: String,
    /// `[ssh]`, and over it the node's own keys that begin with `ssh_`.
    pub options: ConnectOptions,
}

/// Options for connecting to a node; what isn't set is left to the user's ssh_config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectOptions {
    /// What reports call the host: the node's name.
    pub name: String,
    /// An ssh_config to use instead of the user's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
    /// The login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The TCP port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// The hosts to jump over, in the order of the way.
    pub jump: Vec<String>,
    /// How long connecting may take, in seconds; default 10.
    pub connect_timeout: u16,
    /// Whether the key of a host that was never seen is trusted; default no. A changed key never is.
    pub accept_new_host_keys: bool,
    /// Whether the login becomes root through sudo; default no: it is root.
    pub sudo: bool,
    /// Where the password for sudo is, if it asks for one.
    #[serde(flatten)]
    pub sudo_password: Option<SudoPassword>,
}

/// Where a password is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum SudoPassword {
    /// The name of an environment variable.
    #[serde(rename = "sudo_password_env")]
    Env(String),
    /// A file that only its owner can read.
    #[serde(rename = "sudo_password_file")]
    File(PathBuf),
}

impl SudoPassword {
    /// The password itself: the variable's value, or the first line of the file.
    ///
    /// # Errors
    /// When the variable or the file is gone, or is not text.
    pub fn read(&self) -> Result<String, Error> {
        match self {
            Self::Env(name) => std::env::var(name).map_err(|error| {
                Error::refused(format!("can't read sudo's password from the variable {name}: {error}"))
            }),
            Self::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Error::refused(format!("can't read sudo's password from {}: {error}", path.display()))
                })?;
                Ok(text.lines().next().unwrap_or_default().to_owned())
            }
        }
    }
}
