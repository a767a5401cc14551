//! The X.509 certificates that a Secret holds, in the order in which they are served: the site's own first, then those of the
//! authorities that vouch for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use x509_cert::certificate::{Certificate, CertificateInner};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::chain::text;

/// A certificate, as RFC 5280 names its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Served {
    /// Whose it is, e.g. `CN=R12,O=Let's Encrypt,C=US`; authorities leave that of a site empty nowadays.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// The names that it is for.
    pub hosts: Vec<String>,
    /// Until when it is valid (RFC 3339).
    pub not_after: String,
}

/// What a Secret of type `kubernetes.io/tls` has served; nothing where it holds no certificates.
pub(super) fn served(secret: &Value) -> Vec<Served> {
    let chain = STANDARD.decode(text(secret, "/data/tls.crt")).unwrap_or_default();
    Certificate::load_pem_chain(&chain).unwrap_or_default().iter().map(Served::of).collect()
}

impl Served {
    fn of(certificate: &CertificateInner) -> Self {
        let signed = certificate.tbs_certificate();
        let end = signed.validity().not_after.to_unix_duration().as_secs();
        let end = i64::try_from(end).ok().and_then(|end| Timestamp::from_second(end).ok());
        let names = signed.get_extension::<SubjectAltName>().ok().flatten().map(|(_, names)| names.0);
        let name = |name: GeneralName| match name {
            GeneralName::DnsName(name) => Some(name.to_string()),
            _ => None,
        };
        Served {
            subject: signed.subject().to_string(),
            issuer: signed.issuer().to_string(),
            hosts: names.into_iter().flatten().filter_map(name).collect(),
            not_after: end.map(|end| end.to_string()).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_chain_is_read_from_the_site_to_the_authority() {
        let chain = STANDARD.encode(include_str!("served.pem"));
        insta::assert_debug_snapshot!(served(&json!({ "data": { "tls.crt": chain } })));
    }

    #[test]
    fn a_secret_without_certificates_has_none_served() {
        assert_eq!(served(&json!({ "data": { "tls.crt": STANDARD.encode("no certificate") } })), []);
        assert_eq!(served(&json!({})), []);
    }
}
