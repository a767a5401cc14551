//! Keeps what looks like a secret out of the excerpts that errors show: no setting holds a secret, but people try.

use std::ops::Range;

/// The text with the values of secret-looking keys, and passwords before an `@`, replaced by as many asterisks as they have
/// bytes, so that places stay valid.
pub(super) fn masked(text: &str) -> String {
    let (mut open, mut in_secrets) = (None, false);
    let mut shown = String::new();
    for line in text.split_inclusive('\n') {
        if let (None, Some(header)) = (open, header(line)) {
            in_secrets = header.split('.').any(|part| is_secret(part.trim_matches(['"', '\'', ' '])));
        }
        shown += &mask_line(line, &mut open, in_secrets);
    }
    shown
}

/// The name of the table that begins with this line, if one does.
fn header(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix('[')?.trim_start_matches('[');
    name.split_once(']').map(|(name, _)| name)
}

/// `open` is the quotes of a secret text of several lines or the brace, that the line before has begun. In a table of secrets every value is
/// one.
fn mask_line(line: &str, open: &mut Option<&'static str>, in_secrets: bool) -> String {
    let content = line.trim_end_matches(['\n', '\r']);
    let secret = match *open {
        Some(quotes) => {
            let ends = if quotes == "}" { content.trim_start().starts_with('}') } else { content.contains(quotes) };
            *open = open.filter(|_| !ends);
            Some(0..content.len())
        }
        None => {
            let all = || content.find('=').filter(|_| in_secrets).map(|at| at + 1..content.len());
            let value = all().or_else(|| value_of_secret_key(content));
            let begun = |quotes: &&str| value.clone().is_some_and(|value| content[value].matches(*quotes).count() == 1);
            let braces = value.clone().is_some_and(|value| {
                let value = content[value].trim();
                value.starts_with('{') && value.matches('{').count() > value.matches('}').count()
            });
            *open = ["\"\"\"", "'''"].into_iter().find(begun).or(braces.then_some("}"));
            value.or_else(|| login(content))
        }
    };
    let Some(secret) = secret else { return line.to_owned() };
    let stars = "*".repeat(secret.len());
    [&line[..secret.start], &stars, &line[secret.end..]].concat()
}

fn value_of_secret_key(line: &str) -> Option<Range<usize>> {
    line.match_indices('=').find_map(|(at, _)| {
        let key = line[..at].rsplit(['{', ',', ' ', '\t', '"', '\'']).find(|word| !word.is_empty())?;
        key.split('.').any(is_secret).then_some(at + 1..line.len())
    })
}

/// Whether a key of this name would hold a secret itself, instead of the name of the place where one is kept.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    let names_a_secret = ["password", "passphrase", "token", "secret"].iter().any(|word| key.contains(word));
    names_a_secret && !key.ends_with("_env") && !key.ends_with("_file")
}

/// What stands before the `@` of a URL, or between `user:` and the `@` of another address.
fn login(line: &str) -> Option<Range<usize>> {
    line.match_indices('@').find_map(|(end, _)| {
        let start = line[..end].rfind(['/', '"', '\'', ',', ' ', '=']).map_or(0, |separator| separator + 1);
        if line[..start].ends_with("://") {
            return Some(start..end);
        }
        line[start..end].find(':').map(|colon| start + colon + 1..end)
    })
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn secrets_are_masked_and_everything_else_is_kept() {
        for (text, shown) in [
            ("sudo_password = \"x\" # y\nuser = \"a\"\n", "sudo_password =********\nuser = \"a\"\n"),
            ("ssh = { port = 1, \"token\" = 'x' }", "ssh = { port = 1, \"token\" =******"),
            ("ssh.sudo_password=hunter2", "ssh.sudo_password=*******"),
            ("binary = \"https://me:pw@example.org/k3s\"", "binary = \"https://*****@example.org/k3s\""),
            ("token = \"\"\"\nabc\n\"\"\"\nport = 1", "token =****\n***\n***\nport = 1"),
            ("ssh = \"root:pw@203.0.113.2\"", "ssh = \"root:**@203.0.113.2\""),
            ("jump = \"a@b:22,c@d\"", "jump = \"a@b:22,c@d\""),
            ("[apps.secrets]\nKEY = \"x\"\n[k3s]\na = \"b\"", "[apps.secrets]\nKEY =****\n[k3s]\na = \"b\""),
            ("secrets = {\n KEY = \"x\"\n}\na = 1", "secrets =**\n**********\n*\na = 1"),
            ("apps.web.secrets.KEY=x", "apps.web.secrets.KEY=*"),
            ("sudo_password_env = \"SUDO\"", "sudo_password_env = \"SUDO\""),
            ("ssh = \"admin@example.org\"", "ssh = \"admin@example.org\""),
        ] {
            assert_eq!(masked(text), shown);
        }
    }
}
