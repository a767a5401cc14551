//! The proxies that this machine's environment names (`https_proxy`, `no_proxy`, ..), by curl's rules.

use std::time::Duration;

use http::{Request, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;

use super::url::Url;
use crate::error::{Error, Reason, Result};
use crate::host::{Host, Stream};

/// A proxy on the way to a server.
pub(super) struct Proxy(Intercept);

impl Proxy {
    /// The one that this machine's environment wants to be used for an address.
    ///
    /// # Errors
    /// Refused for one that speaks something else than HTTP.
    pub fn of(url: &Url) -> Result<Option<Self>> {
        let Some(found) = Matcher::from_env().intercept(url.uri()) else { return Ok(None) };
        match found.uri().scheme_str() {
            Some("http") => Ok(Some(Proxy(found))),
            other => Err(Error::refused(format!("the environment names a proxy of {}", other.unwrap_or("no scheme")))
                .help("only proxies that begin with http:// are spoken to; name the servers to ask without it in no_proxy")),
        }
    }

    /// What the proxy is to be told so that it lets us in.
    pub fn authorization(&self) -> Option<&header::HeaderValue> {
        self.0.basic_auth()
    }

    /// Connects to it.
    pub async fn dial(&self, host: &Host, limit: Duration) -> Result<Stream> {
        let uri = self.0.uri();
        host.dial(uri.host().unwrap_or_default().trim_matches(['[', ']']), uri.port_u16().unwrap_or(80), limit).await
    }

    /// Has it lead a connection on to the server (RFC 9110, section 9.3.6).
    pub async fn lead(&self, stream: Stream, url: &Url) -> Result<Stream> {
        let broken = |error: hyper::Error| self.failed(url, &error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection.with_upgrades());
        let place = match url.host().contains(':') {
            true => format!("[{}]:{}", url.host(), url.port()),
            false => format!("{}:{}", url.host(), url.port()),
        };
        let target: Uri = place.parse().map_err(|_| self.failed(url, "it can't be told the address"))?;
        let mut request = Request::connect(target).header(header::HOST, place);
        if let Some(words) = self.authorization() {
            request = request.header(header::PROXY_AUTHORIZATION, words);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| self.failed(url, &error.to_string()))?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        match answer.status() {
            status if status.is_success() => {
                let stream = hyper::upgrade::on(answer).await.map_err(broken)?;
                Ok(Box::new(TokioIo::new(stream)))
            }
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => Err(self.failed(url, "it wants a login")),
            status => Err(self.failed(url, &format!("it answers with status {status}"))),
        }
    }

    fn failed(&self, url: &Url, why: &str) -> Error {
        let at = self.0.uri().authority().map_or("", |authority| authority.as_str());
        Error::unreachable(format!("the proxy {at} does not lead to {}: {why}", url.host()))
            .because(Reason::Unavailable)
            .help("the environment names it (https_proxy, http_proxy); no_proxy has the servers to ask without it")
    }
}
