//! `config::`: what the user says about the cluster.

use rhai::plugin::*;
use rhai::serde::to_dynamic;
use rhai::{Dynamic, EvalAltResult, Map};

use crate::config::Node;
use crate::script::{Secret, context, fail};

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use std::path::PathBuf;

    use rhai::{Array, EvalAltResult, Map};

    use crate::config::Config;

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
