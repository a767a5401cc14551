//! Compares the settings of a host with the wanted ones and says what the difference means: nothing, a restart, or no.

use super::probe::Facts;
use super::settings::{Change, Form, Role, Setting, Values, by_key};
use crate::error::{Error, Result};

/// A setting that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its key in config.yaml.
    pub key: String,
    /// What the host has; empty: nothing.
    pub old: Vec<String>,
    /// What is wanted; empty: nothing.
    pub new: Vec<String>,
}

/// What differs between the settings of a host and the wanted ones, and may.
///
/// # Errors
/// Refused with all settings that can't be changed on a node that is part of a cluster, and why.
pub fn compare(role: Role, facts: &Facts, old: &Values, new: &Values) -> Result<Vec<Difference>> {
    let mut keys: Vec<&str> = old.keys().chain(new.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut differences = Vec::new();
    let mut refused = Vec::new();
    for key in keys {
        let setting = by_key(key);
        let had = value(setting, old, facts);
        let wanted = value(setting, new, facts);
        if had == wanted {
            continue;
        }
        let difference = Difference { key: key.to_owned(), old: had, new: wanted };
        match setting.and_then(|setting| forbidden(setting, role, &difference)) {
            Some(why) if facts.registered => {
                let shown = |values: &[String]| if values.is_empty() { "unset".to_owned() } else { values.join(",") };
                let (old, new) = (shown(&difference.old), shown(&difference.new));
                refused.push(format!("{key}: {old} -> {new}: {why}"));
            }
            _ => differences.push(difference),
        }
    }
    if refused.is_empty() {
        return Ok(differences);
    }
    let message = match refused.as_slice() {
        [one] => format!("a setting can't be changed on a running cluster: {one}"),
        all => format!("settings can't be changed on a running cluster:\n  {}", all.join("\n  ")),
    };
    Err(Error::refused(message).help(
        "put the old values back into your options; to get the new ones, create the cluster again \
         on fresh machines and restore what it carried",
    ))
}

/// Why this difference can't be, on a node that is part of a cluster.
fn forbidden(setting: &Setting, role: Role, difference: &Difference) -> Option<&'static str> {
    match setting.change {
        Change::Never(why) => Some(why),
        Change::NeverOnServer(why) if role == Role::Server => Some(why),
        Change::NeverRemoved(why) if !difference.new.iter().any(|value| value == "true") => Some(why),
        _ => None,
    }
}

/// The value that k3s works with, in a form that can be compared: what isn't set is the default, or what was seen.
fn value(setting: Option<&Setting>, values: &Values, facts: &Facts) -> Vec<String> {
    let Some(setting) = setting else { return Vec::new() };
    let set = values.all(setting.key);
    if set.is_empty() {
        let observed = match setting.key {
            "node-name" => facts.node.as_ref().map(|node| node.name.clone()),
            "node-ip" => facts.node.as_ref().map(|node| node.addresses.join(",")).filter(|text| !text.is_empty()),
            _ => setting.default.map(str::to_owned),
        };
        return observed.into_iter().filter(|value| !(setting.form == Form::Flag && value == "false")).collect();
    }
    let mut set: Vec<String> = match setting.form {
        Form::Words | Form::Addresses | Form::Networks => {
            set.iter().flat_map(|value| value.split(',')).map(|value| value.trim().to_owned()).collect()
        }
        Form::Flag => set.iter().filter(|value| *value == "true").cloned().collect(),
        Form::Mode => set.iter().map(|mode| mode.trim_start_matches('0').to_owned()).collect(),
        _ => set.to_vec(),
    };
    if matches!(setting.form, Form::Words | Form::Labels | Form::Taints) {
        set.sort_unstable();
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k3s::config::effective;
    use crate::k3s::node::Node;

    fn facts() -> Facts {
        let node = Node { name: "master".into(), addresses: vec!["10.0.0.1".into()], ..Node::default() };
        Facts { registered: true, node: Some(node), ..Facts::default() }
    }

    fn compared(facts: &Facts, old: &str, new: &str) -> Result<Vec<Difference>> {
        compare(Role::Server, facts, &effective(old, &[]).unwrap(), &effective(new, &[]).unwrap())
    }

    fn keys(old: &str, new: &str) -> Vec<String> {
        compared(&facts(), old, new).unwrap().into_iter().map(|difference| difference.key).collect()
    }

    #[test]
    fn a_default_and_what_the_node_has_may_be_spelt_out() {
        assert!(
            keys("{}", "{cluster-cidr: 10.42.0.0/16, flannel-backend: vxlan, node-name: master, node-ip: 10.0.0.1}")
                .is_empty()
        );
        assert!(keys("{disable: [traefik, servicelb]}", "{disable: ['servicelb,traefik']}").is_empty());
        assert!(keys("{secrets-encryption: false}", "{}").is_empty());
    }

    #[test]
    fn what_k3s_reads_at_its_start_may_change() {
        assert_eq!(keys("{tls-san: [a]}", "{tls-san: [a, b], cluster-init: true}"), ["cluster-init", "tls-san"]);
    }

    #[test]
    fn what_is_created_once_is_refused_with_every_reason() {
        let old = "{cluster-cidr: 10.44.0.0/16, secrets-encryption: true, cluster-init: true, node-ip: 10.0.0.1}";
        let new = "{service-cidr: 10.45.0.0/16, node-ip: 10.0.0.2, node-name: other}";
        insta::assert_snapshot!(compared(&facts(), old, new).unwrap_err().message, @r"
        settings can't be changed on a running cluster:
          cluster-cidr: 10.44.0.0/16 -> 10.42.0.0/16: the networks of nodes and services are created once, from the value at the first start
          cluster-init: true -> unset: etcd is the datastore from then on
          node-ip: 10.0.0.1 -> 10.0.0.2: etcd's membership is bound to this address: a server with another one doesn't start
          node-name: master -> other: the node's object, certificates and password belong to this name
          secrets-encryption: true -> unset: without its key the API server can't read the Secrets that it stored, and a key added later isn't in the backups
          service-cidr: 10.43.0.0/16 -> 10.45.0.0/16: the networks of nodes and services are created once, from the value at the first start
        ");
    }

    #[test]
    fn before_the_first_start_everything_may_change() {
        let fresh = Facts::default();
        assert_eq!(compared(&fresh, "{cluster-cidr: 10.44.0.0/16}", "{}").unwrap().len(), 1);
    }

    #[test]
    fn an_agent_may_get_another_address() {
        let old = effective("{node-ip: 10.0.0.2}", &[]).unwrap();
        let new = effective("{node-ip: 10.0.0.3}", &[]).unwrap();
        assert_eq!(compare(Role::Agent, &facts(), &old, &new).unwrap().len(), 1);
    }
}
