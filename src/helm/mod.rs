//! Releases of Helm charts, by the real Helm CLI: looked at through the cluster's API, changed only where something differs.

mod archive;
mod binary;
mod chart;
mod download;
mod explain;
mod manifest;
mod open;
mod process;
mod published;
mod release;
mod strict;
mod undo;
mod upgrade;
mod values;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::error::{Error, Result};
use crate::kube::{GetOptions, Kube};

pub use binary::{ClientOptions, Major};
pub use chart::ChartSource;
pub use published::{Published, published};
pub use release::{Info, Release, Status};
pub use undo::Undo;
pub use upgrade::{Crds, Upgraded, Wanted};
pub use values::Values;

use binary::Program;
use process::{Answer, Call};

/// How many revisions Helm keeps: each may take half a megabyte in the cluster's store.
const KEPT: &str = "3";

/// Helm for one cluster. Cloning is cheap.
#[derive(Clone)]
pub struct Helm {
    kube: Kube,
    options: Arc<ClientOptions>,
    home: Arc<PathBuf>,
    program: Arc<OnceCell<Program>>,
}

/// Helm for a cluster. Which CLI it is, and that it works, is found out when it is first needed: what only looks needs none.
///
/// # Errors
/// Refused when the named executable can't be one.
pub fn client(kube: &Kube, options: ClientOptions) -> Result<Helm> {
    binary::check(&options)?;
    let home = match (std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
        (Some(cache), _) if !cache.is_empty() => PathBuf::from(cache),
        (_, Some(home)) => PathBuf::from(home).join(".cache"),
        _ => return Err(Error::refused("neither XDG_CACHE_HOME nor HOME is set: there is no place for charts")),
    };
    let home = Arc::new(home.join("k3srun").join("helm"));
    Ok(Helm { kube: kube.clone(), options: Arc::new(options), home, program: Arc::default() })
}

/// A name that Helm takes for a release, or a namespace.
fn check_name(what: &str, name: &str) -> Result<()> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 53 || !name.chars().all(good) || name.starts_with('-') || name.ends_with('-') {
        return Err(Error::refused(format!("{name:?} is not a valid {what} name"))
            .help("at most 53 small letters, digits and dashes, with a letter or digit at both ends"));
    }
    Ok(())
}

impl Helm {
    /// The cluster.
    pub fn kube(&self) -> &Kube {
        &self.kube
    }

    fn home(&self) -> &Path {
        &self.home
    }

    async fn program(&self) -> Result<&Program> {
        let run = self.kube.host().run_context();
        self.program.get_or_try_init(|| binary::find(run, &self.options, &self.home)).await
    }

    /// Runs Helm. `title` says what it does.
    async fn run(&self, title: &str, call: Call) -> Result<Answer> {
        let program = self.program().await?;
        let host = self.kube.host();
        host.activity(title);
        let answer = process::run(host.run_context(), &program.path, &self.home, call).await;
        host.activity("");
        answer
    }

    /// Runs Helm on this cluster.
    async fn run_on_cluster(&self, title: &str, namespace: &str, mut call: Call) -> Result<Answer> {
        let kubeconfig = self.kube.kubeconfig();
        let unusable = |why: String| Error::host(format!("the kubeconfig can't be written: {why}"));
        let context = kubeconfig.current_context.clone().ok_or_else(|| unusable("it has no context".into()))?;
        call.kubeconfig = serde_yaml_ng::to_string(kubeconfig).map_err(|error| unusable(error.to_string()))?;
        call.arguments.extend(["--kube-context".into(), context, "--namespace".into(), namespace.to_owned()]);
        let mut answer = self.run(title, call).await?;
        self.kube.host().run_context().secrets().mask(&mut answer.stderr);
        Ok(answer)
    }

    /// The newest revision of every release, in all namespaces or in one.
    ///
    /// # Errors
    /// Unreachable or host with what the API server said.
    pub async fn list(&self, namespace: Option<&str>) -> Result<Vec<Release>> {
        let selector = format!("{},status!=superseded", release::selector(None));
        let options =
            GetOptions { namespace: namespace.map(str::to_owned), selector: Some(selector), ..GetOptions::default() };
        let mut newest: Vec<Release> = Vec::new();
        for secret in self.kube.list("secrets", &options).await? {
            let release = release::decode(&self.kube, &secret)?;
            match newest.iter_mut().find(|it| (&it.namespace, &it.name) == (&release.namespace, &release.name)) {
                Some(known) if known.revision < release.revision => *known = release,
                Some(_) => {}
                None => newest.push(release),
            }
        }
        newest.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
        Ok(newest)
    }

    /// The newest revision of a release; none where there is no such release.
    ///
    /// # Errors
    /// Refused for what is no name, otherwise like [`Helm::list`].
    pub async fn status(&self, name: &str, namespace: &str) -> Result<Option<Release>> {
        check_name("release", name)?;
        let records = release::records(&self.kube, name, namespace).await?;
        match records.last() {
            Some(record) => release::read(&self.kube, record, namespace).await,
            None => Ok(None),
        }
    }

    /// The revision that Helm has just made.
    async fn newest(&self, title: &str, name: &str, namespace: &str) -> Result<Release> {
        let missing = || Error::host(format!("{title}: Helm is content, but there is no such release"));
        self.status(name, namespace).await?.ok_or_else(|| missing().on(self.kube.host().name()))
    }

    /// Nobody else changes this release as long as the run lasts.
    async fn lock(&self, name: &str, namespace: &str) -> Result<()> {
        self.kube.host().lock(&format!("helm-{namespace}-{name}"), "a change of a Helm release").await
    }
}
