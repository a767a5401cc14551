//! Back to an earlier revision, or away with all of it.

use std::time::Duration;

use tokio::time::Instant;

use super::process::Call;
use super::release::{self, Record, Release, Status};
use super::{Helm, Major, check_name, explain};
use crate::error::{Error, Result};
use crate::report::{Change, Event, Level};

/// How to undo.
#[derive(Debug, Clone, Copy)]
pub struct Undo {
    /// Limit for Helm with its hooks, and then for the pods.
    pub timeout: Duration,
    /// Whether one waits for the pods.
    pub wait: bool,
}

impl Helm {
    /// The revisions that are kept of a release, the newest first.
    ///
    /// # Errors
    /// Refused for what is no name, unreachable or host with what the API server said.
    pub async fn history(&self, name: &str, namespace: &str) -> Result<Vec<Release>> {
        check_name("release", name)?;
        let mut revisions = Vec::new();
        for record in release::records(&self.kube, name, namespace).await?.iter().rev() {
            revisions.extend(release::read(&self.kube, record, namespace).await?);
        }
        Ok(revisions)
    }

    /// Makes a release again what it was in an earlier revision; the last one that worked where none is named. In a plan it
    /// only says so.
    ///
    /// # Errors
    /// Refused where there is no such revision, otherwise like [`Helm::upgrade_install`].
    pub async fn rollback(&self, name: &str, namespace: &str, revision: Option<u64>, how: Undo) -> Result<Release> {
        check_name("release", name)?;
        let records = release::records(&self.kube, name, namespace).await?;
        let target = match revision {
            Some(revision) => records.iter().find(|record| record.revision == revision),
            None => records.iter().rev().skip(1).find(|record| worked(record)),
        };
        let Some(target) = target else {
            let known: Vec<String> = records.iter().map(|record| record.revision.to_string()).collect();
            let what =
                revision.map_or("an earlier one that worked".to_owned(), |revision| format!("revision {revision}"));
            return Err(Error::refused(format!("the release {name} in {namespace} has no {what}"))
                .on(self.kube.host().name())
                .help(match known.is_empty() {
                    true => "there is no such release: check the name and `namespace`".to_owned(),
                    false => format!("it has the revisions {}", known.join(", ")),
                }));
        };
        let run = self.kube.host().run_context();
        let target = target.revision;
        let release = if run.is_plan() {
            self.revision(name, namespace, target).await?
        } else {
            self.lock(name, namespace).await?;
            self.roll_back_to(name, namespace, target, how).await?
        };
        let change = Change {
            resource: format!("release:{name}"),
            summary: format!("rolled back to revision {target}"),
            diff: None,
        };
        run.report().emit(Event::Changed { host: self.kube.host().name().to_owned(), planned: run.is_plan(), change });
        Ok(release)
    }

    async fn revision(&self, name: &str, namespace: &str, revision: u64) -> Result<Release> {
        let records = release::records(&self.kube, name, namespace).await?;
        let gone =
            || Error::host(format!("revision {revision} of the release {name} is gone")).on(self.kube.host().name());
        let record = records.iter().find(|record| record.revision == revision).ok_or_else(gone)?;
        release::read(&self.kube, record, namespace).await?.ok_or_else(gone)
    }

    async fn roll_back_to(&self, name: &str, namespace: &str, revision: u64, how: Undo) -> Result<Release> {
        let deadline = Instant::now() + how.timeout;
        let title = format!("rolling back {name} to revision {revision}");
        let mut arguments = vec!["rollback".to_owned(), name.to_owned(), revision.to_string()];
        arguments.extend(
            ["--history-max", super::KEPT, "--timeout", &format!("{}s", how.timeout.as_secs().max(1))]
                .map(str::to_owned),
        );
        if self.program().await?.major == Major::Four {
            arguments.push("--wait=hookOnly".into());
        }
        let call = Call { arguments, limit: how.timeout + Duration::from_secs(30), ..Call::default() };
        let answer = self.run_on_cluster(&title, namespace, call).await?;
        if !answer.ok {
            return Err(explain::failure(&title, &answer).on(self.kube.host().name()));
        }
        let release = self.newest(&title, name, namespace).await?;
        if how.wait {
            self.wait(&release, deadline).await?;
        }
        Ok(release)
    }

    /// Removes a release with its objects and its history. Returns whether there was one. In a plan it only says so.
    ///
    /// # Errors
    /// Refused for what is no name, otherwise with Helm's own words.
    pub async fn uninstall(&self, name: &str, namespace: &str, how: Undo) -> Result<bool> {
        check_name("release", name)?;
        let run = self.kube.host().run_context();
        let host = self.kube.host().name().to_owned();
        if release::records(&self.kube, name, namespace).await?.is_empty() {
            run.report().emit(Event::Unchanged { host, count: 1 });
            return Ok(false);
        }
        if !run.is_plan() {
            self.lock(name, namespace).await?;
            self.remove(name, namespace, how).await?;
        }
        let change = Change { resource: format!("release:{name}"), summary: "removed".into(), diff: None };
        run.report().emit(Event::Changed { host, planned: run.is_plan(), change });
        Ok(true)
    }

    /// Lets Helm remove a release, and waits until its objects are gone.
    pub(super) async fn remove(&self, name: &str, namespace: &str, how: Undo) -> Result<()> {
        let title = format!("removing {name}");
        let mut arguments = vec!["uninstall".to_owned(), name.to_owned()];
        arguments.extend(["--timeout".to_owned(), format!("{}s", how.timeout.as_secs().max(1))]);
        if how.wait {
            arguments.push("--wait".into());
        }
        let call = Call { arguments, limit: how.timeout + Duration::from_secs(30), ..Call::default() };
        let answer = self.run_on_cluster(&title, namespace, call).await?;
        match answer.ok {
            true => Ok(()),
            false => Err(explain::failure(&title, &answer).on(self.kube.host().name())),
        }
    }

    /// Goes back to what worked before an attempt that failed, and says so in its error.
    pub(super) async fn take_back(
        &self,
        name: &str,
        namespace: &str,
        last: Option<&Record>,
        how: Undo,
        mut error: Error,
    ) -> Error {
        let (what, done) = match last.filter(|record| worked(record)) {
            Some(record) => {
                let what = format!("it was rolled back to revision {}", record.revision);
                (what, self.roll_back_to(name, namespace, record.revision, how).await.map(drop))
            }
            None => (
                "it was removed again: no revision of it had worked".to_owned(),
                self.remove(name, namespace, how).await,
            ),
        };
        match done {
            Ok(()) => {
                error.message = format!("{}; {what}", error.message);
                self.kube.host().note(Level::Warning, format!("the release {name} failed: {what}"));
            }
            Err(other) => error.message = format!("{}; and going back failed, too: {}", error.message, other.message),
        }
        error
    }
}

/// Whether a revision came to its end.
fn worked(record: &Record) -> bool {
    matches!(record.status, Status::Deployed | Status::Superseded)
}
