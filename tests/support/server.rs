//! Servers of the test's own on loopback, and certificates for them. They end with the test's process.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

/// A request as a server has read it.
pub struct Asked {
    /// The first line and the headers, as they came.
    pub head: String,
    pub body: Vec<u8>,
}

impl Asked {
    /// What the first line asks for.
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}

/// Listens at a free port, and has each connection served in a thread of its own.
pub fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    port
}

/// Speaks HTTP with whoever connects; an answer is everything from the status line on.
pub fn http(answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> u16 {
    listen(move |mut stream| exchange(&mut stream, &answer))
}

/// The same over TLS, with the chain and the key of an [`Authority`].
pub fn https(certificate: &Certificate, answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> u16 {
    let chain = CertificateDer::pem_slice_iter(certificate.chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
    listen(move |stream| {
        let session = rustls::ServerConnection::new(config.clone()).unwrap();
        exchange(&mut rustls::StreamOwned::new(session, stream), &answer);
    })
}

/// Whoever asks may go away at any time, as one does who doesn't trust the certificate.
fn exchange(stream: &mut (impl Read + Write), answer: &impl Fn(&Asked) -> Vec<u8>) {
    let Some(asked) = read(stream) else { return };
    let _ = stream.write_all(&answer(&asked)).and_then(|()| stream.flush());
}

/// Reads a request; nothing where the connection ends before.
pub fn read(stream: &mut impl Read) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { head, body })
}

/// An answer with headers, each with its line end, and a body.
pub fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A certificate with those that vouch for it, and its key, in PEM.
pub struct Certificate {
    pub chain: String,
    pub key: String,
}

/// A certificate authority of the test's own.
pub struct Authority {
    folder: TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        openssl(folder.path(), "req -x509 NEW -subj /CN=Test/O=Authority -days 2 -keyout ca.key -out ca.pem");
        Authority { folder }
    }

    /// What proves its certificates, in PEM.
    pub fn pem(&self) -> String {
        fs::read_to_string(self.folder.path().join("ca.pem")).unwrap()
    }

    /// A certificate for names like `DNS:www.example.test,IP:127.0.0.1`, for so many days from now on: a negative number makes one
    /// that has ended.
    pub fn certificate(&self, names: &str, days: i32) -> Certificate {
        let folder = self.folder.path();
        openssl(folder, &format!("req NEW -subj /CN=site -addext subjectAltName={names} -keyout key -out request"));
        openssl(
            folder,
            &format!(
                "x509 -req -in request -CA ca.pem -CAkey ca.key -set_serial 2 -days {days} -copy_extensions copy -out site"
            ),
        );
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        Certificate { chain: format!("{}{}", read("site"), self.pem()), key: read("key") }
    }
}

fn openssl(folder: &Path, words: &str) {
    let words = words.replace("NEW", "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes");
    let mut command = Command::new("openssl");
    let output = command.args(words.split(' ')).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&output.stderr));
}
