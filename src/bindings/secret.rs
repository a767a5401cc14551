//! Values that must never be shown.

use rhai::plugin::*;
use serde::{Deserialize, Deserializer};

/// A value that prints as `***`. Scripts pass it on; only the domains see what is inside.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
    }

    /// The value itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(crate::report::redact::MASK)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Secret)
    }
}

#[export_module]
#[allow(missing_docs)]
pub mod api {
    use super::Secret;
    use crate::script::context;

    /// Marks a value as secret: it prints as `***`, and the value is masked in everything the run shows or stores.
    ///
    /// # Example
    /// ```rhai
    /// let password = secret("correct horse");
    /// if `${password}` != "***" { throw "shown" }
    /// ```
    pub fn secret(call: NativeCallContext, value: &str) -> Secret {
        context(&call).run.secrets().add(value);
        Secret::new(value)
    }

    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn to_string(_secret: &mut Secret) -> String {
        crate::report::redact::MASK.to_owned()
    }
}
