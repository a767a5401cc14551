//! Waits for objects by watching them.

use std::time::Duration;

use ::kube::api::{WatchEvent, WatchParams};
use futures_util::{StreamExt as _, pin_mut};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::Kube;
use super::resources::Resource;
use super::state::{self, State};
use crate::error::{Error, Result};

/// What to wait for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WaitOptions {
    /// The object's namespace; `default`.
    pub namespace: Option<String>,
    /// A condition (`Ready`, `Available`, ..), a phase of a pod (`Running`, `Succeeded`), `exists` or `gone`. Default: what
    /// fits the kind: rolled out, ready, completed.
    pub until: Option<String>,
    /// Limit in seconds; 300.
    pub timeout: Option<serde_json::Number>,
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
    /// Host when it fails for good, or when the time is up: with what it lacks.
    pub async fn wait(&self, kind: &str, name: &str, options: &WaitOptions) -> Result<Option<Value>> {
        let limit = Duration::try_from_secs_f64(
            options.timeout.as_ref().map_or(Some(300.0), serde_json::Number::as_f64).unwrap_or(-1.0),
        )
        .map_err(|_| Error::refused("the option `timeout` must be a number of seconds"))?;
        let resource = self.resource(kind).await?;
        let id = resource.id(name);
        let mut last = String::new();
        self.host().activity(format!("waiting for {id}"));
        let done = timeout(limit, self.watch(&resource, name, options, &mut last)).await;
        self.host().activity("");
        match done {
            Ok(done) => done,
            Err(_) => Err(Error::host(format!("{id} is not as wanted after {} s: {last}", limit.as_secs()))
                .on(self.host().name())
                .help(format!("`k3s kubectl describe {kind} {name}` on the server tells more; the option `timeout` gives more time"))),
        }
    }

    async fn watch(
        &self,
        resource: &Resource,
        name: &str,
        options: &WaitOptions,
        last: &mut String,
    ) -> Result<Option<Value>> {
        let namespace = options.namespace.as_deref();
        let api = self.api(resource, namespace, false);
        let parameters = WatchParams::default().fields(&format!("metadata.name={name}"));
        loop {
            let begin = Instant::now();
            let object = self.read(resource, name, namespace).await?;
            if self.is_done(resource, name, options.state(object.as_ref()), last)? {
                return Ok(object);
            }
            let version = object.as_ref().and_then(|object| object["metadata"]["resourceVersion"].as_str());
            let what = format!("watching {}", resource.id(name));
            let events = self.read_only(&what, async || api.watch(&parameters, version.unwrap_or("0")).await).await?;
            pin_mut!(events);
            while let Some(Ok(event)) = events.next().await {
                let object = match event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => Some(resource.value(&object)),
                    WatchEvent::Deleted(_) => None,
                    WatchEvent::Bookmark(_) => continue,
                    WatchEvent::Error(_) => break,
                };
                if self.is_done(resource, name, options.state(object.as_ref()), last)? {
                    return Ok(object);
                }
            }
            // The server ends watches now and then; one that ends at once must not become a busy loop.
            if begin.elapsed() < Duration::from_secs(1) {
                sleep(Duration::from_secs(1)).await;
            }
        }
    }

    fn is_done(&self, resource: &Resource, name: &str, state: State, last: &mut String) -> Result<bool> {
        match state {
            State::Done => Ok(true),
            State::Waiting(what) => {
                *last = what;
                Ok(false)
            }
            State::Failed(why) => {
                let id = resource.id(name);
                let help = format!("`k3s kubectl describe {} {name}` on the server tells more", resource.api.plural);
                Err(Error::host(format!("{id} has failed: {why}")).on(self.host().name()).help(help))
            }
        }
    }
}
