//! Errors as scripts catch them.

use rhai::plugin::*;

#[export_module]
#[allow(missing_docs)]
pub mod api {
    use crate::script::Failure;

    /// What sort of error it is: `script`, `refused`, `host`, `unreachable`.
    #[rhai_fn(global, get = "kind", pure)]
    pub fn kind(failure: &mut Failure) -> String {
        failure.error.kind.name().to_owned()
    }

    /// What scripts can tell errors of the same kind by, or an empty text: `unknown_kind`, `not_found`, `already_exists`,
    /// `unauthorized`, `forbidden`, `conflict`, `gone`, `invalid`, `timeout`, `unavailable`, `name_not_found`,
    /// `connection_refused`, `untrusted`, `bad_answer`. Set where the cluster's API refuses something, where one waited in
    /// vain, and where nothing right answers at an address.
    #[rhai_fn(global, get = "reason", pure)]
    pub fn reason(failure: &mut Failure) -> String {
        failure.error.reason.map(|reason| reason.name().to_owned()).unwrap_or_default()
    }

    /// What went wrong.
    #[rhai_fn(global, get = "message", pure)]
    pub fn message(failure: &mut Failure) -> String {
        failure.error.message.clone()
    }

    /// The host on which it went wrong, or an empty text.
    #[rhai_fn(global, get = "host", pure)]
    pub fn host(failure: &mut Failure) -> String {
        failure.error.host.clone().unwrap_or_default()
    }

    /// What to do about it, or an empty text.
    #[rhai_fn(global, get = "help", pure)]
    pub fn help(failure: &mut Failure) -> String {
        failure.error.help.clone().unwrap_or_default()
    }

    /// The last output of what failed, or an empty text.
    #[rhai_fn(global, get = "output", pure)]
    pub fn output(failure: &mut Failure) -> String {
        failure.error.output.clone().unwrap_or_default()
    }

    /// Where the script made the call that failed: `file:line:column`.
    #[rhai_fn(global, get = "at", pure)]
    pub fn at(failure: &mut Failure) -> String {
        failure.at.clone()
    }

    /// The same error with another advice of what to do about it, to be thrown again.
    ///
    /// # Example
    /// ```rhai
    /// try {
    ///     try { fail("the disk is full") } catch (e) { throw e.with_help("make room") }
    /// } catch (e) { print(e.help) }
    /// ```
    #[rhai_fn(global, pure)]
    pub fn with_help(failure: &mut Failure, help: &str) -> Failure {
        let error = failure.error.clone().help(help);
        Failure { error, at: failure.at.clone() }
    }

    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn to_string(failure: &mut Failure) -> String {
        failure.to_string()
    }
}
