//! A node as the API server shows it, and the labels and taints that only the API can give it.

use std::collections::BTreeMap;

use super::form::Taint;
use super::settings::Values;
use crate::error::Result;
use crate::host::{Host, ScriptOptions};
use crate::report::{Change, Event, Level};

/// A node of a cluster.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// Whether its kubelet says that it can run pods.
    pub ready: bool,
    /// What the kubelet says about it.
    pub message: String,
    /// When the kubelet last said so, in seconds since 1970.
    pub heartbeat: i64,
    /// Its internal addresses.
    pub addresses: Vec<String>,
    /// The kubelet's version.
    pub version: String,
}

/// Labels and taints that a node has to have, and those that it had to have before.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    labels: Vec<String>,
    taints: Vec<Taint>,
    old_labels: Vec<String>,
    old_taints: Vec<Taint>,
}

impl Marks {
    /// What the wanted settings say, and what those of the host said.
    pub fn new(wanted: &Values, reserved: &[String], old: &Values) -> Self {
        let taints = |values: &Values| values.all("node-taint").iter().filter_map(|text| Taint::parse(text)).collect();
        Marks {
            labels: wanted.all("node-label").iter().chain(reserved).cloned().collect(),
            taints: taints(wanted),
            old_labels: old.all("node-label").to_vec(),
            old_taints: taints(old),
        }
    }

    /// The arguments of `kubectl label` that are left to apply: `key=value`, or `key-` to remove one.
    fn label_changes(&self, node: &Node) -> Vec<String> {
        let pair = |label: &String| label.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        let wanted: BTreeMap<String, String> = self.labels.iter().filter_map(pair).collect();
        let set = wanted.iter().filter(|(key, value)| node.labels.get(*key) != Some(value));
        let removed = self
            .old_labels
            .iter()
            .filter_map(pair)
            .filter(|(key, value)| !wanted.contains_key(key) && node.labels.get(key) == Some(value));
        set.map(|(key, value)| format!("{key}={value}")).chain(removed.map(|(key, _)| format!("{key}-"))).collect()
    }

    /// The arguments of `kubectl taint` that are left to apply.
    fn taint_changes(&self, node: &Node) -> Vec<String> {
        let set = self.taints.iter().filter(|taint| !node.taints.contains(taint));
        let same = |a: &Taint, b: &Taint| a.key == b.key && a.effect == b.effect;
        let removed = self
            .old_taints
            .iter()
            .filter(|old| node.taints.contains(old) && !self.taints.iter().any(|taint| same(taint, old)));
        set.map(Taint::to_string).chain(removed.map(|taint| format!("{}:{}-", taint.key, taint.effect))).collect()
    }

    /// Gives the node what it lacks, through kubectl on the server.
    ///
    /// A kubelet sets labels when it starts and never removes any; taints it only sets when its node is registered.
    /// Returns whether it lacked anything.
    pub async fn apply(&self, host: &Host, server: Option<&Host>, node: &Node) -> Result<bool> {
        let (labels, taints) = (self.label_changes(node), self.taint_changes(node));
        let run = host.run_context();
        let mut script = String::from("set -e\n");
        for (what, changes) in
            [("label", &labels), ("taint", &taints)].into_iter().filter(|(_, changes)| !changes.is_empty())
        {
            let changes = changes.join(" ");
            let command = format!("kubectl {what} node {} --overwrite {changes}", node.name);
            if server.is_none() {
                let help = "pass the server's host as `server`, or run on the server";
                host.note(Level::Warning, format!("the node lacks {changes}: {help}: k3s {command}"));
                continue;
            }
            // Names, labels and taints are checked words: nothing in them means anything to a shell.
            script.push_str(&format!("/usr/local/bin/k3s {command}\n"));
            let change =
                Change { resource: format!("node:{}", node.name), summary: format!("{what} {changes}"), diff: None };
            run.report().emit(Event::Changed { host: host.name().to_owned(), planned: run.is_plan(), change });
        }
        let differs = !(labels.is_empty() && taints.is_empty());
        let Some(server) = server.filter(|_| differs) else { return Ok(false) };
        if !run.is_plan() {
            let options = ScriptOptions::titled(format!("setting labels and taints of the node {}", node.name));
            server.check(&script, &options.timeout(60)).await?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k3s::config::effective;

    fn node() -> Node {
        Node {
            name: "master".into(),
            labels: [("a".into(), "1".into()), ("b".into(), "2".into())].into(),
            taints: vec![Taint::parse("old=x:NoSchedule").unwrap()],
            ..Node::default()
        }
    }

    #[test]
    fn a_node_gets_what_it_lacks_and_loses_what_it_was_given_before() {
        let old = effective("{node-label: [b=2], node-taint: ['old=x:NoSchedule']}", &[]).unwrap();
        let wanted = effective("{node-label: [a=1, c=3], node-taint: ['new=y:NoExecute']}", &[]).unwrap();
        let marks = Marks::new(&wanted, &["node-role.kubernetes.io/worker=true".into()], &old);
        assert_eq!(marks.label_changes(&node()), ["c=3", "node-role.kubernetes.io/worker=true", "b-"]);
        assert_eq!(marks.taint_changes(&node()), ["new=y:NoExecute", "old:NoSchedule-"]);
    }

    #[test]
    fn labels_of_others_stay() {
        let marks = Marks::new(&effective("{node-label: [a=1]}", &[]).unwrap(), &[], &Values::default());
        assert!(marks.label_changes(&node()).is_empty() && marks.taint_changes(&node()).is_empty());
    }
}
