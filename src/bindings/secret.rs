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
    /// A text that it is joined with is secret in that place: it prints with `***` in it, and carries the value to where secrets
    /// go: content and `vars` of files, `env` and `stdin` of commands, Secrets of Kubernetes, values of charts, other secrets.
    /// Anywhere else, as in a command itself, such a text is an error.
    ///
    /// # Example
    /// ```rhai
    /// let password = secret("correct horse");
    /// print(`the password is ${password}`);
    /// let settings = file("/etc/example/db.conf", #{ content: `password=${password}\n`, mode: "0600" });
    /// ```
    pub fn secret(call: NativeCallContext, value: &str) -> Secret {
        let context = context(&call);
        let secrets = context.run.secrets();
        let whole = secrets.reveal(value);
        let value = whole.as_deref().unwrap_or(value);
        secrets.add(value);
        Secret::new(value)
    }

    /// A new password of 24 random letters, digits, `-` and `_`, as a secret.
    ///
    /// # Example
    /// ```rhai
    /// if random_secret() == random_secret() { throw "not random" }
    /// ```
    pub fn random_secret(call: NativeCallContext) -> Secret {
        secret(call, &URL_SAFE_NO_PAD.encode(crate::random::bytes::<18>()))
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
            None => Err(fail(&call, Error::script("this is not valid base64"))),
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

    /// Two secrets, one after the other.
    ///
    /// # Example
    /// ```rhai
    /// if secret("one") + secret("two") != secret("onetwo") { throw "no" }
    /// ```
    #[rhai_fn(name = "+")]
    pub fn joined(call: NativeCallContext, one: Secret, other: Secret) -> Secret {
        secret(call, &[one.reveal(), other.reveal()].concat())
    }

    // What joins it with a text or prints it asks for this.
    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn to_string(call: NativeCallContext, secret: &mut Secret) -> String {
        context(&call).run.secrets().stand_in(secret.reveal())
    }
}
