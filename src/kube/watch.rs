//! What happens to objects, as it happens, whatever happens to the connection meanwhile.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ::kube::api::{Api, DynamicObject, ListParams, WatchEvent, WatchParams};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::resources::Resource;
use super::wait::seconds;
use super::{GetOptions, Kube};
use crate::error::{Reason, Result};

/// Which objects to watch, and how long.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WatchOptions {
    /// The namespace; default: all.
    pub namespace: Option<String>,
    /// Labels to select by, e.g. `app=web`.
    pub selector: Option<String>,
    /// Fields to select by, e.g. `metadata.name=web`.
    pub fields: Option<String>,
    /// Limit in seconds; default: none.
    pub timeout: Option<serde_json::Number>,
}

impl WatchOptions {
    /// When it ends, if it begins now; nothing where it has no limit.
    ///
    /// # Errors
    /// Refused for what is no time.
    pub fn limit(&self) -> Result<Option<Instant>> {
        let Some(timeout) = &self.timeout else { return Ok(None) };
        Ok(Some(Instant::now() + seconds(Some(timeout), 0.0)?))
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Sight {
    /// All that is there has been told; from now on it is news.
    Complete,
    /// There is an object.
    Added(Value),
    /// It has changed.
    Modified(Value),
    /// It is gone; this is what it was.
    Deleted(Value),
}

/// A watch that goes on until it is dropped. A lost connection is made again; what happened meanwhile is told then.
pub struct Watch {
    kube: Kube,
    resource: Resource,
    api: Api<DynamicObject>,
    list: ListParams,
    /// What was told last, by uid.
    known: BTreeMap<String, Value>,
    /// Up to where everything was seen; none where it must be read again.
    version: Option<String>,
    stream: Option<BoxStream<'static, ::kube::Result<WatchEvent<DynamicObject>>>>,
    opened: Instant,
    queue: VecDeque<Sight>,
}

impl Kube {
    /// Begins to watch the objects of a kind. What is there already comes first.
    ///
    /// # Errors
    /// Refused for an unknown kind.
    pub async fn watch(&self, kind: &str, options: &WatchOptions) -> Result<Watch> {
        let resource = self.resource(kind).await?;
        let select =
            GetOptions { selector: options.selector.clone(), fields: options.fields.clone(), ..GetOptions::default() };
        Ok(self.watch_resource(&resource, options.namespace.as_deref(), true, &select))
    }

    /// Begins to watch one object.
    pub(super) fn watch_one(&self, resource: &Resource, name: &str, namespace: Option<&str>) -> Watch {
        let select = GetOptions { fields: Some(format!("metadata.name={name}")), ..GetOptions::default() };
        self.watch_resource(resource, namespace, false, &select)
    }

    fn watch_resource(&self, resource: &Resource, namespace: Option<&str>, all: bool, select: &GetOptions) -> Watch {
        Watch {
            kube: self.clone(),
            resource: resource.clone(),
            api: self.api(resource, namespace, all),
            list: select.parameters(),
            known: BTreeMap::new(),
            version: None,
            stream: None,
            opened: Instant::now(),
            queue: VecDeque::new(),
        }
    }
}

impl Watch {
    /// What happens next. May be dropped and called again: nothing is lost.
    ///
    /// # Errors
    /// What the API server says, or that it is away for too long.
    pub async fn next(&mut self) -> Result<Sight> {
        loop {
            if let Some(sight) = self.queue.pop_front() {
                return Ok(sight);
            }
            let Some(version) = self.version.clone() else {
                self.read().await?;
                continue;
            };
            let Some(stream) = &mut self.stream else {
                self.open(&version).await?;
                continue;
            };
            match stream.next().await {
                Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) => self.seen(&object),
                Some(Ok(WatchEvent::Deleted(object))) => {
                    self.version = object.metadata.resource_version.clone();
                    let value = self.resource.value(&object);
                    self.known.remove(uid(&value));
                    self.queue.push_back(Sight::Deleted(value));
                }
                Some(Ok(WatchEvent::Bookmark(mark))) => self.version = Some(mark.metadata.resource_version),
                Some(Ok(WatchEvent::Error(status))) => {
                    self.stream = None;
                    if status.code == 410 {
                        self.version = None;
                    }
                }
                // The server ends watches now and then, and a lost connection ends them, too.
                Some(Err(_)) | None => self.stream = None,
            }
        }
    }

    /// Reads everything, and tells what differs from what is known.
    async fn read(&mut self) -> Result<()> {
        let what = format!("reading {}", self.resource.api.plural);
        let found = self.kube.read_only(&what, async || self.api.list(&self.list).await).await?;
        let objects: Vec<Value> = found.items.iter().map(|object| self.resource.value(object)).collect();
        let mut gone = std::mem::take(&mut self.known);
        for value in objects {
            let sight = match gone.remove(uid(&value)) {
                Some(old) if old["metadata"]["resourceVersion"] == value["metadata"]["resourceVersion"] => None,
                Some(_) => Some(Sight::Modified(value.clone())),
                None => Some(Sight::Added(value.clone())),
            };
            self.known.insert(uid(&value).to_owned(), value);
            self.queue.extend(sight);
        }
        self.queue.extend(gone.into_values().map(Sight::Deleted));
        self.queue.push_back(Sight::Complete);
        self.version = Some(found.metadata.resource_version.unwrap_or_default());
        Ok(())
    }

    async fn open(&mut self, version: &str) -> Result<()> {
        // One that ends at once must not become a busy loop.
        const LEAST: Duration = Duration::from_secs(1);
        if self.opened.elapsed() < LEAST && self.stream.is_none() && !self.known.is_empty() {
            sleep(LEAST).await;
        }
        let what = format!("watching {}", self.resource.api.plural);
        let parameters = WatchParams {
            label_selector: self.list.label_selector.clone(),
            field_selector: self.list.field_selector.clone(),
            ..WatchParams::default()
        };
        let stream = self.kube.read_only(&what, async || Ok(self.api.watch(&parameters, version).await?.boxed())).await;
        match stream {
            Ok(stream) => self.stream = Some(stream),
            Err(error) if error.reason == Some(Reason::Gone) => self.version = None,
            Err(error) => return Err(error),
        }
        self.opened = Instant::now();
        Ok(())
    }

    fn seen(&mut self, object: &DynamicObject) {
        self.version = object.metadata.resource_version.clone();
        let value = self.resource.value(object);
        let sight = match self.known.insert(uid(&value).to_owned(), value.clone()) {
            Some(_) => Sight::Modified(value),
            None => Sight::Added(value),
        };
        self.queue.push_back(sight);
    }
}

fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}
