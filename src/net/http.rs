//! Requests of HTTP with their redirections.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use hyper::body::Bytes;
use tokio::time::{Instant, timeout};

use super::certificate::Certificate;
use super::exchange::{Answer, Question, ask};
use super::tls::Trust;
use super::url::Url;
use crate::error::{Error, Reason, Result};
use crate::host::Host;

/// What to ask for, and how.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `HEAD` or `POST`.
    pub method: Method,
    /// Where. `Host`, and the name that TLS asks for, come from it.
    pub url: Url,
    /// Further headers.
    pub headers: HeaderMap,
    /// What is sent along.
    pub body: Vec<u8>,
    /// Where to connect to, instead of at the addresses that the name in the URL has.
    pub address: Option<String>,
    /// Whom to trust.
    pub trust: Trust,
    /// How many redirections are followed; the next one is the answer. Never from HTTPS to HTTP, and only of `GET` and `HEAD`.
    pub redirects: u32,
    /// How long all of it may take.
    pub timeout: Duration,
    /// How many bytes the body may have; more is an error. 0: it isn't read.
    pub max_body: u64,
}

/// An answer, whatever its status.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// Who gave it: after redirections another address than the one that was asked.
    pub url: String,
    /// The status, e.g. 200.
    pub status: u16,
    /// By name in lower case; of several with one name, the values with `, ` between them.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
    /// How long it took until all of it was there.
    pub seconds: f64,
    /// The chain that was served, the server's own certificate first; empty without TLS.
    pub certificates: Vec<Certificate>,
    /// Why the chain proves nothing; nothing where it does, and without TLS.
    pub distrust: Option<String>,
}

impl Request {
    /// A request with up to 10 redirections (none of other methods than `GET` and `HEAD`), 10 s, and 1 MiB of body.
    pub fn new(method: Method, url: Url) -> Self {
        Request {
            method,
            url,
            headers: HeaderMap::from_iter([
                (header::USER_AGENT, HeaderValue::from_static("k3srun")),
                (header::ACCEPT, HeaderValue::from_static("*/*")),
            ]),
            body: Vec::new(),
            address: None,
            trust: Trust::default(),
            redirects: 10,
            timeout: Duration::from_secs(10),
            max_body: 1 << 20,
        }
    }

    /// Sets a header; one of the same name is replaced.
    ///
    /// # Errors
    /// Refused for what is not a valid header; its value is not shown.
    pub fn header(&mut self, name: &str, value: &str) -> Result<()> {
        let refused = || Error::refused(format!("{name:?} is not a valid header, or has no value of one line"));
        let header = HeaderName::try_from(name).map_err(|_| refused())?;
        self.headers.insert(header, HeaderValue::try_from(value).map_err(|_| refused())?);
        Ok(())
    }
}

/// Asks as `host` does: from this machine, or through a channel of the host's connection. This machine's proxies count where
/// it asks itself, without `address`. Any status is an answer.
///
/// # Errors
/// Those of [`Host::dial`]; host, with the reasons untrusted and bad answer; timeout.
pub async fn send(host: &Host, request: &Request) -> Result<Response> {
    let start = Instant::now();
    let work = async {
        let (url, mut answer) = follow(host, request, start).await?;
        let body = read(&mut answer, &url, request).await?;
        Ok(Response {
            url: url.to_string(),
            status: answer.head.status.as_u16(),
            headers: readable(&answer.head.headers),
            body,
            seconds: start.elapsed().as_secs_f64(),
            certificates: answer.chain,
            distrust: answer.distrust,
        })
    };
    let silent = || {
        Err(Error::unreachable(format!(
            "{} {} has no answer within {} s",
            request.method,
            request.url,
            request.timeout.as_secs_f32()
        ))
        .because(Reason::Timeout)
        .help("is the server overloaded? The option `timeout` (seconds) gives it more time"))
    };
    let done =
        host.run_context().until_cancelled(async { timeout(request.timeout, work).await.unwrap_or_else(|_| silent()) });
    done.await.map_err(|error| if error.host.is_none() { error.on(host.name()) } else { error })
}

/// The first answer that isn't a redirection to be followed, and whose it is.
pub(super) async fn follow(host: &Host, request: &Request, start: Instant) -> Result<(Url, Answer)> {
    let (mut url, mut headers, mut left) = (request.url.clone(), request.headers.clone(), request.redirects);
    let body = Bytes::from(request.body.clone());
    loop {
        let question = Question {
            method: &request.method,
            url: &url,
            headers: &headers,
            body: &body,
            address: request.address.as_deref().filter(|_| url.is_same_server(&request.url)),
            trust: &request.trust,
        };
        // A little less than for all of it: that nobody can be connected to says more.
        let limit = request.timeout.saturating_sub(start.elapsed() + Duration::from_millis(20));
        let answer = ask(host, &question, limit).await?;
        let Some(next) = redirection(request, &url, &answer)? else { return Ok((url, answer)) };
        if left == 0 {
            return Err(Error::host(format!("{} leads on and on: {} redirections", request.url, request.redirects))
                .because(Reason::BadAnswer)
                .help("the option `redirects` allows more; 0 shows the first"));
        }
        left -= 1;
        if !next.is_same_server(&url) {
            for name in [header::AUTHORIZATION, header::COOKIE, header::HOST] {
                headers.remove(name);
            }
        }
        url = next;
    }
}

/// Where an answer leads on to.
fn redirection(request: &Request, url: &Url, answer: &Answer) -> Result<Option<Url>> {
    let followed = matches!(request.method, Method::GET | Method::HEAD) && request.redirects > 0;
    if !followed || !matches!(answer.head.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = answer.head.headers.get(header::LOCATION) else { return Ok(None) };
    let location = String::from_utf8_lossy(location.as_bytes());
    let bad = |why: &str| {
        Error::host(format!("{url} redirects to {location}, {why}"))
            .because(Reason::BadAnswer)
            .help("set the option `redirects` to 0 to look at this answer itself")
    };
    let next = url.join(&location).map_err(|_| bad("which is not a valid address"))?;
    if url.is_secure() && !next.is_secure() {
        return Err(bad("where nothing is encrypted"));
    }
    Ok(Some(next))
}

async fn read(answer: &mut Answer, url: &Url, request: &Request) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    if request.max_body == 0 {
        return Ok(body);
    }
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() as u64 > request.max_body {
            return Err(Error::host(format!("the answer of {url} is longer than {} bytes", request.max_body))
                .because(Reason::BadAnswer)
                .help("the option `max_body` allows more"));
        }
    }
    Ok(body)
}

fn readable(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut readable: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        readable
            .entry(name.as_str().to_owned())
            .and_modify(|before| *before = format!("{before}, {value}"))
            .or_insert_with(|| value.into_owned());
    }
    readable
}
