//! One request over HTTP/1.1 and the beginning of its answer.

use std::time::Duration;

use http::{HeaderMap, Method, header, response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio_util::task::AbortOnDropHandle;

use super::certificate::Certificate;
use super::proxy::Proxy;
use super::tls::{Secured, Trust, secure};
use super::url::Url;
use crate::error::{Error, Reason, Result};
use crate::host::Host;

/// What is asked, and how the server is found.
pub(super) struct Question<'a> {
    pub method: &'a Method,
    pub url: &'a Url,
    pub headers: &'a HeaderMap,
    pub body: &'a Bytes,
    pub address: Option<&'a str>,
    pub trust: &'a Trust,
}

/// An answer whose body is still to be read.
pub(super) struct Answer {
    pub head: response::Parts,
    pub chain: Vec<Certificate>,
    pub distrust: Option<String>,
    body: Incoming,
    what: String,
    _connection: AbortOnDropHandle<()>,
}

impl Answer {
    /// The next bytes of the body; nothing at its end.
    ///
    /// # Errors
    /// Host, with the reason bad answer, where it breaks off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame.map_err(|error| bad(&self.what, &error))?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

/// Asks from `host`. `limit` is for the connection alone.
pub(super) async fn ask(host: &Host, question: &Question<'_>, limit: Duration) -> Result<Answer> {
    let Question { method, url, headers, body, address, trust } = *question;
    let proxy = match address {
        None if host.is_local() => Proxy::of(url)?,
        _ => None,
    };
    let stream = match &proxy {
        None => host.dial(address.unwrap_or(url.host()), url.port(), limit).await?,
        Some(proxy) if url.is_secure() => proxy.lead(proxy.dial(host, limit).await?, url).await?,
        Some(proxy) => proxy.dial(host, limit).await?,
    };
    let Secured { stream, chain, distrust } = match url.is_secure() {
        true => secure(stream, url.host(), trust).await?,
        false => Secured { stream, chain: Vec::new(), distrust: None },
    };
    let what = format!("{method} {url}");
    let failed = |error: hyper::Error| bad(&what, &error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // How it ends is seen by who asks.
    let connection = AbortOnDropHandle::new(tokio::spawn(async { drop(connection.await) }));
    let mut request = http::Request::builder().method(method).body(Full::new(body.clone()));
    if let Ok(request) = &mut request {
        // To a proxy a request names the whole address, to the server its own part of it (RFC 9112, section 3.2).
        let plain = proxy.as_ref().filter(|_| !url.is_secure());
        let target = if plain.is_some() { url.to_string() } else { url.target().to_owned() };
        *request.uri_mut() = target.parse().map_err(|_| Error::refused(format!("{url} can't be asked for")))?;
        request.headers_mut().extend(headers.clone());
        if let (false, Ok(name)) = (headers.contains_key(header::HOST), url.authority().parse()) {
            request.headers_mut().insert(header::HOST, name);
        }
        if let Some(words) = plain.and_then(|proxy| proxy.authorization()) {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, words.clone());
        }
    }
    let request = request.map_err(|error| Error::refused(error.to_string()))?;
    let answer = sender.send_request(request).await.map_err(failed)?;
    let (head, body) = answer.into_parts();
    Ok(Answer { head, chain, distrust, body, what, _connection: connection })
}

fn bad(what: &str, error: &hyper::Error) -> Error {
    let why = if error.is_parse() {
        "what answers speaks no HTTP".to_owned()
    } else if error.is_canceled() {
        "what answers doesn't wait for a request, or goes away at once: it may speak no HTTP".to_owned()
    } else if error.is_incomplete_message() || error.is_closed() {
        "the connection was closed before the answer was whole".to_owned()
    } else {
        std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
    };
    Error::host(format!("{what}: {why}"))
        .because(Reason::BadAnswer)
        .help("is it the right port, and http or https as the server wants it?")
}
