//! Compares settings with each other. What is missing or invalid by itself is left out: it is reported already.

use std::{collections::BTreeMap, fmt::Display};

use super::{
    document::Place,
    problem::Finding,
    reader::{Field, Located},
    schema::{ConnectionDraft, Draft, NodeDraft},
    types::Role,
};

pub(super) fn check(draft: &Draft) -> Vec<Finding> {
    [roles(draft), duplicates(draft), networks(draft), checksums(draft), logins(draft), draft.platform.check()]
        .into_iter()
        .flatten()
        .collect()
}

/// One master, at least one worker.
fn roles(draft: &Draft) -> Vec<Finding> {
    let Some(place) = draft.nodes_place else { return Vec::new() };
    let with_role = |role: Role| {
        let fields = draft.nodes.iter().filter_map(|node| Some((node, node.role.given()?)));
        fields.filter(move |(_, field)| field.value == role).collect::<Vec<_>>()
    };
    let all_known = draft.nodes.iter().all(|node| node.role.given().is_some());
    let (masters, workers) = (with_role(Role::Master), with_role(Role::Worker));
    let mut findings = Vec::new();
    if draft.nodes.is_empty() {
        let help = "add two tables [[nodes]], one with role = \"master\" and one with role = \"worker\"; cluster.toml.example has them";
        return vec![Finding::new("no nodes", help, place)];
    }
    if masters.len() > 1 {
        let labels = masters.iter().map(|(_, field)| (field.place, "a master".to_owned())).collect();
        findings.push(Finding::between(
            format!("there are {} masters", masters.len()),
            "leave one of them the role \"master\" and make the others \"worker\"",
            labels,
        ));
    }
    if masters.is_empty() && all_known {
        findings.push(Finding::new("there is no master", "add a [[nodes]] with role = \"master\"", place));
    }
    if workers.is_empty() && all_known {
        findings.push(Finding::new("there is no worker", "add a [[nodes]] with role = \"worker\"", place));
    }
    findings
}

/// Names, addresses and machines are distinct.
fn duplicates(draft: &Draft) -> Vec<Finding> {
    let of = |key: &'static str, field: fn(&NodeDraft) -> Option<Located<String>>| {
        draft.nodes.iter().filter_map(move |node| Some((format!("{}.{key}", node.path), field(node)?)))
    };
    let names = repeated(of("name", |node| as_text(&node.name)), "give every node a name of its own", |_, name| {
        format!("several nodes are called `{name}`")
    });
    let addresses = of("public_ip", |node| as_text(&node.public_ip))
        .chain(of("private_ip", |node| as_text(&node.private_ip)))
        .chain(of("public_ip6", |node| as_text(&node.public_ip6)));
    let addresses = repeated(
        addresses,
        "give every machine addresses of its own, on a private network apart from the public one",
        |paths, address| format!("{} are the same: {address}", paths.join(" and ")),
    );
    let machines = draft.nodes.iter().filter_map(|node| {
        let destination = node.ssh.given()?;
        let connection = node.effective_connection(&draft.ssh);
        let port = connection.port.given().map(|port| format!(" port {}", port.value)).unwrap_or_default();
        let jump = connection.jump.given().map(|jump| format!(" behind {}", jump.value.join(","))).unwrap_or_default();
        let value = format!("{}{port}{jump}", destination.value);
        Some((format!("{}.ssh", node.path), Located { value, place: destination.place }))
    });
    let machines =
        repeated(machines, "correct one of the destinations: every node is a machine of its own", |_, machine| {
            format!("several nodes are the same machine: {machine}")
        });
    names.into_iter().chain(addresses).chain(machines).collect()
}

fn as_text<T: Display>(field: &Field<T>) -> Option<Located<String>> {
    field.given().map(|field| Located { value: field.value.to_string(), place: field.place })
}

/// A finding for each value that several settings have; `message` is given their paths and the value.
fn repeated(
    settings: impl Iterator<Item = (String, Located<String>)>,
    help: &str,
    message: impl Fn(&[String], &str) -> String,
) -> Vec<Finding> {
    let mut by_value: BTreeMap<String, Vec<(Place, String)>> = BTreeMap::new();
    for (path, setting) in settings {
        by_value.entry(setting.value).or_default().push((setting.place, path));
    }
    let finding = |(value, mut same): (String, Vec<(Place, String)>)| {
        same.sort();
        let paths: Vec<String> = same.iter().map(|(_, path)| format!("`{path}`")).collect();
        Finding::between(message(&paths, &value), help, same)
    };
    by_value.into_iter().filter(|(_, same)| same.len() > 1).map(finding).collect()
}

/// The networks of pods and services are apart from each other and from the machines, and large enough.
fn networks(draft: &Draft) -> Vec<Finding> {
    let mut findings = Vec::new();
    let networks = [("pod_cidr", draft.pod_cidr()), ("service_cidr", draft.service_cidr())];
    if let [(_, Some((pods, pods_place))), (_, Some((services, services_place)))] = networks
        && (pods.contains(&services) || services.contains(&pods))
    {
        let labels = [(pods_place, "pods"), (services_place, "services")];
        findings.push(Finding::between(
            format!("the networks of the pods, {pods}, and of the services, {services}, overlap"),
            "choose two that have no address in common, like the defaults 10.42.0.0/16 and 10.43.0.0/16",
            given(labels),
        ));
    }
    for (key, network) in networks {
        let Some((network, network_place)) = network else { continue };
        for node in &draft.nodes {
            for (name, address) in [("public_ip", &node.public_ip), ("private_ip", &node.private_ip)] {
                let Some(address) = address.given().filter(|address| network.contains(&address.value)) else {
                    continue;
                };
                findings.push(Finding::between(
                    format!("`{}.{name}` is inside `cluster.{key}`, {network}", node.path),
                    format!("choose another {key}: nodes would take {} for an address of the cluster", address.value),
                    given([(network_place, "the network"), (Some(address.place), "the address")]),
                ));
            }
        }
    }
    if let Some((pods, place)) = draft.pod_cidr()
        && (1_usize << 24_u8.saturating_sub(pods.prefix_len())) < draft.nodes.len()
    {
        findings.push(Finding::between(
            format!("the pods' network {pods} is too small for {} nodes", draft.nodes.len()),
            "each node gets a /24 of it: choose a larger one, like 10.42.0.0/16",
            given([(place, "too small")]),
        ));
    }
    findings
}

/// Labels for those of the settings that are not defaults.
fn given<const N: usize>(labels: [(Option<Place>, &str); N]) -> Vec<(Place, String)> {
    labels.into_iter().filter_map(|(place, text)| Some((place?, text.to_owned()))).collect()
}

/// One way to verify the executable.
fn checksums(draft: &Draft) -> Vec<Finding> {
    exclusive("k3s", ("sha256", &draft.k3s.sha256), ("sums", &draft.k3s.sums)).into_iter().collect()
}

/// One login, and a password only for those who need it.
fn logins(draft: &Draft) -> Vec<Finding> {
    let own = |path: &str, prefix: &str, ssh: &ConnectionDraft| {
        let (env, file) = (format!("{prefix}sudo_password_env"), format!("{prefix}sudo_password_file"));
        exclusive(path, (&env, &ssh.sudo_password_env), (&file, &ssh.sudo_password_file))
    };
    let mut findings: Vec<Finding> = own("ssh", "", &draft.ssh).into_iter().collect();
    for node in &draft.nodes {
        findings.extend(own(&node.path, "ssh_", &node.connection));
        if let (Some(destination), Some(user)) = (node.ssh.given(), node.connection.user.given())
            && let Some((login, _)) = destination.value.rsplit_once('@')
            && login != user.value
        {
            findings.push(Finding::between(
                format!("`{0}.ssh` and `{0}.ssh_user` name different logins", node.path),
                "keep one of them",
                vec![(destination.place, format!("{login} here")), (user.place, format!("{} here", user.value))],
            ));
        }
    }
    findings.extend(idle_password(draft));
    findings
}

/// Two keys of which one is enough.
fn exclusive<A, B>(path: &str, first: (&str, &Field<A>), second: (&str, &Field<B>)) -> Option<Finding> {
    let labels =
        vec![(first.1.given()?.place, "either this".to_owned()), (second.1.given()?.place, "or this".to_owned())];
    Some(Finding::between(
        format!("`{path}.{}` and `{path}.{}` exclude each other", first.0, second.0),
        "keep one of them",
        labels,
    ))
}

/// A password that no node uses, since none becomes root through sudo.
fn idle_password(draft: &Draft) -> Option<Finding> {
    let without_sudo = |node: &NodeDraft| {
        matches!(node.effective_connection(&draft.ssh).sudo, Field::Absent | Field::Given(Located { value: false, .. }))
    };
    if !draft.nodes.iter().all(without_sudo) {
        return None;
    }
    let all = std::iter::once(&draft.ssh).chain(draft.nodes.iter().map(|node| &node.connection));
    let place = all.filter_map(password_place).next()?;
    Some(Finding::new(
        "a password for sudo is set, but sudo isn't used",
        "add `sudo = true` to [ssh], or leave the password out",
        place,
    ))
}

fn password_place(ssh: &ConnectionDraft) -> Option<Place> {
    let env = ssh.sudo_password_env.given().map(|field| field.place);
    env.or_else(|| ssh.sudo_password_file.given().map(|field| field.place))
}
