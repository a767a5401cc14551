//! What the API says, as cause and remedy.

use crate::error::Error;

/// The error of `what` was being done.
pub(super) fn explain(what: &str, error: kube::Error) -> Error {
    let kube::Error::Api(status) = &error else {
        let message = format!("{what} failed: {}", chain(&error));
        return Error::host(message)
            .help("is k3s up on this host? `systemctl status k3s` and `journalctl -u k3s -n 50` tell");
    };
    let message = format!("{what} failed: {} ({})", status.message, status.code);
    match status.code {
        401 => Error::host(message).help("the credentials are not those of this cluster: was the server set up anew?"),
        403 => Error::host(message).help("these credentials may not do that, or an admission rule forbids it"),
        404 => Error::refused(message).help("check the name and the namespace"),
        409 => Error::host(message).help(
            "somebody else manages this field or changed the object at the same time: look at it, then run again",
        ),
        410 => Error::host(message).help("the server has forgotten that version of the object; ask again"),
        422 | 400 => Error::refused(message).help("correct the object"),
        429 | 503 | 504 => Error::host(message).help("the API server is busy or starting: try again in a while"),
        _ => Error::host(message),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
