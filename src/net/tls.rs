//! TLS: whose certificate is served, and whether it proves anything.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::certificate::Certificate;
use crate::error::{Error, Reason, Result};
use crate::host::{Host, Stream};

/// Whom to trust.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The authorities that count instead of those of this machine, in PEM.
    pub ca: Option<String>,
    /// Whether to go on where the certificate proves nothing.
    pub insecure: bool,
}

/// A connection on which TLS is spoken.
pub struct Secured {
    /// What goes through it.
    pub stream: Stream,
    /// What was served: the server's own certificate first.
    pub chain: Vec<Certificate>,
    /// Why the chain proves nothing; nothing where it does.
    pub distrust: Option<String>,
}

/// Speaks TLS with `name`, a name or an IP address, on a connection to it.
///
/// # Errors
/// Host, with the reason: untrusted, or bad answer where no TLS is spoken; refused where `ca` holds no certificates.
pub async fn secure(stream: Stream, name: &str, trust: &Trust) -> Result<Secured> {
    let asked = ServerName::try_from(name.to_owned())
        .map_err(|_| Error::refused(format!("{name:?} is neither a name nor an IP address")))?;
    let judge = Arc::new(Judge::new(trust)?);
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::refused(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(judge.clone())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let done = TlsConnector::from(Arc::new(config)).connect(asked, stream).await;
    let seen = std::mem::take(&mut *judge.seen.lock().unwrap_or_else(PoisonError::into_inner));
    let distrust = seen.distrust.map(|error| words(&error, name, &seen.chain));
    match (done, distrust) {
        (Ok(stream), distrust) => Ok(Secured { stream: Box::new(stream), chain: seen.chain, distrust }),
        (Err(_), Some(why)) if !trust.insecure => Err(Error::host(why).because(Reason::Untrusted).help(
            "give the authority that counts in the option `ca`, or set `insecure` where nothing depends on who answers",
        )),
        (Err(error), _) => Err(unspoken(name, &error)),
    }
}

/// The chain that is served at `port` of `address` to those who ask for `name`, as `host` sees it.
///
/// # Errors
/// Those of [`Host::dial`] and `secure`, all after `limit` at the latest.
pub async fn served(
    host: &Host,
    address: &str,
    port: u16,
    name: &str,
    trust: &Trust,
    limit: Duration,
) -> Result<Vec<Certificate>> {
    let stream = host.dial(address, port, limit).await?;
    let secured = tokio::time::timeout(limit, secure(stream, name, trust)).await.unwrap_or_else(|_| {
        Err(Error::unreachable(format!(
            "{address} port {port} does not answer over TLS within {} s",
            limit.as_secs_f32()
        ))
        .because(Reason::Timeout))
    });
    secured.map(|secured| secured.chain).map_err(|error| error.on(host.name()))
}

fn unspoken(name: &str, error: &io::Error) -> Error {
    let said = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    let message = match said {
        Some(rustls::Error::InvalidMessage(_)) => format!("what answers at {name} speaks no TLS"),
        Some(rustls::Error::AlertReceived(alert)) => format!("{name} refuses TLS with the alert {alert:?}"),
        _ if error.kind() == io::ErrorKind::UnexpectedEof => {
            format!("{name} ends the connection instead of speaking TLS")
        }
        _ => format!("TLS with {name} fails: {error}"),
    };
    Error::host(message).because(Reason::BadAnswer).help("is it the right port, and does the server know this name?")
}

/// Judges a certificate, and keeps what it has seen.
#[derive(Debug)]
struct Judge {
    /// None where this machine trusts nobody.
    inner: Option<Arc<dyn ServerCertVerifier>>,
    insecure: bool,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    chain: Vec<Certificate>,
    distrust: Option<rustls::Error>,
}

impl Judge {
    fn new(trust: &Trust) -> Result<Self> {
        let inner = match &trust.ca {
            Some(pem) => Some(authorities(pem)?),
            None => system(),
        };
        Ok(Judge { inner, insecure: trust.insecure, seen: Mutex::default() })
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = match &self.inner {
            Some(inner) => inner.verify_server_cert(own, others, name, ocsp, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.chain = std::iter::once(own).chain(others).filter_map(|one| Certificate::read(one)).collect();
        seen.distrust = verdict.as_ref().err().cloned();
        if self.insecure { Ok(ServerCertVerified::assertion()) } else { verdict }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(ring::default_provider())).clone()
}

/// Whom this machine trusts; read once, which takes a few ms.
fn system() -> Option<Arc<dyn ServerCertVerifier>> {
    static SYSTEM: OnceLock<Option<Arc<dyn ServerCertVerifier>>> = OnceLock::new();
    let read = || rustls_platform_verifier::Verifier::new(provider()).ok();
    SYSTEM.get_or_init(|| read().map(|verifier| Arc::new(verifier) as Arc<dyn ServerCertVerifier>)).clone()
}

fn authorities(pem: &str) -> Result<Arc<dyn ServerCertVerifier>> {
    let refused = || Error::refused("`ca` holds no certificate of an authority in PEM");
    let mut roots = RootCertStore::empty();
    for one in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(one.map_err(|_| refused())?).map_err(|_| refused())?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    Ok(verifier.map_err(|_| refused())?)
}

/// Why a chain proves nothing.
fn words(error: &rustls::Error, name: &str, chain: &[Certificate]) -> String {
    use CertificateError as Why;
    let of = format!("the certificate of {name}");
    let end = chain.first().map_or("", |own| &own.not_after);
    let hosts = chain.first().map(|own| own.hosts.join(", ")).filter(|hosts| !hosts.is_empty());
    let rustls::Error::InvalidCertificate(why) = error else { return format!("{of} can't be judged: {error}") };
    // An authority's own certificate, served as that of a site, is none of the known errors.
    if let [own] = chain
        && own.issuer == own.subject
        && matches!(why, Why::UnknownIssuer | Why::Other(_))
    {
        return format!("{of} is signed by itself ({})", own.subject);
    }
    match why {
        Why::Expired | Why::ExpiredContext { .. } => {
            format!("{of}, or one that vouches for it, has expired; its own ends at {end}")
        }
        Why::NotValidYet | Why::NotValidYetContext { .. } => format!("{of} is not valid yet: is a clock wrong?"),
        Why::NotValidForName | Why::NotValidForNameContext { .. } => {
            format!("{of} is for {}", hosts.as_deref().unwrap_or("nobody"))
        }
        Why::UnknownIssuer => match chain {
            [.., last] => format!("{of} is signed by {}, whom nobody here trusts", last.issuer),
            [] => format!("{of} is signed by nobody whom we trust"),
        },
        Why::Revoked => format!("{of} was revoked"),
        other => format!("{of} is not valid: {other}"),
    }
}
