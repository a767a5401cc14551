//! Values that must never be shown.

use rhai::plugin::*;

#[export_module]
#[allow(missing_docs)]
pub mod api {
    use crate::script::{Secret, context};

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

    /// Whether two secrets are the same.
    ///
    /// # Example
    /// ```rhai
    /// if secret("one") == secret("two") { throw "no" }
    /// ```
    #[rhai_fn(name = "==")]
    pub fn equal(one: Secret, other: Secret) -> bool {
        one.reveal() == other.reveal()
    }

    /// Whether two secrets are different.
    #[rhai_fn(name = "!=")]
    pub fn different(one: Secret, other: Secret) -> bool {
        one.reveal() != other.reveal()
    }

    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn to_string(_secret: &mut Secret) -> String {
        crate::report::redact::MASK.to_owned()
    }
}
