//! Checks the values of settings by their form and turns them into the texts of config.yaml.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::settings::Form;

/// The values as k3s takes them.
///
/// # Errors
/// What the value must look like.
pub fn read(form: Form, value: &Value) -> Result<Vec<String>, String> {
    match form {
        Form::Flag => match value {
            Value::Bool(flag) => Ok(vec![flag.to_string()]),
            _ => Err("must be true or false".into()),
        },
        Form::Number => match value.as_u64() {
            Some(number) => Ok(vec![number.to_string()]),
            None => Err("must be a whole number".into()),
        },
        Form::Text => text(value).map(|text| vec![text]),
        Form::OneOf(words) => match text(value)? {
            word if words.contains(&word.as_str()) => Ok(vec![word]),
            word => Err(format!("{word:?} is none of {}", words.join(", "))),
        },
        Form::Mode => match value.as_str() {
            Some(mode) if matches!(mode.len(), 3 | 4) && mode.chars().all(|c| ('0'..='7').contains(&c)) => {
                Ok(vec![mode.to_owned()])
            }
            _ => Err("must be octal permission bits as text, e.g. \"600\"".into()),
        },
        Form::Addresses => joined(value, "IP address", |item| item.parse::<IpAddr>().is_ok()),
        Form::Networks => joined(value, "network, e.g. 10.42.0.0/16", |item| item.parse::<IpNet>().is_ok()),
        Form::Words | Form::Arguments => list(value),
        Form::Labels => labels(value),
        Form::Taints => {
            let taints = list(value)?;
            match taints.iter().find(|taint| Taint::parse(taint).is_none()) {
                None => Ok(taints),
                Some(taint) => Err(format!(
                    "{taint:?} is not a valid taint: one is key=value:Effect, with NoSchedule, PreferNoSchedule or NoExecute"
                )),
            }
        }
    }
}

fn text(value: &Value) -> Result<String, String> {
    match value.as_str() {
        Some(text) if !text.is_empty() && !text.contains(char::is_control) => Ok(text.to_owned()),
        Some(_) => Err("must not be empty or contain control characters".into()),
        None => Err("must be a text".into()),
    }
}

fn list(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        Value::String(_) => text(value).map(|text| vec![text]),
        _ => Err("must be a list of texts".into()),
    }
}

fn joined(value: &Value, what: &str, valid: impl Fn(&str) -> bool) -> Result<Vec<String>, String> {
    let items = list(value)?;
    match items.iter().flat_map(|item| item.split(',')).find(|item| !valid(item)) {
        Some(item) => Err(format!("{item:?} is not a valid {what}")),
        None => Ok(vec![items.join(",")]),
    }
}

fn labels(value: &Value) -> Result<Vec<String>, String> {
    let labels = match value {
        Value::Object(map) => {
            let pair = |(key, value): (&String, &Value)| match value {
                Value::String(value) => Ok(format!("{key}={value}")),
                Value::Bool(_) | Value::Number(_) => Ok(format!("{key}={value}")),
                _ => Err(format!("the value of the label {key} must be a text")),
            };
            map.iter().map(pair).collect::<Result<Vec<_>, _>>()?
        }
        _ => list(value)?,
    };
    match labels.iter().find(|label| !is_label(label)) {
        Some(label) => Err(format!(
            "{label:?} is not a valid label: one is key=value, of letters, digits, - _ . and one / in the key"
        )),
        None => Ok(labels),
    }
}

fn is_label(label: &str) -> bool {
    let Some((key, value)) = label.split_once('=') else { return false };
    let name = match key.split_once('/') {
        Some((prefix, name)) if is_word(prefix, 253) => name,
        Some(_) => return false,
        None => key,
    };
    is_word(name, 63) && (value.is_empty() || is_word(value, 63))
}

/// Letters, digits, and between them also `-`, `_` and `.`.
fn is_word(text: &str, longest: usize) -> bool {
    text.len() <= longest
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Keys of the kubernetes.io domains that a kubelet may set on its own node.
const KUBELET_LABELS: [&str; 12] = [
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
];

/// Whether only the API can give a node this label `key=value`: a kubelet that is told to refuses to start.
pub fn is_reserved_label(label: &str) -> bool {
    let key = label.split_once('=').map_or(label, |(key, _)| key);
    let Some((domain, _)) = key.split_once('/') else { return false };
    let within = |of: &str| domain == of || domain.ends_with(&format!(".{of}"));
    if within("node-restriction.kubernetes.io") {
        return true;
    }
    (within("kubernetes.io") || within("k8s.io"))
        && !KUBELET_LABELS.contains(&key)
        && !within("kubelet.kubernetes.io")
        && !within("node.kubernetes.io")
}

/// A taint of a node.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value; may be empty.
    #[serde(default)]
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

impl Taint {
    /// Reads `key=value:Effect` or `key:Effect`.
    pub fn parse(text: &str) -> Option<Self> {
        let (pair, effect) = text.rsplit_once(':')?;
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let valid =
            is_label(&format!("{key}={value}")) && ["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect);
        valid.then(|| Taint { key: key.to_owned(), value: value.to_owned(), effect: effect.to_owned() })
    }
}

impl std::fmt::Display for Taint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Taint { key, value, effect } = self;
        if value.is_empty() { write!(f, "{key}:{effect}") } else { write!(f, "{key}={value}:{effect}") }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_says_what_it_wants() {
        let wrong = [
            (Form::Flag, json!("yes"), "must be true or false"),
            (Form::Number, json!(-1), "must be a whole number"),
            (Form::Mode, json!(600), "must be octal permission bits as text, e.g. \"600\""),
            (Form::Mode, json!("0999"), "must be octal permission bits as text, e.g. \"600\""),
            (Form::Addresses, json!(["10.0.0.1", "10.0.0"]), "\"10.0.0\" is not a valid IP address"),
            (Form::Networks, json!("10.42.0.0"), "\"10.42.0.0\" is not a valid network, e.g. 10.42.0.0/16"),
            (Form::OneOf(&["a", "b"]), json!("c"), "\"c\" is none of a, b"),
            (Form::Words, json!([1]), "must be a text"),
            (Form::Text, json!(""), "must not be empty or contain control characters"),
        ];
        for (form, value, message) in wrong {
            assert_eq!(read(form, &value).unwrap_err(), message);
        }
        assert!(read(Form::Taints, &json!(["node-role=master:NoWay"])).unwrap_err().contains("is not a valid taint"));
        assert!(read(Form::Labels, &json!(["node role=x"])).unwrap_err().contains("is not a valid label"));
    }

    #[test]
    fn lists_become_what_k3s_takes() {
        assert_eq!(read(Form::Addresses, &json!(["10.0.0.1", "fd00::1"])).unwrap(), ["10.0.0.1,fd00::1"]);
        assert_eq!(read(Form::Labels, &json!({ "node-role": "master" })).unwrap(), ["node-role=master"]);
        assert_eq!(read(Form::Words, &json!("traefik")).unwrap(), ["traefik"]);
    }

    #[test]
    fn a_taint_is_read_and_written() {
        for text in ["node-role=master:NoSchedule", "node-role.kubernetes.io/control-plane:NoSchedule"] {
            assert_eq!(Taint::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn the_kubelet_refuses_some_labels() {
        for label in ["node-role.kubernetes.io/worker=true", "node-restriction.kubernetes.io/x=1", "k8s.io/x=1"] {
            assert!(is_reserved_label(label), "{label}");
        }
        for label in
            ["node-role=master", "topology.kubernetes.io/zone=a", "node.kubernetes.io/pool=x", "example.org/a=b"]
        {
            assert!(!is_reserved_label(label), "{label}");
        }
    }
}
