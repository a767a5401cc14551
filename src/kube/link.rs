//! Requests that outlive a restart of the API server or of the tunnel to it.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::kube::Error as Cause;
use tokio::time::{Instant, sleep};

use super::Kube;
use crate::error::{Error, Result};
use crate::report::Level;

/// How long a server that has answered before may be away: a reboot.
const RESTART: Duration = Duration::from_secs(120);
/// How long one that never has.
const START: Duration = Duration::from_secs(5);

/// Whether a request may reach the API server twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It reads, or has the same effect however often it is done.
    Always,
    /// Only where it can't have been carried out.
    IfNotDone,
}

/// What a failure says about the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    /// The API server is not there or not ready: it was not carried out.
    NotDone,
    /// The answer is missing: it may have been carried out.
    Unknown,
    /// That is the answer.
    None,
}

impl Kube {
    /// Asks the API server. Where it or the tunnel is away, opens the tunnel again and asks again until they are back, as far
    /// as that does no harm. `what` says what is tried.
    pub(super) async fn ask<T, W>(&self, what: &str, again: Again, request: impl Fn() -> W) -> Result<T>
    where
        W: Future<Output = Result<T, Cause>>,
    {
        let begin = Instant::now();
        let mut away = false;
        loop {
            let error = match request().await {
                Ok(answer) => {
                    self.answered.store(true, Ordering::Relaxed);
                    if away {
                        self.host().activity("");
                        self.host().note(Level::Info, "the API server answers again");
                    }
                    return Ok(answer);
                }
                Err(error) => error,
            };
            // Who says that it isn't ready yet is starting.
            self.answered.fetch_or(matches!(error, Cause::Api(_)), Ordering::Relaxed);
            let patience = if self.answered.load(Ordering::Relaxed) { RESTART } else { START };
            let may = match outage(&error) {
                Outage::NotDone => true,
                Outage::Unknown => again == Again::Always,
                Outage::None => false,
            };
            if !may || begin.elapsed() >= patience {
                return Err(self.unanswered(what, error).await);
            }
            self.host().activity(format!("{what}: waiting for the API server"));
            sleep(Duration::from_millis(if away { 1000 } else { 100 })).await;
            away = true;
            // The way to a host that reboots may be away for as long.
            if let Err(error) = self.host().restore().await
                && begin.elapsed() >= patience
            {
                return Err(error);
            }
        }
    }

    /// The error of a request that was given up. Where its connections were cut, looks for the one who does that.
    async fn unanswered(&self, what: &str, error: Cause) -> Error {
        let defect = if is_cut(&error) { self.tunnel().defect().await } else { Ok(None) };
        match defect {
            Ok(Some(defect)) => self.no_way(what, defect),
            Ok(None) => self.error(what, error),
            Err(error) => error,
        }
    }

    /// Like [`Kube::ask`], for what may be asked twice.
    pub(super) async fn read_only<T, W>(&self, what: &str, request: impl Fn() -> W) -> Result<T>
    where
        W: Future<Output = Result<T, Cause>>,
    {
        self.ask(what, Again::Always, request).await
    }
}

fn outage(error: &Cause) -> Outage {
    match error {
        Cause::Api(status) => match (status.code, status.reason.as_str()) {
            (503, _) | (429, _) => Outage::NotDone,
            (504, _) => Outage::Unknown,
            (500, _) if status.message.contains("etcdserver") => Outage::Unknown,
            // The aggregated part of the API is asked about while it starts.
            (403, _) if status.message.contains("RBAC: clusterrole") => Outage::NotDone,
            _ => Outage::None,
        },
        // A connection that could not be made, not even its TLS, has carried nothing.
        Cause::Service(cause) if is_connect(cause.as_ref()) => Outage::NotDone,
        Cause::Service(_) | Cause::HyperError(_) | Cause::ReadEvents(_) => Outage::Unknown,
        _ => Outage::None,
    }
}

fn is_connect(error: &(dyn std::error::Error + 'static)) -> bool {
    chain(error)
        .find_map(|cause| cause.downcast_ref::<hyper_util::client::legacy::Error>())
        .is_some_and(|it| it.is_connect())
}

/// Whether the connection was taken and ended before it carried anything, as ssh does where the way doesn't lead on.
fn is_cut(error: &Cause) -> bool {
    let cut = |kind| matches!(kind, ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe);
    let Cause::Service(cause) = error else { return false };
    is_connect(cause.as_ref())
        && chain(cause.as_ref()).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|it| cut(it.kind()))
}

/// An error and what is behind it. An I/O error passes over the error that it was made of, which is its cause all the same.
fn chain<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inside) => Some(inside),
        None => error.source(),
    })
}

#[cfg(test)]
mod tests {
    use ::kube::core::Status;

    use super::*;

    #[test]
    fn a_request_is_repeated_only_where_the_server_was_away() {
        let said =
            |code: u16, message: &str| outage(&Cause::Api(Box::new(Status::failure(message, "").with_code(code))));
        assert_eq!(said(503, "apiserver not ready"), Outage::NotDone);
        assert_eq!(said(504, "timeout"), Outage::Unknown);
        assert_eq!(said(500, "etcdserver: leader changed"), Outage::Unknown);
        assert_eq!(said(500, "failed calling webhook"), Outage::None);
        assert_eq!(said(409, "conflict"), Outage::None);
        assert_eq!(outage(&Cause::Service("reset by peer".into())), Outage::Unknown);
    }

    #[test]
    fn the_causes_of_an_error_are_found_in_the_errors_that_wrap_it() {
        let reset = || io::Error::from(ErrorKind::ConnectionReset);
        let wrapped = io::Error::other(io::Error::other(reset()));
        let kinds: Vec<_> =
            chain(&wrapped).filter_map(|it| it.downcast_ref::<io::Error>()).map(io::Error::kind).collect();
        assert_eq!(kinds, [ErrorKind::Other, ErrorKind::Other, ErrorKind::ConnectionReset]);
    }
}
