//! Follows an order until the certificate is there, or can't come.

use std::time::Duration;

use futures_util::future::select_all;
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::chain::Chain;
use super::diagnosis::diagnose;
use super::status::Status;
use super::{CERTIFICATE, CHALLENGE, ORDER, Outlook, Problem, REQUEST};
use crate::error::{Error, Result};
use crate::kube::{GetOptions, Kube, LogOptions, Sight, Watch, WatchOptions as Watched};
use crate::report::Level;

/// How long to wait for a certificate.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WaitOptions {
    /// The certificate's namespace; `default`.
    pub namespace: Option<String>,
    /// Limit in seconds; 600.
    pub timeout: Option<serde_json::Number>,
    /// How long the same problem may last, in seconds, while cert-manager still tries; 60.
    pub patience: Option<serde_json::Number>,
}

/// An option of so many seconds.
pub(super) fn limit(given: Option<&serde_json::Number>, default: u32) -> Result<Duration> {
    let seconds = given.map_or(Some(f64::from(default)), serde_json::Number::as_f64).unwrap_or(-1.0);
    crate::seconds::seconds(seconds)
        .ok_or_else(|| Error::refused("the options `timeout` and `patience` must be numbers of seconds, up to a year"))
}

/// Waits until a certificate is issued. In a plan it only looks.
///
/// It ends early where waiting is of no use: at once when cert-manager has given up, and after `patience` where the same
/// problem lasts.
///
/// # Errors
/// Host with the cause, the remedy, and the chain of objects; refused where there is no such certificate.
pub async fn wait(kube: &Kube, name: &str, options: &WaitOptions) -> Result<Status> {
    let whole = limit(options.timeout.as_ref(), 600)?;
    let patience = limit(options.patience.as_ref(), 60)?;
    let namespace = options.namespace.as_deref().unwrap_or("default");
    if kube.host().run_context().is_plan() {
        return super::status(kube, name, namespace).await;
    }
    let mut way = Way { step: String::new(), problem: None };
    let mut watches = Vec::new();
    for kind in [CERTIFICATE, REQUEST, ORDER, CHALLENGE] {
        let here = Watched { namespace: Some(namespace.into()), ..Watched::default() };
        watches.push(kube.watch(kind, &here).await?);
    }
    let end = Instant::now() + whole;
    let done = loop {
        let chain = Chain::read(kube, namespace, name).await?;
        let status = Status::of(&chain);
        if status.ready {
            kube.host().note(Level::Detail, format!("certificate {namespace}/{name}: issued"));
            break Ok(status);
        }
        way.go_on(kube, &status, diagnose(&chain));
        if let Some((problem, time_up)) = way.hopeless(patience, Instant::now() >= end) {
            break Err(explain(kube, &status, problem, time_up.then_some(whole)).await);
        }
        // Pods and the issuer change, too; and patience ends by itself.
        if let Ok(change) = timeout(Duration::from_secs(2), next(&mut watches)).await {
            change?;
            // What follows from one another comes together.
            while let Ok(change) = timeout(Duration::from_millis(100), next(&mut watches)).await {
                change?;
            }
        }
    };
    kube.host().activity("");
    done
}

/// What happens next, wherever.
async fn next(watches: &mut [Watch]) -> Result<Sight> {
    select_all(watches.iter_mut().map(|watch| Box::pin(watch.next()))).await.0
}

/// What was seen so far.
struct Way {
    step: String,
    problem: Option<(Problem, Instant)>,
}

impl Way {
    fn go_on(&mut self, kube: &Kube, status: &Status, problem: Option<Problem>) {
        let progress = format!("certificate {}/{}: {}", status.namespace, status.name, status.step);
        if self.step != status.step {
            kube.host().note(Level::Detail, progress.clone());
            self.step.clone_from(&status.step);
        }
        kube.host().activity(match &problem {
            Some(problem) => format!("{progress} ({})", problem.cause),
            None => progress,
        });
        self.problem = match (self.problem.take(), problem) {
            (Some((old, since)), Some(new)) if old.remedy == new.remedy => Some((new, since)),
            (_, new) => new.map(|new| (new, Instant::now())),
        };
    }

    /// The problem to end with, and whether only because the time is up.
    fn hopeless(&self, patience: Duration, time_up: bool) -> Option<(Option<&Problem>, bool)> {
        match &self.problem {
            Some((problem, _)) if problem.outlook == Outlook::Final => Some((Some(problem), false)),
            Some((problem, since)) if problem.outlook == Outlook::Lasting && since.elapsed() >= patience => {
                Some((Some(problem), false))
            }
            problem if time_up => Some((problem.as_ref().map(|(problem, _)| problem), true)),
            _ => None,
        }
    }
}

async fn explain(kube: &Kube, status: &Status, problem: Option<&Problem>, after: Option<Duration>) -> Error {
    let after = after.map(|after| format!(" after {} s", after.as_secs())).unwrap_or_default();
    let cause = problem.map_or_else(|| status.step.clone(), |problem| problem.cause.clone());
    let remedy = problem.map_or_else(
        || "the option `timeout` gives more time; `cert::status` shows how far it is".to_owned(),
        |problem| problem.remedy.clone(),
    );
    let mut said = status.way();
    // Where the objects are silent, the controller may not be.
    if problem.is_none_or(|problem| problem.remedy.contains("logs")) {
        for line in log(kube, &status.name).await {
            said.push_str("\nlog: ");
            said.push_str(&line);
        }
    }
    Error::host(format!("the certificate {}/{} does not come{after}: {cause}", status.namespace, status.name))
        .on(kube.host().name())
        .help(remedy)
        .output(said)
}

/// The last errors of the controller about a certificate. A controller that can't be asked has said nothing.
async fn log(kube: &Kube, name: &str) -> Vec<String> {
    let pods = GetOptions {
        selector: Some("app.kubernetes.io/name=cert-manager,app.kubernetes.io/component=controller".into()),
        ..GetOptions::default()
    };
    let mut lines = Vec::new();
    for pod in kube.list("pods", &pods).await.unwrap_or_default() {
        let word = |path: &str| super::chain::text(&pod, path).to_owned();
        let options =
            LogOptions { namespace: Some(word("/metadata/namespace")), tail: Some(200), ..LogOptions::default() };
        let text = kube.logs(&word("/metadata/name"), &options).await.unwrap_or_default();
        let about = text.lines().filter(|line| line.starts_with('E') && line.contains(name));
        lines.extend(about.map(super::reason::shortened));
    }
    lines.split_off(lines.len().saturating_sub(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_must_last_before_waiting_ends() {
        let problem = |outlook| Problem { cause: "c".into(), remedy: "r".into(), outlook };
        let way = |outlook, age| Way {
            step: String::new(),
            problem: Some((problem(outlook), Instant::now() - Duration::from_secs(age))),
        };
        let patience = Duration::from_secs(60);
        assert!(way(Outlook::Final, 0).hopeless(patience, false).is_some());
        assert!(way(Outlook::Lasting, 1).hopeless(patience, false).is_none());
        assert!(way(Outlook::Lasting, 61).hopeless(patience, false).is_some());
        assert!(way(Outlook::Passing, 61).hopeless(patience, false).is_none());
        assert!(way(Outlook::Passing, 61).hopeless(patience, true).unwrap().1);
    }
}
