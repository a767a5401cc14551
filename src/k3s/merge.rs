//! Puts one cluster into a kubeconfig and leaves everything else in it as it is, also what we don't know.

use std::collections::BTreeSet;

use serde_yaml_ng::{Mapping, Value};

use crate::error::{Error, Result};

/// The first port of this machine that tunnels are given.
const FIRST_PORT: u16 = 16443;

/// A cluster with the user who may use it, by the one name that it, the user and the context get.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub name: String,
    pub cluster: Value,
    pub user: Value,
}

/// Reads a kubeconfig; nothing gives an empty one.
///
/// # Errors
/// Refused for what is none. What stands in it is not told.
pub(super) fn read(text: &str) -> Result<Mapping> {
    let refused = |why: &str| {
        Error::refused(format!("it is not a kubeconfig: {why}"))
            .help("nothing was changed; fix it, or name another file")
    };
    let parsed: Value = serde_yaml_ng::from_str(text).map_err(|error| {
        refused(&error.location().map_or("it is no YAML".into(), |at| format!("line {} is no YAML", at.line())))
    })?;
    let mut config = match parsed {
        Value::Null => Mapping::new(),
        Value::Mapping(config) => config,
        _ => return Err(refused("it is not a map")),
    };
    if config.get("kind").is_some_and(|kind| kind != "Config") {
        return Err(refused("its kind is not Config"));
    }
    for (key, value) in [("apiVersion", "v1"), ("kind", "Config")] {
        if !config.contains_key(key) {
            config.insert(key.into(), value.into());
        }
    }
    for list in ["clusters", "users", "contexts"] {
        match config.get(list) {
            None | Some(Value::Null) => drop(config.insert(list.into(), Value::Sequence(Vec::new()))),
            Some(Value::Sequence(items)) if items.iter().all(|item| item["name"].is_string()) => {}
            Some(_) => return Err(refused(&format!("its {list} are not a list of things with names"))),
        }
    }
    Ok(config)
}

/// Adds a cluster, or renews it. The namespace of its context stays; the current context changes only if that is wanted.
pub(super) fn merge(config: &mut Mapping, entry: &Entry, set_current: bool) {
    let named = |key: &str, value: Value| {
        Mapping::from_iter([("name".into(), entry.name.clone().into()), (key.into(), value)]).into()
    };
    put(config, "clusters", &entry.name, |_| named("cluster", entry.cluster.clone()));
    put(config, "users", &entry.name, |_| named("user", entry.user.clone()));
    put(config, "contexts", &entry.name, |old| {
        let mut context = old["context"].as_mapping().cloned().unwrap_or_default();
        context.insert("cluster".into(), entry.name.clone().into());
        context.insert("user".into(), entry.name.clone().into());
        named("context", context.into())
    });
    if set_current {
        config.insert("current-context".into(), entry.name.clone().into());
    }
}

fn put(config: &mut Mapping, list: &str, name: &str, new: impl Fn(&Value) -> Value) {
    let Some(items) = config.get_mut(list).and_then(Value::as_sequence_mut) else { return };
    match items.iter_mut().find(|item| item["name"] == name) {
        Some(item) => *item = new(item),
        None => items.push(new(&Value::Null)),
    }
}

/// The port of this machine for the tunnel to a cluster: the one that it has, or one that no other cluster has.
pub(super) fn tunnel_port(config: &Mapping, name: &str) -> u16 {
    let clusters = config.get("clusters").and_then(Value::as_sequence).into_iter().flatten();
    let mut taken = BTreeSet::new();
    for cluster in clusters {
        let server = cluster["cluster"]["server"].as_str().unwrap_or_default();
        let Some(port) = server.strip_prefix("https://127.0.0.1:").and_then(|port| port.parse().ok()) else { continue };
        if cluster["name"] == name {
            return port;
        }
        taken.insert(port);
    }
    (FIRST_PORT..).find(|port| !taken.contains(port)).unwrap_or(FIRST_PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, server: &str) -> Entry {
        let yaml = |text: String| serde_yaml_ng::from_str(&text).unwrap();
        Entry {
            name: name.into(),
            cluster: yaml(format!("server: {server}\ncertificate-authority-data: Y2E=")),
            user: yaml("client-key-data: a2V5".into()),
        }
    }

    fn text(config: &Mapping) -> String {
        serde_yaml_ng::to_string(config).unwrap()
    }

    #[test]
    fn two_clusters_keep_each_other_and_what_was_there() {
        let theirs = "current-context: work\npreferences:\n  colors: true\nclusters:\n- name: work\n  cluster:\n    server: https://work:6443\n    proxy-url: http://proxy\ncontexts:\n- name: work\n  context: { cluster: work, user: work }\nusers:\n- name: work\n  user:\n    exec: { command: login }\n";
        let mut config = read(theirs).unwrap();
        merge(&mut config, &entry("one", "https://127.0.0.1:16443"), false);
        merge(&mut config, &entry("two", "https://203.0.113.1:6443"), false);
        insta::assert_snapshot!(text(&config));
    }

    #[test]
    fn a_cluster_that_is_there_is_renewed_and_its_namespace_stays() {
        let mut config = Mapping::from_iter(read("").unwrap());
        merge(&mut config, &entry("one", "https://127.0.0.1:16443"), true);
        config["contexts"][0]["context"]["namespace"] = "apps".into();
        let before = config.clone();
        merge(&mut config, &entry("one", "https://127.0.0.1:16443"), false);
        assert_eq!(config, before);
        merge(&mut config, &entry("one", "https://203.0.113.1:6443"), false);
        assert_eq!(config["clusters"][0]["cluster"]["server"], "https://203.0.113.1:6443");
        assert_eq!(config["clusters"].as_sequence().unwrap().len(), 1);
        assert_eq!(config["contexts"][0]["context"]["namespace"], "apps");
        assert_eq!(config["current-context"], "one");
    }

    #[test]
    fn tunnels_of_two_clusters_do_not_meet() {
        let mut config = read("").unwrap();
        assert_eq!(tunnel_port(&config, "one"), 16443);
        merge(&mut config, &entry("one", "https://127.0.0.1:16443"), false);
        assert_eq!(tunnel_port(&config, "one"), 16443);
        assert_eq!(tunnel_port(&config, "two"), 16444);
    }

    #[test]
    fn what_is_no_kubeconfig_is_refused_without_showing_it() {
        for text in
            ["- hush", "kind: Pod", "clusters: hush", "users:\n- hush", "users: {hush", "contexts:\n- user: hush"]
        {
            let error = read(text).unwrap_err();
            assert!(
                error.message.starts_with("it is not a kubeconfig: ") && !error.message.contains("hush"),
                "{error}"
            );
        }
    }
}
