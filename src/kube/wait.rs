//! Waits for objects by watching them, tells how far they are, and why where they don't get there.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout};

use super::Kube;
use super::resources::Resource;
use super::state::{self, State};
use super::watch::Sight;
use crate::error::{Error, Reason, Result};

/// How often the pods behind an object are looked at while one waits.
const LOOK: Duration = Duration::from_secs(5);

/// What to wait for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WaitOptions {
    /// The object's namespace; `default`.
    pub namespace: Option<String>,
    /// A condition (`Ready`, `Available`, ..), a phase of a pod (`Running`, `Succeeded`), `exists` or `gone`. Default: what
    /// fits the kind: rolled out, ready, completed. A deployment, statefulset or daemonset is ready, available and rolled out
    /// when all pods that it wants are of its present generation and available.
    pub until: Option<String>,
    /// Limit in seconds; 300.
    pub timeout: Option<serde_json::Number>,
}

/// A limit that a script gives in seconds.
pub(super) fn seconds(number: Option<&serde_json::Number>, default: f64) -> Result<Duration> {
    let seconds = number.map_or(Some(default), serde_json::Number::as_f64).unwrap_or(-1.0);
    crate::seconds::seconds(seconds)
        .ok_or_else(|| Error::refused("the option `timeout` must be a number of seconds, up to a year"))
}

impl WaitOptions {
    /// Until there is no such object any more.
    pub fn gone(seconds: u32) -> Self {
        WaitOptions { until: Some("gone".into()), timeout: Some(seconds.into()), namespace: None }
    }

    fn state(&self, object: Option<&Value>) -> State {
        match (self.until.as_deref(), object) {
            (Some("gone"), None) => State::Done,
            (Some("gone"), Some(_)) => State::Waiting("it is still there".into()),
            (_, None) => State::Waiting("there is no such object yet".into()),
            (Some("exists"), Some(_)) => State::Done,
            (until, Some(object)) => state::of(object, until),
        }
    }
}

impl Kube {
    /// Waits until an object is as wanted, and returns it; nothing where one waits for it to be gone.
    ///
    /// # Errors
    /// Host when it fails for good, or, with [`Reason::Timeout`], when the time is up: with what it lacks, and in the output
    /// what [`Kube::diagnosis`] finds.
    pub async fn wait(&self, kind: &str, name: &str, options: &WaitOptions) -> Result<Option<Value>> {
        let limit = seconds(options.timeout.as_ref(), 300.0)?;
        let resource = self.resource(kind).await?;
        let mut last = String::new();
        let done = timeout(limit, self.until(&resource, name, options, &mut last)).await;
        self.host().activity("");
        let id = resource.id(name);
        let error = match done {
            Ok(Ok(Ok(object))) => return Ok(object),
            Ok(Ok(Err(why))) => Error::host(format!("{id} has failed: {why}")),
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                let message = format!("{id} is not as wanted after {} s: {last}", limit.as_secs_f32());
                Error::host(message).because(Reason::Timeout)
            }
        };
        let found = self.diagnose(&resource, name, options.namespace.as_deref()).await;
        Err(error.on(self.host().name()).output(found).help(format!(
            "`k3s kubectl describe {kind} {name}` on the server tells more; the option `timeout` gives more time"
        )))
    }

    /// Ends with the object when it is as wanted, or with the reason why it never will be.
    async fn until(
        &self,
        resource: &Resource,
        name: &str,
        options: &WaitOptions,
        last: &mut String,
    ) -> Result<Result<Option<Value>, String>> {
        let namespace = options.namespace.as_deref();
        let id = resource.id(name);
        let mut watch = self.watch_one(resource, name, namespace);
        let mut object = None;
        let mut look = Instant::now() + LOOK;
        self.host().activity(format!("waiting for {id}"));
        loop {
            tokio::select! {
                sight = watch.next() => match sight? {
                    Sight::Added(new) | Sight::Modified(new) => object = Some(new),
                    Sight::Deleted(_) => object = None,
                    Sight::Complete => {}
                },
                () = sleep_until(look) => {
                    look = Instant::now() + LOOK;
                    if let Some(object) = &object
                        && let Some(trouble) = self.pods_trouble(object).await
                    {
                        self.host().activity(format!("waiting for {id}: {trouble}"));
                    }
                    continue;
                }
            }
            match options.state(object.as_ref()) {
                State::Done => return Ok(Ok(object)),
                State::Failed(why) => return Ok(Err(why)),
                State::Waiting(what) => {
                    if *last != what {
                        self.host().activity(format!("waiting for {id}: {what}"));
                    }
                    *last = what;
                }
            }
        }
    }
}
