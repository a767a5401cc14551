//! config.yaml: written from settings, and read back together with the arguments of the unit.

use serde_yaml_ng::Value;

use super::settings::{Form, SETTINGS, Values, by_key};
use crate::error::{Error, Result};

/// Where k3s reads its settings.
pub const PATH: &str = "/etc/rancher/k3s/config.yaml";

const HEADER: &str = "# Written by k3srun: what is changed here is changed back by its next run.\n";

/// The text of config.yaml. Every scalar is quoted: k3s reads YAML 1.1, where `0640` is a number and `on` is true.
///
/// ```
/// use k3srun::k3s::settings::Values;
/// let mut values = Values::default();
/// values.set("write-kubeconfig-mode", vec!["600".into()]);
/// values.set("tls-san", vec!["203.0.113.1".into(), "10.0.0.1".into()]);
/// let text = k3srun::k3s::config::render(&values);
/// assert!(text.ends_with("tls-san:\n  - \"203.0.113.1\"\n  - \"10.0.0.1\"\nwrite-kubeconfig-mode: \"600\"\n"));
/// ```
pub fn render(values: &Values) -> String {
    let known = SETTINGS.iter().map(|setting| setting.key);
    let others = values.keys().filter(|key| by_key(key).is_none());
    let mut text = HEADER.to_owned();
    for key in known.chain(others) {
        match (values.all(key), is_list(key)) {
            ([], _) => {}
            ([value], false) => text.push_str(&format!("{key}: {}\n", quoted(value))),
            (values, _) => {
                text.push_str(&format!("{key}:\n"));
                for value in values {
                    text.push_str(&format!("  - {}\n", quoted(value)));
                }
            }
        }
    }
    text
}

fn is_list(key: &str) -> bool {
    by_key(key)
        .is_some_and(|setting| matches!(setting.form, Form::Words | Form::Arguments | Form::Labels | Form::Taints))
}

/// A JSON string is a double-quoted scalar of YAML, too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The settings of a host: those of config.yaml, then those of the arguments in the unit, as k3s itself merges them.
///
/// # Errors
/// Refused where config.yaml can't be read as YAML.
pub fn effective(yaml: &str, arguments: &[String]) -> Result<Values> {
    let mut values = parse(yaml)?;
    let mut arguments = arguments.iter();
    let mut seen = Values::default();
    while let Some(argument) = arguments.next() {
        let Some(flag) = argument.strip_prefix("--") else { continue };
        let (key, value) = match flag.split_once('=') {
            Some((key, value)) => (key, value.to_owned()),
            None if by_key(flag).is_some_and(|setting| setting.form == Form::Flag) => (flag, "true".to_owned()),
            None => match arguments.as_slice().first() {
                Some(next) if !next.starts_with('-') => (flag, arguments.next().cloned().unwrap_or_default()),
                _ => (flag, "true".to_owned()),
            },
        };
        seen.append(key, vec![value]);
    }
    for key in seen.keys() {
        if is_list(key) {
            values.append(key, seen.all(key).to_vec());
        } else {
            values.set(key, seen.one(key).map(str::to_owned).into_iter().collect());
        }
    }
    Ok(values)
}

/// Reads the text of config.yaml.
fn parse(yaml: &str) -> Result<Values> {
    let bad = |why: String| {
        Error::refused(format!("{PATH} on the host can't be read: {why}"))
            .help("repair it, or remove it if nothing in it is needed: without it nobody can say what would change")
    };
    let mut values = Values::default();
    if yaml.trim().is_empty() {
        return Ok(values);
    }
    let map = match serde_yaml_ng::from_str::<Value>(yaml).map_err(|error| bad(error.to_string()))? {
        Value::Mapping(map) => map,
        Value::Null => return Ok(values),
        _ => return Err(bad("it is not a map".into())),
    };
    for (key, value) in map {
        let Value::String(key) = key else { return Err(bad("a key is not a string".into())) };
        let items = match value {
            Value::Sequence(items) => items.iter().map(scalar).collect::<Option<Vec<_>>>(),
            Value::Null => Some(Vec::new()),
            value => scalar(&value).map(|text| vec![text]),
        };
        let items = items.ok_or_else(|| bad(format!("{key} is neither a scalar nor a list of scalars")))?;
        match key.strip_suffix('+') {
            Some(key) => values.append(key, items),
            None => values.set(key, items),
        }
    }
    Ok(values)
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::k3s::options::ServerOptions;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_flags_of_the_architecture() {
        let options = json!({
            "version": "v1.36.5+k3s1",
            "node_name": "master",
            "node_ip": "10.0.0.1",
            "flannel_iface": "eth1",
            "flannel_backend": "vxlan",
            "cluster_init": true,
            "cluster_cidr": "10.42.0.0/16",
            "service_cidr": "10.43.0.0/16",
            "tls_san": ["203.0.113.1", "10.0.0.1"],
            "disable": ["traefik", "servicelb"],
            "secrets_encryption": true,
            "protect_kernel_defaults": true,
            "write_kubeconfig_mode": "600",
            "node_labels": { "node-role": "master" },
            "node_taints": ["node-role=master:NoSchedule"],
            "kubelet_args": ["max-pods=200"],
        });
        let options = serde_json::from_value::<ServerOptions>(options).unwrap().0;
        insta::assert_snapshot!(render(&options.settings), @r#"
        # Written by k3srun: what is changed here is changed back by its next run.
        node-name: "master"
        node-ip: "10.0.0.1"
        node-label:
          - "node-role=master"
        node-taint:
          - "node-role=master:NoSchedule"
        cluster-init: "true"
        cluster-cidr: "10.42.0.0/16"
        service-cidr: "10.43.0.0/16"
        flannel-iface: "eth1"
        flannel-backend: "vxlan"
        tls-san:
          - "203.0.113.1"
          - "10.0.0.1"
        disable:
          - "traefik"
          - "servicelb"
        secrets-encryption: "true"
        write-kubeconfig-mode: "600"
        protect-kernel-defaults: "true"
        kubelet-arg:
          - "max-pods=200"
        "#);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut values = Values::default();
        values.set("token", vec!["K10'\"\\: #{x}é".into()]);
        values.set("disable", vec!["traefik".into()]);
        values.set("some-key", vec!["0640".into()]);
        assert_eq!(parse(&render(&values)).unwrap(), values);
    }

    #[test]
    fn arguments_win_over_the_file_and_add_to_its_lists() {
        let yaml = "cluster-init: true\ndisable:\n- traefik\nnode-ip: 10.0.0.1\n";
        let arguments = words("--disable=servicelb --node-ip 10.0.0.9 --secrets-encryption --flannel-iface eth1");
        let values = effective(yaml, &arguments).unwrap();
        assert_eq!(values.all("disable"), ["traefik", "servicelb"]);
        assert_eq!(values.one("node-ip"), Some("10.0.0.9"));
        assert!(values.flag("cluster-init") && values.flag("secrets-encryption"));
        assert_eq!(values.one("flannel-iface"), Some("eth1"));
    }

    #[test]
    fn a_file_that_is_no_map_is_refused() {
        for yaml in ["- a\n", "a: [b\n", "a:\n  b: c\n"] {
            assert!(parse(yaml).unwrap_err().message.starts_with("/etc/rancher/k3s/config.yaml on the host"));
        }
    }
}
