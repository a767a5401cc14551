//! Addresses of the web.

use std::fmt;

use http::Uri;

use crate::error::{Error, Result};

/// An address that begins with `http://` or `https://`, without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url(Uri);

impl Url {
    /// Reads an address. What follows `#` is left out.
    ///
    /// # Errors
    /// Refused, with what is wrong.
    pub fn parse(text: &str) -> Result<Self> {
        let refused = |why: &str| Error::refused(format!("{text:?} is not a URL: {why}"));
        let text = text.split('#').next().unwrap_or_default();
        let uri: Uri = text.parse().map_err(|error: http::uri::InvalidUri| {
            refused(&error.to_string()).help("write names with other letters in their xn-- form, and blanks as %20")
        })?;
        let authority = match (uri.scheme_str(), uri.authority()) {
            (Some("http" | "https"), Some(authority)) => authority,
            _ => return Err(refused("it must begin with http:// or https://")),
        };
        if authority.as_str().contains('@') {
            // Not shown: it is a password.
            return Err(Error::refused("a URL with a password in it would be shown")
                .help("send it in the option `headers`, as a secret: Authorization"));
        }
        if authority.host().is_empty() || authority.as_str().ends_with(':') || authority.port_u16() == Some(0) {
            return Err(refused("the host or the port is missing"));
        }
        Ok(Url(uri))
    }

    /// Whether it is one of HTTPS.
    pub fn is_secure(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// The name or IP address in it, without brackets.
    pub fn host(&self) -> &str {
        self.0.host().unwrap_or_default().trim_matches(['[', ']'])
    }

    /// The port: 443 or 80 where it names none.
    pub fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(if self.is_secure() { 443 } else { 80 })
    }

    /// What a request to the server itself asks for: path and query.
    pub fn target(&self) -> &str {
        self.0.path_and_query().map_or("/", |target| target.as_str())
    }

    /// What the header `Host` says.
    pub fn authority(&self) -> &str {
        self.0.authority().map_or("", |authority| authority.as_str())
    }

    /// The same as other programs' libraries have it.
    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }

    /// Whether both lead to the same server.
    pub fn is_same_server(&self, other: &Url) -> bool {
        let server = |url: &Url| (url.is_secure(), url.host().to_ascii_lowercase(), url.port());
        server(self) == server(other)
    }

    /// Where a redirection with this `Location` leads (RFC 9110, section 10.2.2).
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub fn join(&self, location: &str) -> Result<Self> {
        let scheme = self.0.scheme_str().unwrap_or("https");
        let server = format!("{scheme}://{}", self.authority());
        Self::parse(&match location {
            full if full.contains("://") => full.to_owned(),
            other if other.starts_with("//") => format!("{scheme}:{other}"),
            path if path.starts_with('/') => format!("{server}{path}"),
            query if query.starts_with('?') => format!("{server}{}{query}", self.0.path()),
            beside => {
                let folder = self.0.path().rsplit_once('/').map_or("", |(folder, _)| folder);
                format!("{server}{folder}/{beside}")
            }
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        write!(f, "{scheme}://{}{}", self.authority(), self.target())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_port_and_target_are_taken_apart() {
        let url = Url::parse("https://www.example.org/a?b=c#d").unwrap();
        assert_eq!((url.host(), url.port(), url.target()), ("www.example.org", 443, "/a?b=c"));
        let url = Url::parse("http://[2001:db8::1]:8080").unwrap();
        assert_eq!((url.host(), url.port(), url.target()), ("2001:db8::1", 8080, "/"));
        assert_eq!((url.authority(), url.to_string().as_str()), ("[2001:db8::1]:8080", "http://[2001:db8::1]:8080/"));
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for bad in
            ["", "www.example.org", "ftp://a/", "https://", "https://a b/", "http://a:0/", "http://a:/", "http://:80/"]
        {
            assert!(Url::parse(bad).is_err(), "{bad:?} was accepted");
        }
        let error = Url::parse("https://ada:hunter22@www.example.org/").unwrap_err();
        assert!(!format!("{error:?}").contains("hunter22"), "{error:?}");
    }

    #[test]
    fn a_redirection_is_relative_to_where_it_comes_from() {
        let url = Url::parse("https://a.test:8443/x/y?z=1").unwrap();
        for (location, to) in [
            ("http://b.test/c", "http://b.test/c"),
            ("//b.test/c", "https://b.test/c"),
            ("/c?d", "https://a.test:8443/c?d"),
            ("c", "https://a.test:8443/x/c"),
            ("?d", "https://a.test:8443/x/y?d"),
        ] {
            assert_eq!(url.join(location).unwrap().to_string(), to, "{location}");
        }
    }
}
