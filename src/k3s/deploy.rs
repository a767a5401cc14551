//! A host becomes a server or an agent: look, refuse what can't be, bring what is missing, start, wait, mark the node.

use std::path::PathBuf;

use super::artifact::Arch;
use super::changes::{self, Difference};
use super::install::{Installation, image_target};
use super::node::Marks;
use super::options::{Options, url_of};
use super::probe::{Facts, probe};
use super::settings::{Change, DATA_DIR, Role, SECRET_KEYS, SETTINGS, Values};
use super::token::Token;
use super::{config, start, token, unit};
use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::report::{Change as Reported, Event, Level};
use crate::resource::{self, Changes, Directory, File, Resource, Symlink};

/// Where an agent keeps its token. In a file of its own it never gets into a diff of config.yaml.
const TOKEN_FILE: &str = "/etc/rancher/k3s/token";

/// Mirrors and logins of registries, which containerd gets from k3s (docs.k3s.io, "Private Registry Configuration").
const REGISTRIES: &str = "/etc/rancher/k3s/registries.yaml";

/// How an agent gets into its cluster.
#[derive(Clone)]
pub enum Join {
    /// By way of the server's host: its token, and kubectl for what a kubelet may not do itself.
    Server(Host),
    /// With a token that the caller has; the options have the server's address.
    Token(Token),
}

/// An agent's server, as far as it is known.
struct Cluster<'a> {
    host: Option<&'a Host>,
    url: String,
    token: Option<Token>,
}

/// What is done to the unit, and why.
struct Action {
    verb: &'static str,
    summary: String,
}

/// Makes a host the server. Returns whether anything was changed, or would be in a plan.
///
/// # Errors
/// Refused for options that contradict the host, host when something fails there: with cause and remedy.
pub async fn server(host: &Host, options: &Options) -> Result<bool> {
    deploy(host, options, None).await.map_err(|error| named(host, error))
}

/// Makes a host an agent of a cluster.
///
/// # Errors
/// Like [`server`]; also when the server has no token yet.
pub async fn agent(host: &Host, options: &Options, join: &Join) -> Result<bool> {
    let planned = host.run_context().is_plan();
    let (server, token) = match join {
        Join::Token(token) => (None, Some(token.clone())),
        Join::Server(server) => match token::token(server).await {
            Ok(token) => (Some(server), Some(token)),
            // The server is only planned, too: nobody has made a token yet.
            Err(error) if planned && error.kind == Kind::Host => (Some(server), None),
            Err(error) => return Err(error),
        },
    };
    let url = match (&options.server_url, server) {
        (Some(url), _) => url.clone(),
        (None, Some(server)) => url_from(server, planned).await?,
        (None, None) => {
            return Err(Error::refused("an agent needs the address of its server")
                .help("pass `server` (the server's host), or `server_ip` or `server_url` with `token`"));
        }
    };
    if let Some(token) = &token {
        token::hide(host, token.reveal());
    }
    let cluster = Cluster { host: server, url, token };
    deploy(host, options, Some(&cluster)).await.map_err(|error| named(host, error))
}

fn named(host: &Host, mut error: Error) -> Error {
    error.host.get_or_insert_with(|| host.name().to_owned());
    error
}

/// The server's URL from the address of its node.
async fn url_from(server: &Host, planned: bool) -> Result<String> {
    let facts = probe(server, Some(Role::Server), None, &[]).await?;
    match facts.node.and_then(|node| node.addresses.first()?.parse().ok()) {
        Some(ip) => Ok(url_of(ip)),
        None if planned => Ok(format!("https://(the address of {}):6443", server.name())),
        None => Err(Error::host("the server has no node whose address could be used")
            .on(server.name())
            .help("is k3s up there? `server_ip` in the agent's options names the address")),
    }
}

async fn deploy(host: &Host, options: &Options, cluster: Option<&Cluster<'_>>) -> Result<bool> {
    let role = options.role;
    let run = host.run_context();
    let facts = look(host, options, &options.source.images(&options.images)?).await?;
    let old = config::effective(&facts.config, &unit::arguments(&facts.definition))?;
    hide(host, &old);
    let new = wanted(options, cluster, &facts, &old);
    check(host, options, &facts, &new)?;
    let differences = changes::compare(role, &facts, &old, &new)?;
    let artifacts = options.source.artifacts(&options.version, Arch::of_machine(&facts.machine)?, &options.images)?;
    let installation = Installation::new(options, artifacts, &facts).await?;

    installation.apply(host, options).await?;
    let lacks_token = new.one("agent-token-file") == Some(token::FOR_AGENTS) && !facts.agent_token;
    if lacks_token {
        if !run.is_plan() {
            token::make_for_agents(host, &facts).await?;
        }
        let resource = format!("file:{}", token::FOR_AGENTS);
        let change = Reported { resource, summary: "created: the token of agents".to_owned(), diff: None };
        run.report().emit(Event::Changed { host: host.name().to_owned(), planned: run.is_plan(), change });
    }
    let files = resource::ensure(host, &resources(options, &facts, (&old, &new), cluster)).await?;
    let changed = installation.changes() || lacks_token || files.changed > 0;
    let action = action(&facts, installation.replaces_binary(), &files, &differences);
    if let Some(action) = &action {
        let resource = format!("service:{}", role.unit());
        let change = Reported { resource, summary: action.summary.clone(), diff: None };
        run.report().emit(Event::Changed { host: host.name().to_owned(), planned: run.is_plan(), change });
    }
    let present = installation.present() + u64::from(action.is_none());
    run.report().emit(Event::Unchanged { host: host.name().to_owned(), count: present });

    let ready = match &action {
        _ if run.is_plan() => facts,
        Some(action) => {
            let watch = start::begin(host, role, action.verb).await?;
            start::wait(host, options, new.one("server"), &facts, &watch).await?
        }
        None if facts.is_ready() => facts,
        None => start::wait(host, options, new.one("server"), &facts, &start::Watch::now()).await?,
    };
    let marks = Marks::new(&new, &options.reserved_labels, &old);
    let marked = match &ready.node {
        Some(node) => marks.apply(host, cluster.map_or(Some(host), |cluster| cluster.host), node).await?,
        None => false,
    };
    Ok(changed || marked || action.is_some())
}

pub(super) async fn look(host: &Host, options: &Options, images: &[PathBuf]) -> Result<Facts> {
    let data = options.settings.one("data-dir").unwrap_or(DATA_DIR);
    let mut paths = vec![unit::BINARY.to_owned()];
    for image in images {
        paths.push(image_target(data, image)?);
    }
    host.activity("reading the state of k3s");
    let facts = probe(host, Some(options.role), options.settings.one("node-name"), &paths).await;
    host.activity("");
    facts
}

/// All settings that config.yaml is to have.
fn wanted(options: &Options, cluster: Option<&Cluster<'_>>, facts: &Facts, old: &Values) -> Values {
    let mut values = options.settings.clone();
    if let Some(cluster) = cluster {
        values.set("server", vec![cluster.url.clone()]);
        values.set("token-file", vec![TOKEN_FILE.to_owned()]);
        return values;
    }
    for setting in SETTINGS.iter().filter(|setting| setting.change == Change::Kept) {
        if !old.all(setting.key).is_empty() {
            values.set(setting.key, old.all(setting.key).to_vec());
        }
    }
    if takes_agent_token(facts, old) {
        values.set("agent-token-file", vec![token::FOR_AGENTS.to_owned()]);
    }
    values
}

/// Whether agents are to have a token of their own by our settings: on a server that hasn't started yet, or that has such a
/// token in its data, as after a restore. One that has started without can't be given one: it would refuse its next start but one.
fn takes_agent_token(facts: &Facts, old: &Values) -> bool {
    let decided = ["agent-token", "agent-token-file", "server", "datastore-endpoint"];
    let fresh = !facts.registered && !facts.token;
    decided.iter().all(|key| old.one(key).is_none()) && (fresh || facts.agent_password)
}

/// Refuses what the host can't do, and tells what would surprise.
fn check(host: &Host, options: &Options, facts: &Facts, new: &Values) -> Result<()> {
    let role = options.role;
    if !facts.systemd {
        return Err(Error::refused("this host was not booted with systemd").help("k3srun runs k3s as a systemd unit"));
    }
    if facts.units.contains(&role.other()) {
        let message =
            format!("this host already is a k3s {}: no k3s {} can run beside it", role.other().name(), role.name());
        return Err(Error::refused(message).help(
            "give the host its old role back in your options, or reinstall the machine (the uninstall script of the \
             official installer does it, too, where that installed k3s)",
        ));
    }
    if let Some(interface) = new.one("flannel-iface")
        && !facts.interfaces.contains(interface)
    {
        let known: Vec<&str> = facts.interfaces.iter().map(String::as_str).collect();
        return Err(Error::refused(format!("flannel_iface: this host has no interface {interface}"))
            .help(format!("it has {}", known.join(", "))));
    }
    for file in &facts.dropins {
        host.note(
            Level::Warning,
            format!("k3s reads {file} after config.yaml: what is set there wins over your options"),
        );
    }
    Ok(())
}

/// Masks what is secret in the settings of a host, which somebody else may have written: it would be in the diffs of its
/// files, and in the reasons why a setting can't be changed.
fn hide(host: &Host, settings: &Values) {
    for value in SECRET_KEYS.iter().flat_map(|key| settings.all(key)) {
        token::hide(host, value);
    }
}

/// The files around k3s, of which a host has the `old` settings.
fn resources(
    options: &Options,
    facts: &Facts,
    (old, new): (&Values, &Values),
    cluster: Option<&Cluster<'_>>,
) -> Vec<Resource> {
    let role = options.role;
    let text = config::render(new);
    let has_secret = SECRET_KEYS.iter().any(|key| old.one(key).or(new.one(key)).is_some());
    let configuration = File::new(config::PATH).content(text).mode(0o600);
    let environment = match &options.environment {
        Some(variables) => unit::environment(variables),
        None => facts.environment.clone().unwrap_or_default(),
    };
    let mut resources: Vec<Resource> = vec![
        Directory::new("/etc/rancher/k3s").into(),
        if has_secret { configuration.secret() } else { configuration }.into(),
        File::new(unit::path(role)).content(unit::text(role)).mode(0o644).into(),
        File::new(unit::environment_path(role)).content(environment).mode(0o600).secret().into(),
    ];
    if let Some(path) = &options.registries {
        resources.push(File::new(REGISTRIES).source(path).mode(0o600).secret().into());
    }
    if let Some(cluster) = cluster {
        let token = cluster.token.as_ref().map_or("", Token::reveal);
        resources.push(File::new(TOKEN_FILE).content(format!("{token}\n")).mode(0o600).secret().into());
    }
    for name in ["kubectl", "crictl", "ctr"].iter().filter(|name| !facts.commands.contains(**name)) {
        resources.push(Symlink::new(format!("/usr/local/bin/{name}"), "k3s").into());
    }
    resources
}

/// What has to be done to the unit.
fn action(facts: &Facts, replaced: bool, files: &Changes, differences: &[Difference]) -> Option<Action> {
    let unit = &facts.unit;
    let act = |verb, summary: String| Some(Action { verb, summary });
    let running = matches!(unit.active.as_str(), "active" | "activating" | "reloading");
    if !running {
        return act("start", if unit.enabled { "started" } else { "enabled, started" }.to_owned());
    }
    let read = |id: &&String| id.starts_with("file:");
    if replaced {
        return act("restart", "restarted: new executable".to_owned());
    }
    if let Some(file) = files.names.iter().find(read) {
        let keys: Vec<&str> = differences.iter().map(|difference| difference.key.as_str()).collect();
        let why = if keys.is_empty() { file.clone() } else { keys.join(", ") };
        return act("restart", format!("restarted: {why} changed"));
    }
    if facts.is_stale() || unit.outdated {
        return act("restart", "restarted: it runs with what was changed before its last start was over".to_owned());
    }
    if !unit.enabled {
        return act("start", "enabled".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k3s::probe::UnitState;

    fn running() -> Facts {
        let unit = UnitState { active: "active".into(), enabled: true, started: 100, ..UnitState::default() };
        Facts { changed: 90, unit, ..Facts::default() }
    }

    fn summary(facts: &Facts, files: &[&str]) -> Option<String> {
        let files = Changes { names: files.iter().map(|name| (*name).to_owned()).collect(), ..Changes::default() };
        action(facts, false, &files, &[]).map(|action| action.summary)
    }

    #[test]
    fn a_unit_is_touched_only_for_a_reason() {
        assert_eq!(summary(&running(), &[]), None);
        assert_eq!(summary(&running(), &["symlink:/usr/local/bin/ctr"]), None);
        assert_eq!(summary(&running(), &["file:/x"]).unwrap(), "restarted: file:/x changed");
        assert_eq!(summary(&Facts::default(), &[]).unwrap(), "enabled, started");
    }

    #[test]
    fn a_run_that_died_before_the_restart_is_made_up_for() {
        let facts = Facts { changed: 101, ..running() };
        assert!(summary(&facts, &[]).unwrap().starts_with("restarted: "));
    }

    #[test]
    fn the_token_of_an_adopted_server_is_kept() {
        let old = config::effective("{token: secret, tls-san: [a]}", &[]).unwrap();
        let options = serde_json::json!({ "version": "v1.36.5+k3s1", "cluster_init": true });
        let options: crate::k3s::ServerOptions = serde_json::from_value(options).unwrap();
        let adopted = Facts { token: true, registered: true, ..Facts::default() };
        let new = wanted(&options.0, None, &adopted, &old);
        assert_eq!(new.keys().collect::<Vec<_>>(), ["cluster-init", "token"]);
    }

    #[test]
    fn agents_get_a_token_of_their_own_where_the_server_can_still_be_given_one() {
        let options = serde_json::json!({ "version": "v1.36.5+k3s1", "cluster_init": true });
        let options: crate::k3s::ServerOptions = serde_json::from_value(options).unwrap();
        let file = |facts: &Facts, old: &str| {
            let old = config::effective(old, &[]).unwrap();
            wanted(&options.0, None, facts, &old).one("agent-token-file").map(str::to_owned)
        };
        let started = Facts { token: true, registered: true, ..Facts::default() };
        let restored = Facts { agent_password: true, ..started.clone() };
        let ours = Some(token::FOR_AGENTS.to_owned());
        assert_eq!(file(&Facts::default(), "{}"), ours, "a fresh host");
        assert_eq!(
            file(&Facts::default(), "{agent-token-file: /etc/rancher/k3s/agent-token}"),
            ours,
            "died before its start"
        );
        assert_eq!(file(&restored, "{}"), ours, "its data has one");
        assert_eq!(file(&started, "{}"), None, "started without one");
        assert_eq!(file(&Facts::default(), "{agent-token: mine}"), None, "somebody has chosen one");
        assert_eq!(file(&Facts::default(), "{agent-token-file: /root/mine}").unwrap(), "/root/mine");
        assert_eq!(file(&Facts::default(), "{datastore-endpoint: postgres://db}"), None, "the data is elsewhere");
    }
}
