//! Makes a release as it is wanted: nothing is done where it is so already.

use std::time::Duration;

use tokio::time::Instant;

use super::chart::{Chart, ChartSource, Known};
use super::manifest::{Manifest, Workload};
use super::process::Call;
use super::release::{self, Record, Release, Status};
use super::strict;
use super::undo::Undo;
use super::values::Values;
use super::{Helm, Major, check_name, explain};
use crate::error::{Error, Kind, Result};
use crate::kube::{ApplyOptions, WaitOptions};
use crate::report::{Change, Event, Level};

/// Which of a chart's definitions (CRDs, in its folder `crds`) are applied. Helm itself never upgrades them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Crds {
    /// All.
    #[default]
    All,
    /// None.
    None,
    /// Those of these groups, e.g. `traefik.io`.
    Groups(Vec<String>),
}

/// A release as it is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it is made from.
    pub source: ChartSource,
    /// Where it is.
    pub namespace: String,
    /// What the chart is told.
    pub values: Values,
    /// Limit for Helm with its hooks, and then for all pods to be there.
    pub timeout: Duration,
    /// Whether one waits for the pods.
    pub wait: bool,
    /// Go back to the last revision that worked, where the new one doesn't.
    pub rollback_on_failure: bool,
    /// Take over fields that other programs manage.
    pub force_conflicts: bool,
    /// Which definitions are applied.
    pub crds: Crds,
    /// Refuse values that the chart doesn't know.
    pub strict: bool,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Upgraded {
    /// Whether there is a new revision, or would be in a plan.
    pub changed: bool,
    /// The objects that differ, e.g. `deployment:web`.
    pub names: Vec<String>,
    /// The release as it is now; none where it is only planned.
    pub release: Option<Release>,
}

impl Helm {
    /// Installs or upgrades a release, if its chart or its values are not as wanted, or its last change didn't come to its end. Waits
    /// until its pods are there. In a plan only the differences are told.
    ///
    /// # Errors
    /// Refused for wrong input, host with Helm's own words or with what pods lack, unreachable.
    pub async fn upgrade_install(&self, name: &str, wanted: &Wanted) -> Result<Upgraded> {
        check_name("release", name)?;
        check_name("namespace", &wanted.namespace)?;
        let run = self.kube.host().run_context().clone();
        let host = self.kube.host().name().to_owned();
        let known = self.known(&wanted.source)?;
        let records = release::records(&self.kube, name, &wanted.namespace).await?;
        let last = records.iter().rev().find(|record| !record.status.is_pending());
        let current = match last {
            Some(record) => release::read(&self.kube, record, &wanted.namespace).await?,
            None => None,
        };
        let unfinished = records.last().filter(|record| record.status != Status::Deployed);
        if let (Some(current), Some(known), None) = (&current, &known, unfinished)
            && is(current, known, &wanted.values)
        {
            if wanted.wait && !run.is_plan() {
                self.wait(current, Instant::now() + wanted.timeout).await?;
            }
            run.report().emit(Event::Unchanged { host, count: 1 });
            return Ok(Upgraded { changed: false, names: Vec::new(), release: Some(current.clone()) });
        }
        if let Some(current) = &current {
            wanted.values.secrets_in(&current.config).for_each(|secret| run.secrets().add(secret));
        }
        let chart = self.chart(&wanted.source).await?;
        if wanted.strict {
            strict::check(&chart.files, wanted.values.tree())?;
        }
        let changes = self.changes(name, wanted, &chart, current.as_ref(), unfinished).await?;
        if !run.is_plan() {
            self.lock(name, &wanted.namespace).await?;
            self.recover(name, &wanted.namespace, &records).await?;
        }
        self.apply_crds(&chart, &wanted.crds).await?;
        let mut release = None;
        if !run.is_plan() {
            match self.upgrade(name, wanted, &chart).await {
                Ok(done) => release = Some(done),
                Err(error) if wanted.rollback_on_failure => {
                    let how = Undo { timeout: wanted.timeout, wait: wanted.wait };
                    return Err(self.take_back(name, &wanted.namespace, last, how, error).await);
                }
                Err(error) => return Err(error),
            }
        }
        let names = changes.iter().map(|change| change.resource.clone()).collect();
        for change in changes {
            run.report().emit(Event::Changed { host: host.clone(), planned: run.is_plan(), change });
        }
        Ok(Upgraded { changed: true, names, release })
    }

    /// What would differ: the release itself, and its objects.
    async fn changes(
        &self,
        name: &str,
        wanted: &Wanted,
        chart: &Chart,
        current: Option<&Release>,
        unfinished: Option<&Record>,
    ) -> Result<Vec<Change>> {
        let new = self.template(name, wanted, chart, current.is_some()).await?;
        let new = Manifest::parse(&new, &wanted.namespace)?;
        let to = format!("{} {}", chart.metadata.name, chart.metadata.version);
        let (old, summary) = match current {
            None => (Manifest::default(), format!("installed: {to}")),
            Some(current) => {
                let from = format!("{} {}", current.chart.metadata.name, current.chart.metadata.version);
                let summary = match unfinished {
                    Some(record) => format!(
                        "upgraded again, because revision {} is {}: {to}",
                        record.revision,
                        record.status.name()
                    ),
                    None if from != to => format!("upgraded: {from} -> {to}"),
                    None if wanted.values.are(&current.config) => {
                        format!("upgraded: {to}, whose content is another one")
                    }
                    None => format!("upgraded: {to} with other values"),
                };
                (Manifest::parse(&current.manifest, &wanted.namespace)?, summary)
            }
        };
        let mut changes = vec![Change { resource: format!("release:{name}"), summary, diff: None }];
        changes.extend(old.changes(&new));
        Ok(changes)
    }

    /// The objects of a chart, as YAML, made by this machine.
    async fn template(&self, name: &str, wanted: &Wanted, chart: &Chart, is_upgrade: bool) -> Result<String> {
        let version = self.kube.raw("/version").await?;
        let version: serde_json::Value = serde_json::from_str(&version).unwrap_or_default();
        let mut arguments = vec!["template".to_owned(), name.to_owned(), chart.path.display().to_string()];
        arguments.extend(["--namespace", &wanted.namespace, "--no-hooks", "--values", "-"].map(str::to_owned));
        if let Some(version) = version["gitVersion"].as_str() {
            arguments.extend(["--kube-version".to_owned(), version.to_owned()]);
        }
        let own = chart.files.crds()?.into_iter().flat_map(|definition| kinds_of(&definition));
        for version in self.kube.api_versions().await?.into_iter().chain(own) {
            arguments.extend(["--api-versions".to_owned(), version]);
        }
        if is_upgrade {
            arguments.push("--is-upgrade".into());
        }
        let title = format!("rendering {name}");
        let call = Call { arguments, input: wanted.values.text(), limit: Duration::from_secs(120), ..Call::default() };
        let mut answer = self.run(&title, call).await?;
        if !answer.ok {
            self.kube.host().run_context().secrets().mask(&mut answer.stderr);
            let mut error = explain::failure(&title, &answer);
            error.kind = Kind::Refused;
            return Err(error);
        }
        Ok(answer.stdout)
    }

    /// Applies the definitions that Helm doesn't upgrade.
    async fn apply_crds(&self, chart: &Chart, which: &Crds) -> Result<()> {
        let mut definitions = match which {
            Crds::None => return Ok(()),
            Crds::All | Crds::Groups(_) => chart.files.crds()?,
        };
        if let Crds::Groups(groups) = which {
            definitions.retain(|definition| groups.iter().any(|group| definition["spec"]["group"] == group.as_str()));
            if definitions.is_empty() {
                let message = format!("the chart {} has no definitions of {}", chart.metadata.name, groups.join(", "));
                return Err(Error::refused(message).help("`crds` names API groups, e.g. [\"traefik.io\"]"));
            }
        }
        if definitions.is_empty() {
            return Ok(());
        }
        let names: Vec<String> =
            definitions.iter().filter_map(|it| it["metadata"]["name"].as_str().map(str::to_owned)).collect();
        self.kube.apply(definitions, &ApplyOptions { force: true, ..ApplyOptions::default() }).await?;
        if !self.kube.host().run_context().is_plan() {
            for name in names {
                let options = WaitOptions { timeout: Some(60.into()), ..WaitOptions::default() };
                self.kube.wait("customresourcedefinitions", &name, &options).await?;
            }
        }
        Ok(())
    }

    /// Takes a release out of the state in which a Helm that was killed has left it. Its objects stay: the next revision
    /// adopts them.
    async fn recover(&self, name: &str, namespace: &str, records: &[Record]) -> Result<()> {
        for record in records.iter().rev().take_while(|record| record.status.is_pending()) {
            let text = format!(
                "the release {name} was left as {} in revision {} by a Helm that didn't come to its end: taken back",
                record.status.name(),
                record.revision
            );
            self.kube.host().note(Level::Info, text);
            self.kube.delete("secrets", &record.secret, Some(namespace)).await?;
        }
        Ok(())
    }

    /// Lets Helm do it, and waits for the pods.
    async fn upgrade(&self, name: &str, wanted: &Wanted, chart: &Chart) -> Result<Release> {
        let deadline = Instant::now() + wanted.timeout;
        let seconds = wanted.timeout.as_secs().max(1);
        let mut arguments = vec!["upgrade".to_owned(), name.to_owned(), chart.path.display().to_string()];
        arguments.extend(
            ["--install", "--create-namespace", "--reset-values", "--skip-crds", "--values", "-"].map(str::to_owned),
        );
        arguments.extend(["--history-max", super::KEPT, "--timeout", &format!("{seconds}s")].map(str::to_owned));
        arguments.extend(["--description".into(), description(&chart.identity)]);
        if self.program().await?.major == Major::Four {
            // Hooks only: Helm's own waiting misses pods that may be away during an update, and those that match no node.
            arguments.push("--wait=hookOnly".into());
            if wanted.force_conflicts {
                arguments.extend(["--server-side=true".into(), "--force-conflicts".into()]);
            }
        }
        let limit = wanted.timeout + Duration::from_secs(30);
        let call = Call { arguments, input: wanted.values.text(), limit, ..Call::default() };
        let title = format!("installing {name}");
        let answer = self.run_on_cluster(&title, &wanted.namespace, call).await?;
        if !answer.ok {
            return Err(explain::failure(&title, &answer).on(self.kube.host().name()));
        }
        let release = self.newest(&title, name, &wanted.namespace).await?;
        if wanted.wait {
            self.wait(&release, deadline).await?;
        }
        Ok(release)
    }

    /// Waits until all pods of a release are there, with their diagnosis where they don't come.
    pub(super) async fn wait(&self, release: &Release, deadline: Instant) -> Result<()> {
        let manifest = Manifest::parse(&release.manifest, &release.namespace)?;
        for Workload { kind, namespace, name } in manifest.workloads() {
            let left = deadline.saturating_duration_since(Instant::now()).as_secs().max(1);
            let options =
                WaitOptions { namespace: Some(namespace), timeout: Some(left.into()), ..WaitOptions::default() };
            let object = self.kube.wait(&kind, &name, &options).await?.unwrap_or_default();
            if kind == "DaemonSet" && object["status"]["desiredNumberScheduled"].as_u64() == Some(0) {
                let selector = &object["spec"]["template"]["spec"]["nodeSelector"];
                return Err(Error::host(format!("daemonset:{name} matches no node: it has no pods"))
                    .on(self.kube.host().name())
                    .help(format!("its node selector is {selector}; `kubectl get nodes --show-labels` shows what nodes have, their taints count, too")));
            }
        }
        Ok(())
    }
}

/// What Helm keeps beside a revision: whoever looks sees which chart it was, and so do we.
fn description(identity: &str) -> String {
    format!("by k3srun, chart sha256:{identity}")
}

/// Whether a release was made from this chart with these values.
fn is(release: &Release, chart: &Known, values: &Values) -> bool {
    let Known { name, version, identity } = chart;
    let made_from = &release.chart.metadata;
    let same_version = version
        .as_ref()
        .is_none_or(|version| version.trim_start_matches('v') == made_from.version.trim_start_matches('v'));
    let same_content = identity.as_ref().is_none_or(|identity| release.info.description == description(identity));
    *name == made_from.name && same_version && same_content && values.are(&release.config)
}

/// The versions and kinds that a definition adds to the cluster's.
fn kinds_of(definition: &serde_json::Value) -> Vec<String> {
    let (group, kind) = (&definition["spec"]["group"], &definition["spec"]["names"]["kind"]);
    let (Some(group), Some(kind)) = (group.as_str(), kind.as_str()) else { return Vec::new() };
    let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
    let names = versions.filter_map(|version| version["name"].as_str());
    names.flat_map(|version| [format!("{group}/{version}"), format!("{group}/{version}/{kind}")]).collect()
}
