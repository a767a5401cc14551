//! `k3s::`: servers and agents.

use rhai::plugin::*;

use rhai::{Dynamic, Map};

use crate::k3s::{AgentOptions, KubeconfigOptions, MergeOptions, Merged, ServerOptions, SnapshotOptions};
use crate::script::Options;

impl Options for ServerOptions {
    const FUNCTIONS: &[&str] = &["k3s::server", "k3s::stage"];
}

impl Options for AgentOptions {
    const FUNCTIONS: &[&str] = &["k3s::agent"];
}

impl Options for KubeconfigOptions {
    const FUNCTIONS: &[&str] = &["k3s::kubeconfig"];
}

impl Options for SnapshotOptions {
    const FUNCTIONS: &[&str] = &["k3s::snapshot"];
}

impl Options for MergeOptions {
    const FUNCTIONS: &[&str] = &["k3s::merge_kubeconfig"];
}

fn map(merged: Merged) -> Map {
    let path = |path: std::path::PathBuf| Dynamic::from(path.display().to_string());
    Map::from([
        ("file".into(), path(merged.file)),
        ("server".into(), merged.server.into()),
        ("changed".into(), merged.changed.into()),
        ("backup".into(), merged.backup.map_or(Dynamic::UNIT, path)),
        ("tunnel".into(), merged.tunnel.map_or(Dynamic::UNIT, Dynamic::from)),
    ])
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::{Array, EvalAltResult, Map};

    use super::map;
    use crate::error::Error;
    use crate::host::Host;
    use crate::k3s::{
        self, AgentOptions, Join, KubeconfigOptions, MergeOptions, ServerOptions, SnapshotOptions, Token,
    };
    use crate::script::{Secret, block, context, fail, objection, options};

    /// Makes a host the cluster's server: installs the pinned version from a verified source, writes
    /// /etc/rancher/k3s/config.yaml and the unit as the official installer does, starts it and waits until its node is
    /// ready. An existing installation is adopted. Run again, it changes only what differs. Returns whether anything was
    /// changed.
    ///
    /// On a host where k3s has not started yet, a token for agents is made first, 32 random bytes in /etc/rancher/k3s/agent-token
    /// (`agent-token-file`): with the server's own token, root of an agent's host could become administrator of the cluster. A
    /// server that has started without keeps to its own token: k3s doesn't take another one later.
    ///
    /// A setting that can't change once the cluster exists is refused with the reason; so is another version than the
    /// installed one, but with `upgrade`. `node_labels` and `node_taints` also reach a node that is registered already.
    ///
    /// Options: `version` (needed, e.g. `v1.36.5+k3s1`); `source` (a map with `url`, `path` or `bundle`, and `sha256` or
    /// `sums`; default: the official release; a list of checksums is looked for beside the file); `images` (archives on
    /// this machine, imported by k3s); `registries` (a file on this machine that becomes k3s's registries.yaml: mirrors and
    /// logins of registries); `environment` (variables of the unit); `timeout` in seconds (300) for the node to
    /// become ready; `upgrade` (false; true: another version than the installed one takes its place, which stays beside it as
    /// `k3s.previous`; the order of steps is the caller's). All others are the flags of `k3s server` with `_` for `-`, some in the plural: `node_name`, `node_ip`,
    /// `node_external_ip`, `node_labels` (a map), `node_taints`, `cluster_init`, `cluster_cidr`, `service_cidr`,
    /// `cluster_dns`, `cluster_domain`, `service_node_port_range`, `flannel_iface`, `flannel_backend`,
    /// `advertise_address`, `bind_address`, `tls_san`, `disable`, `disable_network_policy`, `disable_kube_proxy`,
    /// `disable_cloud_controller`, `disable_helm_controller`, `secrets_encryption`, `secrets_encryption_provider`,
    /// `write_kubeconfig_mode`, `write_kubeconfig_group`, `etcd_snapshot_schedule_cron`, `etcd_snapshot_retention`,
    /// `etcd_snapshot_dir`, `etcd_snapshot_compress`, `etcd_disable_snapshots`, `etcd_expose_metrics`,
    /// `protect_kernel_defaults`, `selinux`, `resolv_conf`, `private_registry`, `pause_image`, `snapshotter`,
    /// `lb_server_port`, `prefer_bundled_bin`, `embedded_registry`, `supervisor_metrics`, `kubelet_args`,
    /// `kube_proxy_args`, `kube_apiserver_args`, `kube_controller_manager_args`, `kube_scheduler_args`,
    /// `kube_cloud_controller_manager_args`, `etcd_args`, `debug`, `log_level`, `vmodule`, `node_internal_dns`,
    /// `node_external_dns`, `flannel_conf`, `flannel_cni_conf`, `flannel_ipv6_masq`, `flannel_external_ip`,
    /// `egress_selector_mode`, `tls_san_security`, `servicelb_namespace`, `helm_job_image`, `etcd_snapshot_name`,
    /// `etcd_snapshot_reconcile_interval`, `default_local_storage_path`, `default_runtime`,
    /// `disable_default_registry_endpoint`, `system_default_registry`, `nonroot_devices`,
    /// `image_credential_provider_bin_dir`, `image_credential_provider_config`, `image_service_endpoint`, `enable_pprof`,
    /// `data_dir`. `args` takes the same flags as they are written for k3s, `name=value` or `name`, in a list.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let master = ssh::connect("master");
    /// k3s::server(master, #{
    ///     version: "v1.36.5+k3s1",
    ///     cluster_init: true,
    ///     node_ip: "10.0.0.1",
    ///     tls_san: ["203.0.113.1"],
    ///     disable: ["traefik"],
    /// });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn server(call: NativeCallContext, host: Host, settings: Map) -> Result<bool, Box<EvalAltResult>> {
        let ServerOptions(settings) = options(&call, settings)?;
        block(&call, &context(&call), k3s::server(&host, &settings))
    }

    /// What is wrong with the options of a `server` or an `agent`, as a list of texts; no host is asked.
    ///
    /// # Example
    /// ```rhai
    /// let problems = k3s::problems("server", #{ version: "v1.36.5+k3s1", args: ["etcd-snapshot-retentoin=9"] });
    /// if problems != ["etcd-snapshot-retentoin is not a flag of k3s server; did you mean etcd-snapshot-retention?"] { throw problems }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn problems(call: NativeCallContext, role: &str, mut settings: Map) -> Result<Array, Box<EvalAltResult>> {
        for name in ["server", "token"] {
            settings.remove(name);
        }
        let problems = match role {
            "server" => objection::<ServerOptions>(settings),
            "agent" => objection::<AgentOptions>(settings),
            _ => return Err(fail(&call, Error::script(format!("{role:?} is neither \"server\" nor \"agent\"")))),
        };
        let problems = problems.unwrap_or_default();
        let each = problems.lines().map(|problem| problem.strip_prefix("args: ").unwrap_or(problem));
        Ok(each.map(|problem| problem.to_owned().into()).collect())
    }

    /// Makes a host an agent of a cluster, and waits until its node is ready. The token is read from the server's host and
    /// written to a file of mode 0600; it never is on a command line or in a report. Returns whether anything was changed.
    ///
    /// Options: those of `k3s::server` that are about a node, and `server` (the server's host; its node's address is where
    /// the agent connects to), `server_ip` or `server_url` (another address than that). Without the server's host: `token`
    /// (a secret, in full) with `server_ip` or `server_url`.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let master = ssh::connect("master");
    /// let worker = ssh::connect("worker");
    /// k3s::agent(worker, #{ version: "v1.36.5+k3s1", server: master, server_ip: "10.0.0.1", node_ip: "10.0.0.2" });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn agent(call: NativeCallContext, host: Host, mut settings: Map) -> Result<bool, Box<EvalAltResult>> {
        let server = settings.remove("server");
        let token = settings.remove("token");
        let AgentOptions(settings) = options(&call, settings)?;
        let context = context(&call);
        let secrets = context.run.secrets();
        let join = match (server.map(|value| value.try_cast::<Host>()), token.map(|value| Secret::of(&value, secrets)))
        {
            (Some(Some(server)), None) => Join::Server(server),
            (None, Some(Some(token))) => Join::Token(Token::parse(token.reveal()).map_err(|error| fail(&call, error))?),
            (Some(None), _) => return Err(fail(&call, Error::script("agent(): option `server` must be a host"))),
            (_, Some(None)) => {
                let error = Error::script("agent(): option `token` must be a secret");
                return Err(fail(&call, error.help("wrap it: secret(text)")));
            }
            (Some(Some(_)), Some(Some(_))) => {
                let error = Error::script("agent(): options `server` and `token` exclude each other");
                return Err(fail(&call, error.help("with the server's host the token is read from there")));
            }
            (None, None) => {
                let error = Error::script("agent(): one of the options `server` and `token` is needed");
                return Err(fail(
                    &call,
                    error.help("pass the server's host as `server`: the token is read from there"),
                ));
            }
        };
        block(&call, &context, k3s::agent(&host, &settings, &join))
    }

    /// Brings the executable and the images of another version to a host, verified, without touching what runs there: a later
    /// `k3s::server` or `k3s::agent` with `upgrade` takes them. Returns whether anything was brought.
    ///
    /// Options: those of `k3s::server`, of which `version`, `source` and `images` count.
    ///
    /// # Example
    /// ```rhai,no_run
    /// k3s::stage(ssh::connect("worker"), #{ version: "v1.37.2+k3s1" });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn stage(call: NativeCallContext, host: Host, settings: Map) -> Result<bool, Box<EvalAltResult>> {
        let ServerOptions(mut settings) = options(&call, settings)?;
        settings.upgrade = true;
        block(&call, &context(&call), k3s::stage(&host, &settings))
    }

    /// Saves the datastore of a running server into a file on it, and proves that file: whole by its own sum, and opened by
    /// the server's token. Returns a map of `name`, `path`, `size` in bytes and `sha256`; empty ones in a plan.
    ///
    /// Options: `name` (what its name begins with; `k3srun`), `keep` (how many whose names begin so stay; 0, the default: all).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let saved = k3s::snapshot(ssh::connect("master"), #{ name: "before-the-change", keep: 3 });
    /// print(`${saved.path}: ${saved.size} bytes`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn snapshot(call: NativeCallContext, host: Host, settings: Map) -> Result<Map, Box<EvalAltResult>> {
        let settings: SnapshotOptions = options(&call, settings)?;
        let saved = block(&call, &context(&call), k3s::snapshot(&host, &settings))?;
        Ok(rhai::serde::to_dynamic(saved)?.cast::<Map>())
    }

    /// What k3s is and does on a host, as a map: `installed`, `version`, `running` (the version that runs, as the node tells it),
    /// `previous` (the version that an upgrade replaced and kept), `staged` (the version that waits for an upgrade), `role` (`server`, `agent` or empty), `active`,
    /// `state` (systemd's word), `enabled`, `restarts`, `node` (the name), `ready`, `labels` (a map), `taints`,
    /// `addresses`, `datastore` (`etcd`, `sqlite` or empty), `registered` (it is or was part of a cluster),
    /// `restart_needed`, `agent_token` (agents join this server with a token of their own), `leftovers` (what a cluster has left on the host).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let state = k3s::status(ssh::connect("master"));
    /// print(`${state.node}: ${if state.ready { "ready" } else { state.state }}`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn status(call: NativeCallContext, host: Host) -> Result<Map, Box<EvalAltResult>> {
        let status = block(&call, &context(&call), k3s::status(&host))?;
        let value = rhai::serde::to_dynamic(status)?;
        Ok(value.cast::<Map>())
    }

    /// The administrator's kubeconfig, as a secret.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let admin = k3s::kubeconfig(ssh::connect("master"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn kubeconfig(call: NativeCallContext, host: Host) -> Result<Secret, Box<EvalAltResult>> {
        kubeconfig_with(call, host, Map::new())
    }

    /// The administrator's kubeconfig, as a secret. Options: `server` (the API server's address; default
    /// `https://127.0.0.1:6443`), `name` (of cluster, user and context; `default`).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let admin = k3s::kubeconfig(ssh::connect("master"), #{ server: "https://203.0.113.1:6443", name: "prod" });
    /// local().write("/root/.kube/prod", admin, #{ mode: "600" });
    /// ```
    #[rhai_fn(name = "kubeconfig", return_raw)]
    pub fn kubeconfig_with(call: NativeCallContext, host: Host, settings: Map) -> Result<Secret, Box<EvalAltResult>> {
        let settings: KubeconfigOptions = options(&call, settings)?;
        block(&call, &context(&call), async {
            k3s::kubeconfig_text(&k3s::kubeconfig(&host, &settings).await?).map(Secret::new)
        })
    }

    /// Puts a server's cluster, with the administrator as its user, into the kubeconfig of the person who runs this: as
    /// cluster, user and context of one name. Everything else in the file stays, the current context too. The file is replaced
    /// at once, gets mode 0600, and what it was before is kept beside it. Returns a map of `file`, `server`, `changed`,
    /// `backup` (the copy, or `()`) and `tunnel`: the command that opens the way to the server, or `()` where none is needed.
    ///
    /// Options: `name` (needed), `server` (the API server's address, where it may be called directly; default: the near end
    /// of a tunnel), `port` (of that near end; default: what the file has for this cluster, or a free one from 16443 on),
    /// `file` (default: the first of `$KUBECONFIG`, or `~/.kube/config`), `set_current` (make it the current context;
    /// false).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let merged = k3s::merge_kubeconfig(ssh::connect("master"), #{ name: "prod" });
    /// print(`open the way with: ${merged.tunnel}`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn merge_kubeconfig(call: NativeCallContext, host: Host, settings: Map) -> Result<Map, Box<EvalAltResult>> {
        let settings: MergeOptions = options(&call, settings)?;
        block(&call, &context(&call), k3s::merge_kubeconfig(&host, &settings)).map(map)
    }

    /// The token with which agents join, as the server made it.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let token = k3s::token(ssh::connect("master"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn token(call: NativeCallContext, host: Host) -> Result<Secret, Box<EvalAltResult>> {
        block(&call, &context(&call), async { k3s::token(&host).await.map(|token| Secret::new(token.reveal())) })
    }
}
