//! A publisher of charts and of Helm's releases, on this machine's loopback.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::lab::{Lab, Step};

/// Serves as long as the test program runs.
pub struct Publisher {
    pub address: String,
    pub folder: PathBuf,
}

impl Publisher {
    /// A publisher of Helm `v4.3.1`, which is `program`, and of the tiny chart.
    pub fn new(lab: &Lab, program: &str) -> Step<Publisher> {
        let folder = PathBuf::from(lab.file("publisher"));
        let address = format!("http://{}", serve(&folder)?);
        let make = format!(
            r#"set -e
            rm -rf "$FOLDER"; mkdir -p "$FOLDER/linux-amd64"
            "$HELM" package tests/platform/charts/tiny -d "$FOLDER" >/dev/null
            "$HELM" repo index "$FOLDER" --url {address}
            cd "$FOLDER"; cp "$HELM" linux-amd64/helm; tar czf helm-v4.3.1-linux-amd64.tar.gz linux-amd64; rm -r linux-amd64
            sha256sum helm-v4.3.1-linux-amd64.tar.gz >helm-v4.3.1-linux-amd64.tar.gz.sha256sum
            echo v4.9.0 >helm4-latest-version"#
        );
        let mut command = Command::new("sh");
        command.args(["-c", &make]).env("HELM", program).env("FOLDER", &folder);
        let made = command.current_dir(env!("CARGO_MANIFEST_DIR")).status().map_err(|error| error.to_string())?;
        if !made.success() {
            return Err("the publisher can't be made".into());
        }
        Ok(Publisher { address, folder })
    }
}

/// Serves the files of a folder by HTTP as long as the test program runs, and returns where.
pub fn serve(folder: &Path) -> Step<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let folder = folder.to_owned();
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| answer(&folder, stream)));
    Ok(address)
}

fn answer(folder: &Path, mut stream: TcpStream) {
    let mut request = String::new();
    let mut reader = BufReader::new(&stream);
    let first = reader.read_line(&mut request);
    let mut line = String::new();
    while first.is_ok() && reader.read_line(&mut line).is_ok_and(|_| !line.trim().is_empty()) {
        line.clear();
    }
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().trim_start_matches('/'));
    let (status, body) = match std::fs::read(folder.join(path)) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let kind = match path.contains("/manifests/") {
        true => "application/vnd.oci.image.manifest.v1+json",
        false => "application/octet-stream",
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let body: &[u8] = if method == "HEAD" { &[] } else { &body };
    // A client that goes away has seen enough.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}
