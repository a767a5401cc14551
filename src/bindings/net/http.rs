//! `http::`: requests and their answers.

use std::collections::BTreeMap;

use rhai::Map;
use rhai::plugin::*;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{from, list};
use crate::error::{Error, Result};
use crate::net::{self, Method, Request, Response, Trust, Url};
use crate::script::{Fallible, Options, Seconds, Secret, block, context, fail, options};

/// Options of a request.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Ask {
    #[serde(rename = "from")]
    _from: IgnoredAny,
    headers: BTreeMap<String, Secret>,
    address: Option<String>,
    insecure: bool,
    ca: Option<String>,
    redirects: Option<u32>,
    timeout: Option<Seconds>,
    max_body: Option<u64>,
}

impl Options for Ask {
    const FUNCTIONS: &[&str] = &["http::get", "http::head", "http::post"];
}

impl Ask {
    fn request(self, method: Method, url: &str, body: Vec<u8>) -> Result<Request> {
        let mut request = Request::new(method, Url::parse(url)?);
        for (name, value) in &self.headers {
            request.header(name, value.reveal())?;
        }
        request.body = body;
        request.address = self.address;
        request.trust = Trust { ca: self.ca, insecure: self.insecure };
        request.redirects = self.redirects.unwrap_or(request.redirects);
        request.timeout = self.timeout.map_or(request.timeout, |seconds| seconds.0);
        request.max_body = self.max_body.unwrap_or(request.max_body);
        Ok(request)
    }
}

/// The answer to a request without a body.
fn asked(call: &NativeCallContext, method: Method, url: &str, mut settings: Map) -> Fallible<Response> {
    let host = from(call, &mut settings)?;
    let settings: Ask = options(call, settings)?;
    let request = settings.request(method, url, Vec::new()).map_err(|error| fail(call, error))?;
    block(call, &context(call), net::send(&host, &request))
}

/// The body of a request.
fn sent(call: &NativeCallContext, body: Dynamic) -> Fallible<Vec<u8>> {
    match body.clone().try_cast::<Secret>() {
        Some(secret) => Ok(secret.reveal().as_bytes().to_vec()),
        None => body.into_string().map(String::into_bytes).map_err(|_| {
            let message = format!("{}(): the body is a text or a secret", call.fn_name());
            fail(call, Error::script(message))
        }),
    }
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::{Array, EvalAltResult, Map};

    use super::{Ask, Method, asked, from};
    use crate::net::{self, Response};
    use crate::report::Event;
    use crate::script::{block, context, fail, options};

    /// Gets what is at a URL, whatever its status.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let page = http::get("https://www.example.org/");
    /// print(`${page.status} after ${page.seconds} s`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn get(call: NativeCallContext, url: &str) -> Result<Response, Box<EvalAltResult>> {
        asked(&call, Method::GET, url, Map::new())
    }

    /// Gets what is at a URL. Any status is an answer; an error has the `reason` `name_not_found`, `connection_refused`,
    /// `timeout`, `unavailable` (no way there), `forbidden` (sshd may not forward), `untrusted` (TLS) or `bad_answer`.
    ///
    /// Options: `from` (the host that asks, over its SSH connection: its routes, firewalls and name servers count, and no program
    /// is needed there; this machine), `headers` (a map of texts or secrets), `address` (connect there instead of resolving the
    /// name; `Host` and the name for TLS come from the URL all the same), `insecure` (false; true: go on where the certificate
    /// proves nothing), `ca` (PEM: the authorities that count instead of this machine's), `redirects` (how many are followed,
    /// never from https to http; 10; 0: the redirection is the answer), `timeout` in seconds for all of it (10), `max_body` in
    /// bytes (1048576; a longer body is an error; 0: it isn't read). This machine asks through the proxies that
    /// `https_proxy`, `http_proxy` and `no_proxy` name, unless `address` is given.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let master = ssh::connect("master");
    /// let page = http::get("https://www.example.org/", #{ from: master, address: "203.0.113.20", redirects: 0 });
    /// for one in page.certificates { print(`${one.subject} until ${one.not_after}`) }
    /// ```
    #[rhai_fn(name = "get", return_raw)]
    pub fn get_with(call: NativeCallContext, url: &str, settings: Map) -> Result<Response, Box<EvalAltResult>> {
        asked(&call, Method::GET, url, settings)
    }

    /// Asks for the headers at a URL.
    ///
    /// # Example
    /// ```rhai,no_run
    /// print(http::head("https://www.example.org/").headers["content-length"]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn head(call: NativeCallContext, url: &str) -> Result<Response, Box<EvalAltResult>> {
        asked(&call, Method::HEAD, url, Map::new())
    }

    /// Asks for the headers at a URL; the options are those of `http::get`.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let expired = http::head("https://old.example.org/", #{ insecure: true });
    /// print(expired.distrust);
    /// ```
    #[rhai_fn(name = "head", return_raw)]
    pub fn head_with(call: NativeCallContext, url: &str, settings: Map) -> Result<Response, Box<EvalAltResult>> {
        asked(&call, Method::HEAD, url, settings)
    }

    /// Sends a body to a URL: a text or a secret. It counts as a change: with `--plan` it is only shown, and the answer is
    /// empty.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let answer = http::post("https://hooks.example.org/deployed", `{"version": "1.2"}`);
    /// if !answer.ok && !plan_mode() { warn(answer.body) }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn post(call: NativeCallContext, url: &str, body: Dynamic) -> Result<Response, Box<EvalAltResult>> {
        post_with(call, url, body, Map::new())
    }

    /// Sends a body to a URL; the options are those of `http::get`, and no redirection is followed.
    ///
    /// # Example
    /// ```rhai,no_run
    /// http::post("https://hooks.example.org/deployed", "done", #{
    ///     headers: #{ "content-type": "text/plain", authorization: secret("Bearer 0123456789") },
    /// });
    /// ```
    #[rhai_fn(name = "post", return_raw)]
    pub fn post_with(
        call: NativeCallContext,
        url: &str,
        body: Dynamic,
        mut settings: Map,
    ) -> Result<Response, Box<EvalAltResult>> {
        let host = from(&call, &mut settings)?;
        let settings: Ask = options(&call, settings)?;
        let body = super::sent(&call, body)?;
        let request = settings.request(Method::POST, url, body).map_err(|error| fail(&call, error))?;
        let context = context(&call);
        let planned = context.run.is_plan();
        let command = format!("POST {}", request.url);
        context.run.report().emit(Event::Command { host: host.name().to_owned(), command, planned });
        if planned {
            return Ok(Response::default());
        }
        block(&call, &context, net::send(&host, &request))
    }

    /// The status, e.g. 200.
    #[rhai_fn(global, get = "status", pure)]
    pub fn status(response: &mut Response) -> i64 {
        response.status.into()
    }

    /// Whether the status is one of success: 200 to 299.
    #[rhai_fn(global, get = "ok", pure)]
    pub fn ok(response: &mut Response) -> bool {
        (200..300).contains(&response.status)
    }

    /// Who answered: after redirections another URL than the one that was asked.
    #[rhai_fn(global, get = "url", pure)]
    pub fn url(response: &mut Response) -> String {
        response.url.clone()
    }

    /// The headers, a map by their names in lower case.
    #[rhai_fn(global, get = "headers", pure)]
    pub fn headers(response: &mut Response) -> Map {
        response.headers.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    /// The body as text.
    #[rhai_fn(global, get = "body", pure)]
    pub fn body(response: &mut Response) -> String {
        String::from_utf8_lossy(&response.body).into_owned()
    }

    /// How many seconds it took until the whole answer was there.
    #[rhai_fn(global, get = "seconds", pure)]
    pub fn seconds(response: &mut Response) -> f64 {
        response.seconds
    }

    /// The chain that was served, the server's own certificate first: maps of `subject`, `issuer`, `hosts` (names and IP
    /// addresses), `not_after` (RFC 3339). Empty without TLS.
    #[rhai_fn(global, get = "certificates", return_raw, pure)]
    pub fn certificates(response: &mut Response) -> Result<Array, Box<EvalAltResult>> {
        super::list(response.certificates.clone())
    }

    /// Why the chain proves nothing, where `insecure` went on all the same; else an empty text.
    #[rhai_fn(global, get = "distrust", pure)]
    pub fn distrust(response: &mut Response) -> String {
        response.distrust.clone().unwrap_or_default()
    }

    /// Who answered, and the status.
    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn response_text(response: &mut Response) -> String {
        format!("{} {}", response.status, response.url)
    }
}
