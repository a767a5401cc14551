//! `helm::`: releases of charts.

use std::path::PathBuf;

use rhai::plugin::*;
use rhai::{Dynamic, Map};
use serde::Deserialize;

use crate::helm::{ChartSource, ClientOptions, Crds, Release, Undo, Upgraded, Values, Wanted};
use crate::script::{OptionSet, Options, Revealed, Seconds};

impl Options for ClientOptions {
    const FUNCTIONS: &[&str] = &["helm::client"];
}

/// Options of `helm::upgrade_install`.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct UpgradeInstall {
    chart: String,
    repo: Option<String>,
    bundle: Option<PathBuf>,
    version: Option<String>,
    digest: Option<String>,
    namespace: String,
    values: Revealed,
    timeout: Seconds,
    wait: bool,
    rollback_on_failure: bool,
    force_conflicts: bool,
    crds: Definitions,
    strict: bool,
}

/// Definitions as a script names them: all or none, or groups.
#[derive(Deserialize)]
#[serde(untagged)]
enum Definitions {
    All(bool),
    Groups(Vec<String>),
}

impl Default for UpgradeInstall {
    fn default() -> Self {
        UpgradeInstall {
            chart: String::new(),
            repo: None,
            bundle: None,
            version: None,
            digest: None,
            namespace: "default".into(),
            values: Revealed::default(),
            timeout: Seconds(std::time::Duration::from_secs(300)),
            wait: true,
            rollback_on_failure: false,
            force_conflicts: false,
            crds: Definitions::All(true),
            strict: false,
        }
    }
}

impl Options for UpgradeInstall {
    const FUNCTIONS: &[&str] = &["helm::upgrade_install"];
}

impl From<UpgradeInstall> for Wanted {
    fn from(given: UpgradeInstall) -> Self {
        let UpgradeInstall { chart, repo, bundle, version, digest, .. } = given;
        Wanted {
            source: ChartSource { chart, repo, bundle, version, digest },
            namespace: given.namespace,
            values: Values::new(given.values.value, given.values.secrets),
            timeout: given.timeout.0,
            wait: given.wait,
            rollback_on_failure: given.rollback_on_failure,
            force_conflicts: given.force_conflicts,
            strict: given.strict,
            crds: match given.crds {
                Definitions::All(true) => Crds::All,
                Definitions::All(false) => Crds::None,
                Definitions::Groups(groups) => Crds::Groups(groups),
            },
        }
    }
}

/// Options of what only looks.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Where {
    namespace: Option<String>,
}

impl Options for Where {
    const FUNCTIONS: &[&str] = &["helm::history", "helm::list", "helm::status", "helm::values"];
}

/// Options of `helm::rollback`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Rollback {
    namespace: Option<String>,
    revision: Option<u64>,
    timeout: Option<Seconds>,
    wait: Option<bool>,
}

impl Options for Rollback {
    const FUNCTIONS: &[&str] = &["helm::rollback"];
}

/// Options of `helm::uninstall`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Uninstall {
    namespace: Option<String>,
    timeout: Option<Seconds>,
    wait: Option<bool>,
}

impl Options for Uninstall {
    const FUNCTIONS: &[&str] = &["helm::uninstall"];
}

fn undo(timeout: Option<Seconds>, wait: Option<bool>) -> Undo {
    let timeout = timeout.map_or(std::time::Duration::from_secs(300), |seconds| seconds.0);
    Undo { timeout, wait: wait.unwrap_or(true) }
}

/// The option maps of this namespace.
pub(super) fn options() -> Vec<OptionSet> {
    vec![
        OptionSet::of::<ClientOptions>(),
        OptionSet::of::<UpgradeInstall>(),
        OptionSet::of::<Where>(),
        OptionSet::of::<Rollback>(),
        OptionSet::of::<Uninstall>(),
    ]
}

/// A release as scripts see it: without values and objects, which may hold secrets.
fn summary(release: &Release) -> Map {
    let text = |text: &str| Dynamic::from(text.to_owned());
    Map::from([
        ("name".into(), text(&release.name)),
        ("namespace".into(), text(&release.namespace)),
        ("revision".into(), i64::try_from(release.revision).unwrap_or(i64::MAX).into()),
        ("status".into(), text(&release.info.status.name())),
        ("chart".into(), text(&release.chart.metadata.name)),
        ("version".into(), text(&release.chart.metadata.version)),
        ("app_version".into(), text(&release.chart.metadata.app_version)),
        ("description".into(), text(&release.info.description)),
        ("updated".into(), text(&release.info.last_deployed)),
    ])
}

fn outcome(done: Upgraded) -> Map {
    let mut map = done.release.as_ref().map(summary).unwrap_or_default();
    map.insert("changed".into(), done.changed.into());
    let names: rhai::Array = done.names.into_iter().map(Dynamic::from).collect();
    map.insert("names".into(), names.into());
    map
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::EvalAltResult;

    use super::{Rollback, Uninstall, UpgradeInstall, Where, outcome, summary, undo};
    use crate::helm::{self, ClientOptions, Helm};
    use crate::kube::Kube;
    use crate::script::{block, context, fail, options};

    /// Helm for a cluster: the `helm` on the PATH, version 3 or 4.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let releases = helm::list(helm::client(kube::connect(ssh::connect("master"))));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn client(call: NativeCallContext, kube: Kube) -> Result<Helm, Box<EvalAltResult>> {
        client_with(call, kube, Map::new())
    }

    /// Helm for a cluster. The CLI is run with homes and a kubeconfig of its own: the user's settings, plugins and clusters
    /// are neither used nor changed. Which CLI it is shows when it is first needed: what only looks needs none.
    ///
    /// Options: `binary` (the executable; default: `helm` on the PATH, version 3 or 4), `version` (the release to fetch
    /// where there is none, e.g. `v4.3.1`), `sha256` (a map of that release's archives by platform, like `linux-amd64`;
    /// where one is missing, the list beside the archive counts), `mirror` (`https://get.helm.sh`). `charts::helm(c)` of the standard library has them.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let h = helm::client(kube::connect(ssh::connect("master")), #{ binary: "/opt/helm" });
    /// ```
    #[rhai_fn(name = "client", return_raw)]
    pub fn client_with(call: NativeCallContext, kube: Kube, settings: Map) -> Result<Helm, Box<EvalAltResult>> {
        let settings: ClientOptions = options(&call, settings)?;
        helm::client(&kube, settings).map_err(|error| fail(&call, error))
    }

    /// The versions of a chart that a repository offers, previews too, in the order of its index: an array of maps of `version` and `digest`
    /// (sha256 of the archive; `()` where the index doesn't tell it).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let newest = helm::published("https://traefik.github.io/charts", "traefik")[0].version;
    /// ```
    #[rhai_fn(return_raw)]
    pub fn published(call: NativeCallContext, repo: &str, chart: &str) -> Result<rhai::Array, Box<EvalAltResult>> {
        let context = context(&call);
        let found = block(&call, &context, helm::published(&context.run, repo, chart))?;
        let entry = |one: helm::Published| {
            let digest = one.digest.map_or(Dynamic::UNIT, Dynamic::from);
            Map::from([("version".into(), one.version.into()), ("digest".into(), digest)]).into()
        };
        Ok(found.into_iter().map(entry).collect())
    }

    /// Installs or upgrades a release, where its chart or its values differ from what is wanted or its last change didn't
    /// come to its end; what differs is shown object by object, with `--plan` only that. Else it does nothing, and needs
    /// neither Helm nor the chart for it. Waits until all pods are there; where they don't come, the error says why. A release that a killed run
    /// has left half done is taken up again.
    ///
    /// Options: `chart` (needed: the name of one in `repo` or `bundle`, a folder, an archive, an https address or `oci://..`), `repo` (the
    /// address of the repository), `bundle` (a folder with archives NAME-VERSION.tgz on this machine), `version` (exact), `digest` (sha256 of the
    /// archive; for `oci://` that of the manifest), `namespace` (`default`; made where it is missing), `values` (a map, secrets may be in it),
    /// `timeout` in seconds (300), `wait` (true), `rollback_on_failure` (false), `force_conflicts` (take over fields that other programs manage; false),
    /// `crds` (true: apply the chart's definitions, which Helm itself never upgrades; false; or an array of API groups), `strict` (refuse values that the chart doesn't know, for charts without a schema of their own; false).
    ///
    /// Returns a map of `changed`, `names` (the objects that differ) and, where it isn't only planned, what `helm::status` tells.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let h = helm::client(kube::connect(ssh::connect("master")));
    /// helm::upgrade_install(h, "traefik", #{
    ///     repo: "https://traefik.github.io/charts", chart: "traefik", version: "41.3.0", namespace: "ingress",
    ///     values: #{ deployment: #{ kind: "DaemonSet" } },
    /// });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn upgrade_install(
        call: NativeCallContext,
        helm: Helm,
        release: &str,
        settings: Map,
    ) -> Result<Map, Box<EvalAltResult>> {
        let settings: UpgradeInstall = options(&call, settings)?;
        let wanted = settings.into();
        block(&call, &context(&call), helm.upgrade_install(release, &wanted)).map(outcome)
    }

    /// All releases, as an array of maps like that of `helm::status`.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let h = helm::client(kube::connect(ssh::connect("master")));
    /// for release in helm::list(h) { print(`${release.name} ${release.version} ${release.status}`) }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn list(call: NativeCallContext, helm: Helm) -> Result<rhai::Array, Box<EvalAltResult>> {
        list_with(call, helm, Map::new())
    }

    /// All releases. Options: `namespace` (default: all).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let h = helm::client(kube::connect(ssh::connect("master")));
    /// let releases = helm::list(h, #{ namespace: "ingress" });
    /// ```
    #[rhai_fn(name = "list", return_raw)]
    pub fn list_with(call: NativeCallContext, helm: Helm, settings: Map) -> Result<rhai::Array, Box<EvalAltResult>> {
        let settings: Where = options(&call, settings)?;
        let found = block(&call, &context(&call), helm.list(settings.namespace.as_deref()))?;
        Ok(found.iter().map(|release| summary(release).into()).collect())
    }

    /// The newest revision of a release in the namespace `default`.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let web = helm::status(helm::client(kube::connect(ssh::connect("master"))), "web");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn status(call: NativeCallContext, helm: Helm, release: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        status_with(call, helm, release, Map::new())
    }

    /// The newest revision of a release, as a map of `name`, `namespace`, `revision` (a number), `status` (`deployed`, `failed`,
    /// `pending-upgrade`, ..), `chart`, `version`, `app_version`, `description`, `updated` (RFC 3339); `()` where there is no such release.
    /// Options: `namespace` (`default`).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let h = helm::client(kube::connect(ssh::connect("master")));
    /// if helm::status(h, "traefik", #{ namespace: "ingress" }) == () { print("not installed") }
    /// ```
    #[rhai_fn(name = "status", return_raw)]
    pub fn status_with(
        call: NativeCallContext,
        helm: Helm,
        release: &str,
        settings: Map,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let settings: Where = options(&call, settings)?;
        let namespace = settings.namespace.as_deref().unwrap_or("default");
        let found = block(&call, &context(&call), helm.status(release, namespace))?;
        Ok(found.as_ref().map_or(Dynamic::UNIT, |release| summary(release).into()))
    }

    /// The values that a release was given, as a map; `()` where there is no such release. Secrets are in it as they are. Options: `namespace` (`default`).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let h = helm::client(kube::connect(ssh::connect("master")));
    /// let kind = helm::values(h, "traefik", #{ namespace: "ingress" }).deployment.kind;
    /// ```
    #[rhai_fn(return_raw)]
    pub fn values(
        call: NativeCallContext,
        helm: Helm,
        release: &str,
        settings: Map,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let settings: Where = options(&call, settings)?;
        let namespace = settings.namespace.as_deref().unwrap_or("default");
        match block(&call, &context(&call), helm.status(release, namespace))? {
            Some(release) if release.config.is_null() => Ok(Map::new().into()),
            Some(release) => rhai::serde::to_dynamic(release.config),
            None => Ok(Dynamic::UNIT),
        }
    }

    /// The revisions that are kept of a release, the newest first, as maps like that of `helm::status`. Options: `namespace` (`default`).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let h = helm::client(kube::connect(ssh::connect("master")));
    /// for one in helm::history(h, "traefik", #{ namespace: "ingress" }) { print(`${one.revision} ${one.status}`) }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn history(
        call: NativeCallContext,
        helm: Helm,
        release: &str,
        settings: Map,
    ) -> Result<rhai::Array, Box<EvalAltResult>> {
        let settings: Where = options(&call, settings)?;
        let namespace = settings.namespace.as_deref().unwrap_or("default");
        let found = block(&call, &context(&call), helm.history(release, namespace))?;
        Ok(found.iter().map(|release| summary(release).into()).collect())
    }

    /// Makes a release again what it was in an earlier revision, and waits for its pods. Options: `namespace` (`default`), `revision` (default: the last
    /// one that worked before the present one), `timeout` in seconds (300), `wait` (true). Returns what `helm::status` tells.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let h = helm::client(kube::connect(ssh::connect("master")));
    /// helm::rollback(h, "traefik", #{ namespace: "ingress", revision: 2 });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn rollback(
        call: NativeCallContext,
        helm: Helm,
        release: &str,
        settings: Map,
    ) -> Result<Map, Box<EvalAltResult>> {
        let Rollback { namespace, revision, timeout, wait } = options(&call, settings)?;
        let (namespace, how) = (namespace.as_deref().unwrap_or("default"), undo(timeout, wait));
        block(&call, &context(&call), helm.rollback(release, namespace, revision, how)).map(|release| summary(&release))
    }

    /// Removes a release with its objects and its history, and waits until they are gone. Definitions (CRDs) of the chart's folder `crds` stay.
    /// Returns whether there was such a release. Options: `namespace` (`default`), `timeout` in seconds (300), `wait` (true).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let h = helm::client(kube::connect(ssh::connect("master")));
    /// helm::uninstall(h, "old", #{ namespace: "apps" });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn uninstall(
        call: NativeCallContext,
        helm: Helm,
        release: &str,
        settings: Map,
    ) -> Result<bool, Box<EvalAltResult>> {
        let Uninstall { namespace, timeout, wait } = options(&call, settings)?;
        let (namespace, how) = (namespace.as_deref().unwrap_or("default"), undo(timeout, wait));
        block(&call, &context(&call), helm.uninstall(release, namespace, how))
    }

    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn to_string(helm: &mut Helm) -> String {
        format!("Helm for the cluster of {}", helm.kube().host().name())
    }
}
