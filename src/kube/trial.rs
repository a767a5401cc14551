//! Tries objects out: would the API server take them?

use ::kube::api::{Patch, PatchParams, ValidationDirective};
use serde_json::Value;

use super::{FIELD_MANAGER, Kube};
use crate::error::{Error, Reason, Result};

impl Kube {
    /// Asks the API server whether it would take an object, and changes nothing.
    ///
    /// # Errors
    /// Refused where the cluster doesn't know the kind, host with what the API server or an admission webhook said.
    pub async fn try_out(&self, object: &Value) -> Result<()> {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let (version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
        let Some(resource) = self.resource_of(version, kind).await? else {
            return Err(Error::refused(format!("the cluster knows no {kind} of {version}"))
                .because(Reason::UnknownKind)
                .on(self.host().name()));
        };
        let parameters = PatchParams {
            dry_run: true,
            force: true,
            field_manager: Some(FIELD_MANAGER.into()),
            field_validation: Some(ValidationDirective::Strict),
        };
        let api = self.api(&resource, object.pointer("/metadata/namespace").and_then(Value::as_str), false);
        let tried = api.patch(name, &parameters, &Patch::Apply(object)).await;
        tried.map(drop).map_err(|error| self.error(&format!("trying {}", resource.id(name)), error))
    }
}
