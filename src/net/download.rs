//! Files of any length that are at a URL.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use http::Method;
use tokio::time::{Instant, timeout};

use super::http::{Request, follow};
use super::url::Url;
use crate::error::{Error, Reason, Result};
use crate::host::Host;

/// After so long without a byte nothing more is expected.
const STALL: Duration = Duration::from_secs(15);
/// What doesn't fit into memory is none of our files.
const MOST: u64 = 1 << 30;

/// Everything that is at a URL, got as `host` would. What may pass in a moment is tried twice more.
///
/// # Errors
/// With the reason of `super::send`, or not found; what was said is the error's output.
pub async fn download(host: &Host, url: &str) -> Result<Vec<u8>> {
    let mut request = Request::new(Method::GET, Url::parse(url)?);
    request.timeout = STALL;
    let policy = ExponentialBuilder::default().with_min_delay(Duration::from_secs(1)).with_max_times(2);
    let passes =
        |error: &Error| matches!(error.reason, Some(Reason::Timeout | Reason::Unavailable | Reason::BadAnswer));
    let work = async { (|| get(host, &request)).retry(policy).when(passes).await };
    host.activity(format!("downloading {url}"));
    let done = host.run_context().until_cancelled(work).await;
    host.activity("");
    done.map_err(|cause| Error {
        message: format!("can't download {url}"),
        output: Some(
            [cause.message.as_str(), cause.output.as_deref().unwrap_or_default()].join("\n").trim().to_owned(),
        ),
        host: Some(host.name().to_owned()),
        ..cause
    })
}

async fn get(host: &Host, request: &Request) -> Result<Vec<u8>> {
    let stalled = || {
        let message = format!("nothing has come for {} s", STALL.as_secs());
        Error::unreachable(message).because(Reason::Timeout).help("run it again")
    };
    let begun = timeout(STALL + STALL, follow(host, request, Instant::now())).await;
    let (_, mut answer) = begun.unwrap_or_else(|_| Err(stalled()))?;
    let status = answer.head.status;
    if !status.is_success() {
        let error = Error::host(format!("it answers with status {status}"));
        return Err(match status.as_u16() {
            403 | 404 | 410 => error.because(Reason::NotFound).help("is the address right?"),
            500.. => error.because(Reason::Unavailable).help("try again later"),
            _ => error,
        });
    }
    let mut data = Vec::new();
    while let Some(chunk) = timeout(STALL, answer.chunk()).await.unwrap_or_else(|_| Err(stalled()))? {
        data.extend_from_slice(&chunk);
        if data.len() as u64 > MOST {
            return Err(Error::host(format!("it is longer than {} MB", MOST >> 20)));
        }
    }
    Ok(data)
}
