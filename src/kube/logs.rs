//! What containers print, also while they print it.

use std::pin::Pin;
use std::time::Duration;

use ::kube::api::{Api, LogParams};
use futures_util::{AsyncBufRead, AsyncBufReadExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::Kube;
use super::wait::seconds;
use crate::error::{Reason, Result};

/// Which part of a pod's output to read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogOptions {
    /// The pod's namespace; `default`.
    pub namespace: Option<String>,
    /// The container; default: the first.
    pub container: Option<String>,
    /// So many of the last lines; all by default.
    pub tail: Option<i64>,
    /// That of the container's last run.
    pub previous: bool,
}

/// Which output to follow, and how long.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FollowOptions {
    /// The pod's namespace; `default`.
    pub namespace: Option<String>,
    /// The container; default: the first.
    pub container: Option<String>,
    /// So many of the last lines to begin with; all by default.
    pub tail: Option<i64>,
    /// Limit in seconds; default: none.
    pub timeout: Option<serde_json::Number>,
}

impl FollowOptions {
    /// When it ends, if it begins now; nothing where it has no limit.
    ///
    /// # Errors
    /// Refused for what is no time.
    pub fn limit(&self) -> Result<Option<Instant>> {
        let Some(timeout) = &self.timeout else { return Ok(None) };
        Ok(Some(Instant::now() + seconds(Some(timeout), 0.0)?))
    }
}

/// The output of a container, line by line, until the container ends.
pub struct Follow {
    kube: Kube,
    api: Api<Pod>,
    pod: String,
    container: String,
    tail: Option<i64>,
    stream: Option<Pin<Box<dyn AsyncBufRead + Send>>>,
    line: Vec<u8>,
    /// When the last line was printed that was read.
    last: Option<Timestamp>,
}

impl Kube {
    /// What a pod has printed.
    ///
    /// # Errors
    /// Host, with [`Reason::NotFound`] where there is no such pod.
    pub async fn logs(&self, pod: &str, options: &LogOptions) -> Result<String> {
        let namespace = options.namespace.as_deref();
        let api = self.pods(namespace);
        let parameters = LogParams {
            container: Some(self.container(pod, namespace, options.container.as_deref()).await?),
            tail_lines: options.tail,
            previous: options.previous,
            ..LogParams::default()
        };
        let what = format!("reading the log of pod:{pod}");
        self.read_only(&what, async || api.logs(pod, &parameters).await).await
    }

    /// Begins to follow what a container prints.
    ///
    /// # Errors
    /// Like [`Kube::logs`].
    pub async fn follow(&self, pod: &str, options: &FollowOptions) -> Result<Follow> {
        let namespace = options.namespace.as_deref();
        Ok(Follow {
            kube: self.clone(),
            api: self.pods(namespace),
            pod: pod.to_owned(),
            container: self.container(pod, namespace, options.container.as_deref()).await?,
            tail: options.tail,
            stream: None,
            line: Vec::new(),
            last: None,
        })
    }
}

impl Follow {
    /// The next line; nothing when the container has ended. A lost connection is made again, and no line is lost. May be
    /// dropped and called again.
    ///
    /// # Errors
    /// What the API server says, or that it is away for too long.
    pub async fn next(&mut self) -> Result<Option<String>> {
        const PAUSE: Duration = Duration::from_secs(1);
        let mut ended = false;
        loop {
            let Some(stream) = &mut self.stream else {
                if ended {
                    return Ok(None);
                }
                self.open().await?;
                continue;
            };
            match stream.read_until(b'\n', &mut self.line).await {
                Ok(length) if length > 0 => {
                    let line = std::mem::take(&mut self.line);
                    if let Some(line) = self.news(&String::from_utf8_lossy(&line)) {
                        return Ok(Some(line));
                    }
                }
                // The container has ended, or the way to it.
                _ => {
                    self.stream = None;
                    self.line.clear();
                    ended = self.has_ended().await?;
                    if !ended {
                        sleep(PAUSE).await;
                    }
                }
            }
        }
    }

    async fn open(&mut self) -> Result<()> {
        const PAUSE: Duration = Duration::from_secs(1);
        let parameters = LogParams {
            container: Some(self.container.clone()),
            follow: true,
            timestamps: true,
            tail_lines: self.tail.filter(|_| self.last.is_none()),
            since_time: self.last,
            ..LogParams::default()
        };
        let what = format!("reading the log of pod:{}", self.pod);
        let opened = self.kube.read_only(&what, async || self.api.log_stream(&self.pod, &parameters).await).await;
        match opened {
            Ok(stream) => self.stream = Some(Box::pin(stream)),
            Err(error) if error.reason == Some(Reason::Invalid) && error.message.contains("waiting to start") => {
                self.kube.host().activity(format!("pod:{} is not started yet", self.pod));
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// A line without its time, if it was not read before.
    fn news(&mut self, line: &str) -> Option<String> {
        let line = line.trim_end_matches(['\n', '\r']);
        let (time, text) = line.split_once(' ').unwrap_or((line, ""));
        match time.parse::<Timestamp>() {
            Ok(time) if self.last.is_some_and(|last| time <= last) => None,
            Ok(time) => {
                self.last = Some(time);
                Some(text.to_owned())
            }
            Err(_) => Some(line.to_owned()),
        }
    }

    async fn has_ended(&self) -> Result<bool> {
        let what = format!("reading pod:{}", self.pod);
        let Some(pod) = self.kube.read_only(&what, async || self.api.get_opt(&self.pod).await).await? else {
            return Ok(true);
        };
        let status = pod.status.unwrap_or_default();
        let lists = [status.container_statuses, status.init_container_statuses];
        let mut all = lists.into_iter().flatten().flatten();
        let Some(ours) = all.find(|it| it.name == self.container) else { return Ok(false) };
        let (now, before) = (ours.state.unwrap_or_default(), ours.last_state.unwrap_or_default());
        Ok(now.terminated.is_some() || now.running.is_none() && before.terminated.is_some())
    }
}
