//! What the text of a setting may be: each function accepts a text or says what is wrong with it and how to write it.

use std::{
    fs::File,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
};

use ipnet::{IpNet, Ipv4Net};

use crate::suggestion::nearest;

use super::{Artifact, Role, document::Source, reader::Fault};

pub(super) use super::names::{app_name, domain, image, issuer, one_of, quantity, variable_name};

/// A name that can be a host name and the name of a Kubernetes node: a label of RFC 1123 in lower case.
pub(super) fn host_name(text: &str) -> Result<String, Fault> {
    let invalid = |reason: &str, remedy: String| Err(Fault::new(format!("is not a valid host name: {reason}"), remedy));
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.chars().any(|c| c.is_ascii_uppercase()) {
        return invalid("it has upper-case letters", format!("write \"{}\"", text.to_ascii_lowercase()));
    }
    if text.contains('.') {
        return invalid("it has dots", "write the short name, without the domain".to_owned());
    }
    if let Some(c) = text.chars().find(|c| !allowed(*c)) {
        return invalid(&format!("it has a {c:?}"), "use lower-case letters, digits and hyphens".to_owned());
    }
    if text.starts_with('-') || text.ends_with('-') {
        return invalid("it begins or ends with a hyphen", format!("write \"{}\"", text.trim_matches('-')));
    }
    if text.len() > 63 {
        return invalid(&format!("it has {} letters", text.len()), "use at most 63 letters".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn role(text: &str) -> Result<Role, Fault> {
    match text {
        "master" => Ok(Role::Master),
        "worker" => Ok(Role::Worker),
        other => {
            let remedy = match nearest(other, ["master", "worker", "server", "control-plane", "agent"]) {
                Some("master" | "server" | "control-plane") => "did you mean \"master\"?",
                Some(_) => "did you mean \"worker\"?",
                None => "write \"master\" or \"worker\"",
            };
            Err(Fault::new(format!("is neither \"master\" nor \"worker\": {other:?}"), remedy))
        }
    }
}

/// An IPv4 address that a machine can have on an interface.
pub(super) fn ipv4(text: &str) -> Result<Ipv4Addr, Fault> {
    let address: Ipv4Addr = text.parse().map_err(|_| {
        let remedy = if text.parse::<Ipv6Addr>().is_ok() {
            "this is an IPv6 address; give the machine's IPv4 address here"
        } else if text.contains('/') {
            "leave out the part from the slash on"
        } else {
            "write four numbers from 0 to 255, for example \"10.0.0.2\""
        };
        Fault::new(format!("is not an IPv4 address: {text:?}"), remedy)
    })?;
    if address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_link_local()
    {
        return Err(not_of_a_machine(text));
    }
    Ok(address)
}

/// An IPv6 address that a machine can have on an interface.
pub(super) fn ipv6(text: &str) -> Result<Ipv6Addr, Fault> {
    let address: Ipv6Addr = text.parse().map_err(|_| {
        let remedy = if text.parse::<Ipv4Addr>().is_ok() {
            "this is an IPv4 address; give the machine's IPv6 address, or leave the key out if it has none"
        } else {
            "write it like \"2001:db8::1\", without brackets, prefix length and zone"
        };
        Fault::new(format!("is not an IPv6 address: {text:?}"), remedy)
    })?;
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() || address.is_unicast_link_local() {
        return Err(not_of_a_machine(text));
    }
    Ok(address)
}

fn not_of_a_machine(text: &str) -> Fault {
    Fault::new(
        format!("is not an address by which other machines reach this one: {text:?}"),
        "give the address of its network interface; `ip address` on the machine shows it",
    )
}

pub(super) fn network(text: &str) -> Result<IpNet, Fault> {
    let network: IpNet = text.parse().map_err(|_| not_a_network(text))?;
    if network.trunc() != network { Err(host_bits(text, network.trunc().to_string())) } else { Ok(network) }
}

/// An address, as the network that has no other, or a network.
pub(super) fn address_or_network(text: &str) -> Result<IpNet, Fault> {
    text.parse::<IpAddr>().map(IpNet::from).or_else(|_| network(text))
}

/// An IPv4 network whose prefix length is between two bounds, for the given reason.
pub(super) fn ipv4_network(text: &str, prefixes: std::ops::RangeInclusive<u8>, why: &str) -> Result<Ipv4Net, Fault> {
    let IpNet::V4(network) = network(text)? else {
        return Err(Fault::new(
            format!("is an IPv6 network: {text:?}"),
            "give an IPv4 network, for example \"10.42.0.0/16\"",
        ));
    };
    if !prefixes.contains(&network.prefix_len()) {
        let remedy = format!("choose a prefix length from /{} to /{}: {why}", prefixes.start(), prefixes.end());
        return Err(Fault::new(format!("has an unusable size: {text:?}"), remedy));
    }
    Ok(network)
}

fn not_a_network(text: &str) -> Fault {
    let remedy = match text.parse::<std::net::IpAddr>() {
        Ok(address) => {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            format!("add the prefix length: \"{text}/{bits}\" is this one address")
        }
        Err(_) => "write an address and a prefix length, for example \"10.42.0.0/16\"".to_owned(),
    };
    Fault::new(format!("is not a network: {text:?}"), remedy)
}

fn host_bits(text: &str, network: String) -> Fault {
    Fault::new(format!("is an address inside a network: {text:?}"), format!("write the network itself: \"{network}\""))
}

/// The name of a network interface, as the Linux kernel accepts it (`dev_valid_name`).
pub(super) fn interface(text: &str) -> Result<String, Fault> {
    let valid = text.len() <= 15
        && text != "."
        && text != ".."
        && !text.contains(['/', ':'])
        && !text.contains(char::is_whitespace);
    if !valid {
        return Err(Fault::new(
            format!("is not the name of a network interface: {text:?}"),
            "give the name that `ip -brief address` shows beside the machine's private address, for example \"eth1\"",
        ));
    }
    Ok(text.to_owned())
}

/// The SHA-256 of a file in hexadecimal, as `sha256sum` prints it; in lower case afterwards.
pub(super) fn sha256(text: &str) -> Result<String, Fault> {
    let remedy = "copy the 64 hexadecimal digits that `sha256sum FILE` prints";
    if let Some(c) = text.chars().find(|c| !c.is_ascii_hexdigit()) {
        return Err(Fault::new(format!("is not a SHA-256: {c:?} is not a hexadecimal digit"), remedy));
    }
    if text.len() != 64 {
        return Err(Fault::new(format!("is not a SHA-256: it has {} digits instead of 64", text.len()), remedy));
    }
    Ok(text.to_ascii_lowercase())
}

/// What `ssh` can connect to: an alias of the ssh_config, a host name or an address, maybe after `user@`.
pub(super) fn destination(text: &str) -> Result<String, Fault> {
    let fault = |remedy: &str| Err(Fault::new(format!("is not an SSH destination: {text:?}"), remedy));
    let (user, host) = text.rsplit_once('@').map_or((None, text), |(user, host)| (Some(user), host));
    if user.is_some_and(|user| user.trim_start_matches("ssh://").contains(':')) {
        let remedy = "leave the password out: SSH uses your keys and your agent";
        return Err(Fault::new("is not an SSH destination: it has a colon before the @", remedy));
    }
    if text.contains("://") {
        return fault("write user@host, and the port as ssh_port");
    }
    if host.contains(['[', ']']) {
        return fault("write an IPv6 address without brackets, and the port as ssh_port");
    }
    if host.contains(':') && host.split('%').next().is_none_or(|address| address.parse::<Ipv6Addr>().is_err()) {
        return fault("write the port as ssh_port");
    }
    if host.is_empty()
        || user == Some("")
        || text.starts_with('-')
        || text.contains(|c: char| c.is_whitespace() || c.is_control())
    {
        return fault("write an alias of your ssh_config, a host or user@host");
    }
    Ok(text.to_owned())
}

/// The name of a login.
pub(super) fn user(text: &str) -> Result<String, Fault> {
    if text.starts_with('-') || text.contains(|c: char| c.is_whitespace() || c.is_control() || "@:/".contains(c)) {
        return Err(Fault::new(
            format!("is not a user's name: {text:?}"),
            "write the name alone, for example \"admin\"",
        ));
    }
    Ok(text.to_owned())
}

/// Hosts to jump over, in the form of ssh's `-J`: with commas between them.
pub(super) fn jump(text: &str) -> Result<Vec<String>, Fault> {
    let invalid = |host: &str| {
        host.is_empty() || host.starts_with('-') || host.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    if text.split(',').any(invalid) {
        return Err(Fault::new(
            format!("is not a jump host: {text:?}"),
            "write it as for `ssh -J`: an alias or user@host:port, several with commas and no spaces between them",
        ));
    }
    Ok(text.split(',').map(str::to_owned).collect())
}

/// The name of an environment variable that is set.
pub(super) fn variable(text: &str) -> Result<String, Fault> {
    match std::env::var_os(text) {
        Some(value) if !value.is_empty() => Ok(text.to_owned()),
        _ => Err(Fault::new(
            format!("names an environment variable that is not set: {text:?}"),
            format!("set it without leaving it in the shell's history: read -rs {text}; export {text}"),
        )),
    }
}

/// A file that can be read. `~/` is the user's home; other relative paths start at the configuration file's folder, or at the
/// working directory when they come from `--set`.
pub(super) fn file(text: &str, source: &Source) -> Result<PathBuf, Fault> {
    let path = located(text, source);
    let shown = path.display();
    let base = if source.base.as_os_str().is_empty() {
        "the working directory".into()
    } else {
        source.base.display().to_string()
    };
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Fault::new(
            format!("names a file that doesn't exist: {shown}"),
            format!("correct the path; relative ones start at {base}"),
        ),
        _ => Fault::new(
            format!("names a file that can't be read: {shown}: {error}"),
            "give yourself the right to read it",
        ),
    };
    let metadata = File::open(&path).and_then(|file| file.metadata()).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Fault::new(format!("names a directory: {shown}"), "give the path of a file"));
    }
    Ok(path)
}

pub(super) fn located(text: &str, source: &Source) -> PathBuf {
    match (text.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => source.base.join(text),
    }
}

/// A readable file that nobody but its owner can read.
pub(super) fn secret_file(text: &str, source: &Source) -> Result<PathBuf, Fault> {
    let path = file(text, source)?;
    let shown = path.display();
    match path.metadata() {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => Err(Fault::new(
            format!("names a file that others can use: {shown}"),
            format!("make it yours alone: chmod 600 {shown}"),
        )),
        _ => Ok(path),
    }
}

/// A readable file, or an address to download from.
pub(super) fn artifact(text: &str, source: &Source) -> Result<Artifact, Fault> {
    let Some((scheme, rest)) = text.split_once("://") else { return file(text, source).map(Artifact::Path) };
    let host = rest.split('/').next().unwrap_or_default();
    let remedy = if scheme != "https" {
        "give a path or an https:// address"
    } else if host.contains('@') {
        "leave out the login: an address is no place for a secret; download the file and give its path"
    } else if host.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        "write it like https://example.org/k3s"
    } else {
        return Ok(Artifact::Url(text.to_owned()));
    };
    Err(Fault::new("is not an address to download from", remedy))
}

/// A chart: a file or a folder here, or an address. Helm wants a path with a slash in it, or it looks for a repository.
pub(super) fn chart(text: &str, source: &Source) -> Result<String, Fault> {
    if let Some((scheme, rest)) = text.split_once("://") {
        let usable = ["https", "oci"].contains(&scheme)
            && !rest.is_empty()
            && !rest.split('/').next().unwrap_or_default().contains('@')
            && !rest.contains(|c: char| c.is_whitespace() || c.is_control());
        let remedy = "give a path, or an https:// or oci:// address without a login";
        return if usable { Ok(text.to_owned()) } else { Err(Fault::new("is not the address of a chart", remedy)) };
    }
    let path = located(text, source);
    if path.join("Chart.yaml").is_file() {
        return Ok(path.display().to_string());
    }
    file(text, source).map(|path| path.display().to_string()).map_err(|fault| match path.is_dir() {
        true => Fault::new(
            format!("names a directory that is not a chart: {}", path.display()),
            "give the path of a packed chart (.tgz), or of a folder with a Chart.yaml",
        ),
        false => fault,
    })
}

/// An https address.
pub(super) fn https(text: &str) -> Result<String, Fault> {
    let host = text.strip_prefix("https://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if host.is_empty() || host.contains('@') || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Fault::new(
            format!("is not an https address: {text:?}"),
            "write it like https://acme.example.org/directory",
        ));
    }
    Ok(text.to_owned())
}

/// An e-mail address; more than its form nobody can tell.
pub(super) fn email(text: &str) -> Result<String, Fault> {
    let valid = text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && domain(host).is_ok());
    if !valid || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Fault::new(format!("is not an e-mail address: {text:?}"), "write it as name@domain"));
    }
    if ["example.com", "example.net", "example.org"].iter().any(|domain| text.ends_with(&format!("@{domain}"))) {
        return Err(Fault::new(
            format!("is a placeholder, which Let's Encrypt refuses: {text:?}"),
            "give an address that you read",
        ));
    }
    Ok(text.to_owned())
}

/// The path of an address.
pub(super) fn url_path(text: &str) -> Result<String, Fault> {
    if !text.starts_with('/') || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Fault::new(format!("is not the path of an address: {text:?}"), "write it like \"/healthz\""));
    }
    Ok(text.to_owned())
}

/// A folder in a container, by its full path.
pub(super) fn folder(text: &str) -> Result<String, Fault> {
    let invalid = text.contains(':') || text.split('/').any(|part| part == "..") || text.contains(char::is_control);
    if !text.starts_with('/') || text.trim_matches('/').is_empty() || invalid {
        return Err(Fault::new(format!("is not the full path of a folder: {text:?}"), "write it like \"/data\""));
    }
    Ok(text.to_owned())
}
