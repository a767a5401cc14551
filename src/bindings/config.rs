//! `config::`: what the user says about the cluster.

use rhai::plugin::*;
use rhai::serde::to_dynamic;
use rhai::{Dynamic, EvalAltResult, Map};

use crate::config::{App, Node};
use crate::report::redact::Secrets;
use crate::script::{Secret, context, fail};

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use std::path::PathBuf;

    use rhai::{Array, EvalAltResult, Map};

    use crate::config::Config;
    use crate::error::Error;

    /// What `-c FILE` (or else `cluster.toml` in the working directory) and `--set` say about the cluster, checked and with
    /// all defaults: a map with `cluster`, `k3s`, `helm`, `charts`, `ingress`, `certificates`, `monitoring`, `apps`, `master`,
    /// `workers`, and `nodes`, which is the master and the workers. What isn't set and has no default is `()`.
    /// A node's `ssh` has the arguments of `ssh::connect`, `destination` and `options`, with a password as a secret.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let c = config::load();
    /// let hosts = parallel(c.nodes, |n| ssh::connect(n.ssh.destination, n.ssh.options));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn load(call: NativeCallContext) -> Result<Map, Box<EvalAltResult>> {
        let context = context(&call);
        let path = context.inputs().config.unwrap_or_else(|| PathBuf::from("cluster.toml"));
        let config = Config::load(&path, &context.settings.sets).map_err(|problems| fail(&call, problems.into()))?;
        let master = node(&call, &config.master)?;
        let workers = config.workers.iter().map(|worker| node(&call, worker)).collect::<Result<Array, _>>()?;
        let nodes: Array = std::iter::once(&master).chain(&workers).cloned().collect();
        let mut map: Map = to_dynamic(&config.platform)?.cast();
        map.extend([
            ("cluster".into(), to_dynamic(&config.cluster)?),
            ("k3s".into(), to_dynamic(&config.k3s)?),
            ("master".into(), master),
            ("workers".into(), workers.into()),
            ("nodes".into(), nodes.into()),
        ]);
        Ok(map)
    }

    /// An app with all its defaults, as `app::deploy` makes it of what it gets: a map with the keys of `[[apps]]`. Its
    /// `secrets` are secrets, or say where they are kept, `#{ env: "NAME" }` or `#{ file: "PATH" }`: here they are read.
    /// What isn't set and has no default is `()`, and so is a `path` of `none`.
    ///
    /// Refused with everything that is wrong with it: see `config::app_problems`.
    ///
    /// # Example
    /// ```rhai
    /// let app = config::app(#{ name: "web", image: "nginx:1.29", host: "www.example.org" });
    /// print(`${app.port} ${app.path} ${app.user}`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn app(call: NativeCallContext, description: Map) -> Result<Map, Box<EvalAltResult>> {
        let secrets = context(&call).run.secrets().clone();
        let (app, values) = checked(&description, &secrets).map_err(|problems| {
            let list: String = problems.iter().map(|problem| format!("\n  - {problem}")).collect();
            fail(&call, Error::refused(format!("this is not an app:{list}")).help("`app::deploy` shows every key"))
        })?;
        let mut map: Map = to_dynamic(&app)?.cast();
        map.insert("secrets".into(), values.into());
        Ok(map)
    }

    /// Everything that is wrong with an app, each as a text with its remedy; empty where nothing is. `description` is what
    /// `config::app` takes.
    ///
    /// # Example
    /// ```rhai
    /// let problems = config::app_problems(#{ name: "web", image: "nginx", host: "203.0.113.2" });
    /// print(problems.len());
    /// ```
    pub fn app_problems(call: NativeCallContext, description: Map) -> Array {
        let secrets = context(&call).run.secrets().clone();
        let problems = checked(&description, &secrets).err().unwrap_or_default();
        problems.into_iter().map(|problem| secrets.masked(&problem).into()).collect()
    }
}

/// The app that a script describes, and the values of its secrets; or everything that is wrong.
fn checked(description: &Map, secrets: &Secrets) -> Result<(App, Map), Vec<String>> {
    let mut description = description.clone();
    let mut values = Map::new();
    if let Some(mut named) = description.get_mut("secrets").and_then(|it| it.write_lock::<Map>()) {
        for (name, value) in named.iter_mut() {
            if let Some(secret) = Secret::of(value, secrets) {
                values.insert(name.clone(), Dynamic::from(secret));
                // For the check it is kept somewhere.
                *value = Map::from([("env".into(), name.as_str().into())]).into();
            }
        }
    }
    let mut problems = Vec::new();
    let mut data = serde_json::Map::new();
    for (key, value) in &description {
        match rhai::serde::from_dynamic(value) {
            Ok(value) => drop(data.insert(key.to_string(), value)),
            Err(_) => problems.push(format!("`{key}` must not be a {}: write data", value.type_name())),
        }
    }
    let app = match App::described(&data.into()) {
        Ok(app) if problems.is_empty() => app,
        Ok(_) => return Err(problems),
        Err(others) => return Err([problems, others].concat()),
    };
    for (name, place) in &app.secrets {
        if values.contains_key(name.as_str()) {
            continue;
        }
        match place.read() {
            Ok(value) => {
                secrets.add(&value);
                values.insert(name.into(), Dynamic::from(Secret::new(value)));
            }
            Err(why) => problems.push(format!("`secrets.{name}` {why}")),
        }
    }
    if problems.is_empty() { Ok((app, values)) } else { Err(problems) }
}

/// The node as a map, with the password itself in place of where it is.
fn node(call: &NativeCallContext, node: &Node) -> Result<Dynamic, Box<EvalAltResult>> {
    let mut options: Map = to_dynamic(&node.ssh.options)?.cast();
    options.retain(|key, _| !key.starts_with("sudo_password"));
    if let Some(place) = &node.ssh.options.sudo_password {
        let password = place.read().map_err(|error| fail(call, error))?;
        context(call).run.secrets().add(&password);
        options.insert("sudo_password".into(), Dynamic::from(Secret::new(password)));
    }
    let ssh =
        Map::from([("destination".into(), node.ssh.destination.clone().into()), ("options".into(), options.into())]);
    let mut map: Map = to_dynamic(node)?.cast();
    map.insert("ssh".into(), ssh.into());
    Ok(map.into())
}
