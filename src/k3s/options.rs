//! What a script says about a node: which k3s, from where, and with which settings. All of it is checked before any host
//! is talked to.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::artifact::Source;
use super::settings::{Form, Role, Values, of_role};
use super::{flags, form};
use crate::config::K3sVersion;
use crate::host::VariableName;

/// How long a node may take to become ready, unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A node as a script wants it.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the node is.
    pub role: Role,
    /// The release.
    pub version: K3sVersion,
    /// Where the executable comes from.
    pub source: Source,
    /// Archives of container images on this machine, imported when k3s starts.
    pub images: Vec<PathBuf>,
    /// A file on this machine that becomes registries.yaml. None: whatever the host has.
    pub registries: Option<PathBuf>,
    /// Variables for the unit, e.g. `HTTPS_PROXY`. None: whatever the host has.
    pub environment: Option<BTreeMap<String, String>>,
    /// How long the node may take to become ready.
    pub timeout: Duration,
    /// Whether the version of a node that is part of a cluster may be replaced by another one.
    pub upgrade: bool,
    /// What goes into config.yaml.
    pub settings: Values,
    /// Labels that a kubelet may not give itself; set through the API.
    pub reserved_labels: Vec<String>,
    /// An agent's way to the server: `https://ADDRESS:6443`.
    pub server_url: Option<String>,
}

/// Options of a server.
#[derive(Debug, Clone)]
pub struct ServerOptions(pub Options);

/// Options of an agent.
#[derive(Debug, Clone)]
pub struct AgentOptions(pub Options);

impl<'de> Deserialize<'de> for ServerOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("ServerOptions", names(Role::Server), OfRole(Role::Server)).map(ServerOptions)
    }
}

impl<'de> Deserialize<'de> for AgentOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("AgentOptions", names(Role::Agent), OfRole(Role::Agent)).map(AgentOptions)
    }
}

/// Options that aren't settings of k3s.
const COMMON: [&str; 8] = ["version", "source", "images", "registries", "environment", "timeout", "args", "upgrade"];
/// `server` and `token` are no plain values: the caller takes them out of the map.
const OF_AGENTS: [&str; 4] = ["server", "server_ip", "server_url", "token"];

static OF_SERVER: LazyLock<Vec<&str>> =
    LazyLock::new(|| COMMON.into_iter().chain(of_role(Role::Server).map(|setting| setting.option)).collect());
static OF_AGENT: LazyLock<Vec<&str>> = LazyLock::new(|| {
    COMMON.into_iter().chain(OF_AGENTS).chain(of_role(Role::Agent).map(|setting| setting.option)).collect()
});

/// The names of all options of a role.
pub fn names(role: Role) -> &'static [&'static str] {
    match role {
        Role::Server => &OF_SERVER,
        Role::Agent => &OF_AGENT,
    }
}

struct OfRole(Role);

impl<'de> Visitor<'de> for OfRole {
    type Value = Options;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "a map of options for a k3s {}", self.0.name())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Options, A::Error> {
        let role = self.0;
        let (mut version, mut environment, mut server_url, mut registries) = (None, None, None, None);
        let (mut source, mut images, mut timeout) = (Source::default(), Vec::new(), TIMEOUT);
        let (mut settings, mut reserved_labels, mut args) = (Values::default(), Vec::new(), Vec::new());
        let mut upgrade = false;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "version" => {
                    let text = map.next_value::<String>()?;
                    let parsed = text.parse::<K3sVersion>().map_err(|()| {
                        A::Error::custom(format!("{text:?} is not a release of k3s; one is named like v1.36.5+k3s1"))
                    })?;
                    version = Some(parsed);
                }
                "source" => source = map.next_value()?,
                "images" => images = map.next_value()?,
                "registries" => registries = map.next_value()?,
                "environment" => environment = Some(variables(map.next_value()?)?),
                "args" => args = form::read(Form::Arguments, &map.next_value()?).map_err(A::Error::custom)?,
                "timeout" => timeout = seconds(map.next_value()?)?,
                "upgrade" => upgrade = map.next_value()?,
                "server_ip" if role == Role::Agent => {
                    let text = map.next_value::<String>()?;
                    let ip: IpAddr =
                        text.parse().map_err(|_| A::Error::custom(format!("{text:?} is not a valid IP address")))?;
                    server_url = Some(url_of(ip));
                }
                "server_url" if role == Role::Agent => {
                    let url = map.next_value::<String>()?;
                    if !url.starts_with("https://") {
                        return Err(A::Error::custom("must begin with https://, e.g. https://10.0.0.1:6443"));
                    }
                    server_url = Some(url);
                }
                name => {
                    let Some(setting) = of_role(role).find(|setting| setting.option == name) else {
                        return Err(A::Error::unknown_field(name, names(role)));
                    };
                    let value = map.next_value::<Value>()?;
                    let values = form::read(setting.form, &value).map_err(A::Error::custom)?;
                    if setting.key == "node-label" {
                        let (reserved, own) = values.into_iter().partition(|label| form::is_reserved_label(label));
                        reserved_labels = reserved;
                        settings.set(setting.key, own);
                    } else {
                        settings.set(setting.key, values);
                    }
                }
            }
        }
        flags::add(&mut settings, role, &args).map_err(|problems| A::Error::custom(format!("args: {problems}")))?;
        let version = version.ok_or_else(|| A::Error::missing_field("version"))?;
        Ok(Options {
            role,
            version,
            source,
            images,
            registries,
            environment,
            timeout,
            upgrade,
            settings,
            reserved_labels,
            server_url,
        })
    }
}

/// The API server's address as a URL.
pub fn url_of(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("https://{ip}:6443"),
        IpAddr::V6(ip) => format!("https://[{ip}]:6443"),
    }
}

fn variables<E: serde::de::Error>(variables: BTreeMap<VariableName, String>) -> Result<BTreeMap<String, String>, E> {
    if let Some((name, _)) = variables.iter().find(|(_, value)| value.contains('\n')) {
        return Err(E::custom(format!("the variable {} must be of one line", name.as_str())));
    }
    Ok(variables.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect())
}

fn seconds<E: serde::de::Error>(value: Value) -> Result<Duration, E> {
    let seconds = value.as_f64().filter(|seconds| *seconds > 0.0);
    seconds
        .and_then(crate::seconds::seconds)
        .ok_or_else(|| E::custom("must be a number of seconds, more than 0 and at most a year"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn server(options: Value) -> Result<Options, String> {
        serde_json::from_value::<ServerOptions>(options).map(|options| options.0).map_err(|error| error.to_string())
    }

    fn agent(options: Value) -> Result<Options, String> {
        serde_json::from_value::<AgentOptions>(options).map(|options| options.0).map_err(|error| error.to_string())
    }

    #[test]
    fn a_misspelt_option_is_refused_with_the_known_ones() {
        let error = server(json!({ "version": "v1.36.5+k3s1", "secret_encryption": true })).unwrap_err();
        assert!(error.starts_with("unknown field `secret_encryption`, expected one of `version`"), "{error}");
    }

    #[test]
    fn an_agent_refuses_what_only_servers_know() {
        let error = agent(json!({ "version": "v1.36.5+k3s1", "tls_san": ["a"] })).unwrap_err();
        assert!(error.starts_with("unknown field `tls_san`"), "{error}");
        let error = server(json!({ "version": "v1.36.5+k3s1", "server_ip": "10.0.0.1" })).unwrap_err();
        assert!(error.starts_with("unknown field `server_ip`"), "{error}");
    }

    #[test]
    fn the_address_of_the_server_becomes_its_url() {
        let options = agent(json!({ "version": "v1.36.5+k3s1", "server_ip": "fd00::1" })).unwrap();
        assert_eq!(options.server_url.as_deref(), Some("https://[fd00::1]:6443"));
        assert!(agent(json!({ "version": "v1.36.5+k3s1", "server_url": "10.0.0.1:6443" })).is_err());
    }

    #[test]
    fn labels_that_a_kubelet_may_not_give_itself_are_set_apart() {
        let labels = json!({ "node-role": "worker", "node-role.kubernetes.io/worker": "true" });
        let options = agent(json!({ "version": "v1.36.5+k3s1", "node_labels": labels })).unwrap();
        assert_eq!(options.settings.all("node-label"), ["node-role=worker"]);
        assert_eq!(options.reserved_labels, ["node-role.kubernetes.io/worker=true"]);
    }

    #[test]
    fn the_version_is_needed_and_must_be_one() {
        assert_eq!(server(json!({})).unwrap_err(), "missing field `version`");
        assert!(server(json!({ "version": "1.36.5" })).unwrap_err().contains("named like v1.36.5+k3s1"));
        assert!(server(json!({ "version": "v1.36.5+k3s-lab", "timeout": 0 })).unwrap_err().contains("more than 0"));
    }
}
