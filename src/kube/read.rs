//! Reads objects.

use ::kube::api::{ListParams, ObjectMeta};
use serde::Deserialize;
use serde_json::Value;

use super::Kube;
use super::resources::Resource;
use crate::error::{Error, Result};

/// Which objects to read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GetOptions {
    /// The namespace; default: all, or `default` for one object.
    pub namespace: Option<String>,
    /// One object.
    pub name: Option<String>,
    /// Labels to select by, e.g. `app=web`.
    pub selector: Option<String>,
    /// Fields to select by, e.g. `spec.nodeName=worker`.
    pub fields: Option<String>,
}

impl GetOptions {
    /// As the API takes them.
    pub(super) fn parameters(&self) -> ListParams {
        let mut parameters = ListParams::default();
        parameters.label_selector.clone_from(&self.selector);
        parameters.field_selector.clone_from(&self.fields);
        parameters
    }
}

impl Kube {
    /// The objects of a kind, e.g. `pods`, `Deployment` or `certificates.cert-manager.io`.
    ///
    /// # Errors
    /// Refused for an unknown kind, host with what the API server said.
    pub async fn list(&self, kind: &str, options: &GetOptions) -> Result<Vec<Value>> {
        let resource = self.resource(kind).await?;
        let parameters = options.parameters();
        let api = self.api(&resource, options.namespace.as_deref(), true);
        let found = self.read_only(&format!("reading {kind}"), async || api.list(&parameters).await).await?;
        Ok(found.items.iter().map(|object| resource.value(object)).collect())
    }

    /// The metadata of the objects of a kind, without what is in them.
    ///
    /// # Errors
    /// Like [`Kube::list`].
    pub async fn list_metadata(&self, kind: &str, options: &GetOptions) -> Result<Vec<ObjectMeta>> {
        let resource = self.resource(kind).await?;
        let parameters = options.parameters();
        let api = self.api(&resource, options.namespace.as_deref(), true);
        let found = self.read_only(&format!("reading {kind}"), async || api.list_metadata(&parameters).await).await?;
        Ok(found.items.into_iter().map(|object| object.metadata).collect())
    }

    /// One object, if there is one of this name.
    ///
    /// # Errors
    /// Like [`Kube::list`].
    pub async fn get(&self, kind: &str, name: &str, namespace: Option<&str>) -> Result<Option<Value>> {
        let resource = self.resource(kind).await?;
        self.read(&resource, name, namespace).await
    }

    pub(super) async fn read(&self, resource: &Resource, name: &str, namespace: Option<&str>) -> Result<Option<Value>> {
        let api = self.api(resource, namespace, false);
        let what = format!("reading {}", resource.id(name));
        let found = self.read_only(&what, async || api.get_opt(name).await).await?;
        Ok(found.map(|object| resource.value(&object)))
    }

    /// What the API server answers to a GET of this path, e.g. `/readyz?verbose`.
    pub async fn raw(&self, path: &str) -> Result<String> {
        if !path.starts_with('/') {
            return Err(Error::refused(format!("{path:?} is not a valid path: it must begin with /")));
        }
        let request = ::http::Request::get(path).body(Vec::new());
        let request = request.map_err(|error| Error::refused(format!("{path:?} is not a valid path: {error}")))?;
        self.read_only(&format!("GET {path}"), || self.client.request_text(request.clone())).await
    }
}
