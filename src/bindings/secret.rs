//! Values that must never be shown.

use rhai::plugin::*;

#[export_module]
#[allow(missing_docs)]
pub mod api {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use rhai::EvalAltResult;

    use crate::error::Error;
    use crate::report::Event;
    use crate::script::{Secret, context, fail};

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

    /// A new password of 24 random letters, digits, `-` and `_`, as a secret.
    ///
    /// # Example
    /// ```rhai
    /// if random_secret() == random_secret() { throw "not random" }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn random_secret(call: NativeCallContext) -> Result<Secret, Box<EvalAltResult>> {
        let mut bytes = [0_u8; 18];
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
            .map_err(|error| fail(&call, Error::host(format!("the kernel gives no random numbers: {error}"))))?;
        Ok(secret(call, &URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The secret that a text in base64 stands for, like those in the `data` of a Secret in Kubernetes.
    ///
    /// # Example
    /// ```rhai
    /// if secret_from_base64("aHVudGVyMjI=") != secret("hunter22") { throw "another one" }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn secret_from_base64(call: NativeCallContext, text: &str) -> Result<Secret, Box<EvalAltResult>> {
        let value = STANDARD.decode(text.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        match value {
            Some(value) => Ok(secret(call, &value)),
            None => Err(fail(&call, Error::script("this is no text in base64"))),
        }
    }

    /// Prints a secret for a person to see: on standard output as it is, in the run log and with `--output json` as `***`.
    ///
    /// # Example
    /// ```rhai
    /// show_secret(secret("correct horse"));
    /// ```
    pub fn show_secret(call: NativeCallContext, secret: Secret) {
        context(&call).run.report().emit(Event::Reveal { text: secret.reveal().to_owned() });
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
