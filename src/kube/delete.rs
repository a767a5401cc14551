//! Removes objects.

use ::kube::Error as Cause;
use ::kube::api::{DeleteParams, PropagationPolicy};

use super::link::Again;
use super::{Kube, WaitOptions};
use crate::error::Result;
use crate::report::{Change, Event};

impl Kube {
    /// Removes an object and waits until it is gone, at most 60 s. Returns whether there was one.
    pub async fn delete(&self, kind: &str, name: &str, namespace: Option<&str>) -> Result<bool> {
        let resource = self.resource(kind).await?;
        let id = resource.id(name);
        let run = self.host.run_context();
        let host = self.host.name().to_owned();
        let Some(object) = self.read(&resource, name, namespace).await? else {
            run.report().emit(Event::Unchanged { host, count: 1 });
            return Ok(false);
        };
        if !run.is_plan() {
            let parameters =
                DeleteParams { propagation_policy: Some(PropagationPolicy::Background), ..DeleteParams::default() };
            // Another one of the same name is not meant, also where the request has to be repeated.
            let parameters = match object["metadata"]["uid"].as_str() {
                Some(uid) => parameters
                    .preconditions(::kube::api::Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
                None => parameters,
            };
            let api = self.api(&resource, namespace, false);
            let request = async || match api.delete(name, &parameters).await {
                Err(Cause::Api(status)) if status.code == 404 => Ok(()),
                done => done.map(drop),
            };
            self.ask(&format!("removing {id}"), Again::Always, request).await?;
            let options = WaitOptions { namespace: namespace.map(str::to_owned), ..WaitOptions::gone(60) };
            self.wait(kind, name, &options).await?;
        }
        let change = Change { resource: id, summary: "removed".into(), diff: None };
        run.report().emit(Event::Changed { host, planned: run.is_plan(), change });
        Ok(true)
    }
}
