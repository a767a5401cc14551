//! What Kubernetes, registries and the internet take for a name: each function accepts a text or says what is wrong with it.

use std::net::IpAddr;

use crate::suggestion::nearest;

use super::{reader::Fault, values::host_name};

/// The name of a Service, and so of an app: a label of RFC 1035 in lower case.
pub(super) fn app_name(text: &str) -> Result<String, Fault> {
    let fault = |reason: &str, remedy: String| Fault::new(format!("can't be the name of an app: {reason}"), remedy);
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(fault("it begins with a digit", format!("begin with a letter, for example \"app-{text}\"")));
    }
    host_name(text).map_err(|other| Fault {
        reason: other.reason.replace("is not a valid host name", "can't be the name of an app"),
        ..other
    })
}

/// The name of a ClusterIssuer: labels of RFC 1123 with dots between them.
pub(super) fn issuer(text: &str) -> Result<String, Fault> {
    if text.len() > 253 || text.split('.').any(|label| label.is_empty() || host_name(label).is_err()) {
        return Err(Fault::new(
            format!("is not the name of a ClusterIssuer: {text:?}"),
            "`kubectl get clusterissuers` shows those that there are",
        ));
    }
    Ok(text.to_owned())
}

/// A full domain name for which a certificate can be had by HTTP-01: labels of RFC 1123 with dots between them.
pub(super) fn domain(text: &str) -> Result<String, Fault> {
    let invalid = |reason: &str, remedy: String| {
        let reason = if reason.is_empty() { String::new() } else { format!(", {reason}") };
        Err(Fault::new(format!("is not a domain name{reason}: {text:?}"), remedy))
    };
    let address = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if address.parse::<IpAddr>().is_ok() {
        return invalid(
            "but an address, for which there is no certificate",
            "write a name that leads to this address".to_owned(),
        );
    }
    if text.contains("://") || text.contains(['/', ':']) {
        return invalid("", "write the name alone, without https://, port and path".to_owned());
    }
    if text.contains('*') {
        return invalid(
            "but a wildcard",
            "certificates come by HTTP-01, which knows no wildcards (they need DNS-01): write each name".to_owned(),
        );
    }
    if !text.is_ascii() {
        return invalid(
            "because it has letters beyond a to z",
            "write its ASCII form, which begins with xn--; `idn2 NAME` prints it".to_owned(),
        );
    }
    if text.contains('_') {
        return invalid(
            "because of the underscore",
            format!("no authority signs such a name; use a hyphen: \"{}\"", text.replace('_', "-")),
        );
    }
    if let Some(rest) = text.strip_suffix('.') {
        return invalid("because of the dot at its end", format!("write \"{rest}\""));
    }
    if text.chars().any(|c| c.is_ascii_uppercase()) {
        return invalid("because of upper-case letters", format!("write \"{}\"", text.to_ascii_lowercase()));
    }
    let digits = text.rsplit('.').next().is_some_and(|last| last.chars().all(|c| c.is_ascii_digit()));
    if text.len() > 253
        || !text.contains('.')
        || digits
        || text.split('.').any(|label| label.is_empty() || host_name(label).is_err())
    {
        return invalid("", "write a full name in lower case, for example \"www.example.org\"".to_owned());
    }
    Ok(text.to_owned())
}

/// A reference to a container image, with a tag or a digest.
pub(super) fn image(text: &str) -> Result<String, Fault> {
    let invalid = |why: &str, remedy: &str| Err(Fault::new(format!("is not a container image{why}: {text:?}"), remedy));
    let like = "write it like ghcr.io/example/web:1.0, without https://";
    if text.contains("://") || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return invalid("", like);
    }
    let (named, digest) = text.split_once('@').map_or((text, None), |(named, digest)| (named, Some(digest)));
    // A colon before the last slash is that of a registry's port.
    let tag_at = named.rfind(':').filter(|at| !named[*at..].contains('/'));
    let (path, tag) = tag_at.map_or((named, None), |at| (&named[..at], Some(&named[at + 1..])));
    let (registry, repository) = match path.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, path),
    };
    if repository.chars().any(|c| c.is_ascii_uppercase()) {
        let remedy =
            format!("write it in lower case: \"{}\"", text.replace(repository, &repository.to_ascii_lowercase()));
        return invalid(", because of upper-case letters", &remedy);
    }
    let part = |part: &str| {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        let edge = |c: char| "._-".contains(c);
        !part.is_empty() && part.chars().all(letters) && !part.starts_with(edge) && !part.ends_with(edge)
    };
    let host = |host: &str| {
        let (name, port) = host.split_once(':').unwrap_or((host, "443"));
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
            && port.parse::<u16>().is_ok()
    };
    if !repository.split('/').all(part) || !registry.is_none_or(host) {
        return invalid("", like);
    }
    let word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if tag.is_some_and(|tag| tag.is_empty() || tag.len() > 128 || !tag.chars().all(word) || tag.starts_with(['.', '-']))
    {
        return invalid(", because of its tag", "a tag has up to 128 letters, digits, dots, hyphens and underscores");
    }
    let hex = |digest: &str| {
        let digits = digest.strip_prefix("sha256:").unwrap_or_default();
        digits.len() == 64 && digits.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
    };
    match (tag, digest) {
        (_, Some(digest)) if !hex(digest) => {
            invalid(", because of its digest", "write @sha256: and 64 hexadecimal digits in lower case")
        }
        (None, None) => Err(Fault::new(
            format!("has no tag: {text:?}"),
            format!(
                "add a tag or a digest, for example \"{text}:1.0\": without one, the version would change under you"
            ),
        )),
        _ => Ok(text.to_owned()),
    }
}

/// The name of a variable of a program's environment.
pub(super) fn variable_name(name: &str) -> Result<(), Fault> {
    let valid = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !valid || name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Fault::new(
            "is not the name of a variable",
            "use letters, digits and underscores, and begin with no digit",
        ));
    }
    Ok(())
}

/// One of some words.
pub(super) fn one_of(text: &str, words: &[&str]) -> Result<String, Fault> {
    if words.contains(&text) {
        return Ok(text.to_owned());
    }
    let remedy = match nearest(text, words.iter().copied()) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("write \"{}\"", words.join("\" or \"")),
    };
    Err(Fault::new(format!("is not one of {}: {text:?}", words.join(", ")), remedy))
}

/// An amount of something: a whole number and one of the units.
pub(super) fn quantity(text: &str, units: &[&str], example: &str) -> Result<String, Fault> {
    let amount = |unit: &str| {
        text.strip_suffix(unit).is_some_and(|number| {
            number.chars().all(|c| c.is_ascii_digit()) && number.parse::<u32>().is_ok_and(|number| number > 0)
        })
    };
    if units.iter().any(|unit| amount(unit)) {
        return Ok(text.to_owned());
    }
    let units: Vec<&str> = units.iter().copied().filter(|unit| !unit.is_empty()).collect();
    Err(Fault::new(
        format!("is not an amount: {text:?}"),
        format!("write a whole number with {}, for example {example}", units.join(" or ")),
    ))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn what_is_a_name_is_accepted() {
        for host in ["www.example.org", "xn--bcher-kva.example.org", "a.b", "1and1.example.org"] {
            assert_eq!(domain(host).as_deref(), Ok(host));
        }
        let digest = format!("web@sha256:{}", "0a".repeat(32));
        for name in
            ["nginx:1.29", "a/b:1", "registry.example.org:5000/a/b:v1.0", "localhost:5000/a:1", "a__b/c-d:X_1", &digest]
        {
            assert_eq!(image(name).as_deref(), Ok(name));
        }
        assert_eq!(quantity("2", &["m", ""], "2").as_deref(), Ok("2"));
    }

    #[test]
    fn what_is_not_a_name_is_refused_with_the_reason() {
        let hosts = [
            "203.0.113.2",
            "2001:db8::1",
            "*.example.org",
            "bücher.example.org",
            "my_app.example.org",
            "www.example.org.",
            "WWW.example.org",
            "localhost",
            "https://www.example.org/",
            "www.example.org:443",
            "www..example.org",
            "-a.example.org",
            "203.0.113.256",
        ];
        let images = [
            "nginx",
            "registry.example.org:5000/web",
            "NGINX:1",
            "ghcr.io/Example/web:1",
            "https://ghcr.io/a/b:1",
            "web:",
            "web:-1",
            "web@sha256:12",
            "a//b:1",
            "web :1",
        ];
        let names = ["9web", "Web", "web.shop", "web_1", "-web"];
        let mut said = String::new();
        let mut tell = |fault: Fault| writeln!(said, "{}\n  -> {}", fault.reason, fault.remedy).unwrap();
        hosts.iter().for_each(|text| tell(domain(text).unwrap_err()));
        images.iter().for_each(|text| tell(image(text).unwrap_err()));
        names.iter().for_each(|text| tell(app_name(text).unwrap_err()));
        ["1", "0Gi", "Gi", "1.5Gi", "1GB", "+1Gi"]
            .iter()
            .for_each(|text| tell(quantity(text, &["Mi", "Gi"], "1Gi").unwrap_err()));
        ["1A", "A-B", ""].iter().for_each(|text| tell(variable_name(text).unwrap_err()));
        tell(one_of("ingress", &["IngressRoute", "Ingress"]).unwrap_err());
        insta::assert_snapshot!(said);
    }
}
