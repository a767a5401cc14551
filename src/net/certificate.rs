//! X.509 certificates, for people.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;
use x509_cert::certificate::Certificate as Parsed;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// A certificate, as RFC 5280 names its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Whose it is, e.g. `CN=R12,O=Let's Encrypt,C=US`; authorities leave that of a site empty nowadays.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// The names and IP addresses that it is for.
    pub hosts: Vec<String>,
    /// Until when it is valid (RFC 3339).
    pub not_after: String,
}

impl Certificate {
    /// Those of a file in PEM, in the order in which they stand there. None where it holds no certificates.
    pub fn chain(pem: &[u8]) -> Vec<Self> {
        Parsed::load_pem_chain(pem).unwrap_or_default().iter().map(Self::of).collect()
    }

    /// One as it comes over the wire; nothing where it can't be read.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        Parsed::from_der(der).ok().as_ref().map(Self::of)
    }

    fn of(certificate: &Parsed) -> Self {
        let signed = certificate.tbs_certificate();
        let end = signed.validity().not_after.to_unix_duration().as_secs();
        let end = i64::try_from(end).ok().and_then(|end| Timestamp::from_second(end).ok());
        let names = signed.get_extension::<SubjectAltName>().ok().flatten().map(|(_, names)| names.0);
        Certificate {
            subject: signed.subject().to_string(),
            issuer: signed.issuer().to_string(),
            hosts: names.into_iter().flatten().filter_map(|name| host(&name)).collect(),
            not_after: end.map(|end| end.to_string()).unwrap_or_default(),
        }
    }
}

fn host(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(bytes) => {
            let four = <[u8; 4]>::try_from(bytes.as_bytes()).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(bytes.as_bytes()).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_read_from_the_site_to_the_authority() {
        insta::assert_debug_snapshot!(Certificate::chain(include_bytes!("certificate.pem")));
    }

    #[test]
    fn what_holds_no_certificates_is_no_chain() {
        assert_eq!(Certificate::chain(b"no certificate"), []);
        assert_eq!(Certificate::read(b"no certificate"), None);
    }
}
