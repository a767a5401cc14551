//! What looks secret though nobody has said that it is: by its form, or by the name before it.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// Names behind which a secret is likely.
const NAMES: &str = r"(?i:secret|passw|passphrase|token|api_?key|private_?key|credential)";

/// Tokens of k3s, GitHub, GitLab, Slack, AWS, and those of JWT.
const TOKENS: &str = r"K10[0-9a-f]{8,}[\w:.-]*|gh[opsru]_\w{8,}|github_pat_\w+|glpat-[\w-]+|xox[abp]-[\w-]+|AKIA[0-9A-Z]{12,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*";

/// Whether something in a text looks secret.
pub fn looks_secret(text: &str) -> bool {
    static FORMS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let logins = r"://[^/\s:@]+:[^/\s@]+@|\s-u\s*\S+:\S+|(?i:authorization|bearer)";
        Regex::new(&format!("{NAMES}|{TOKENS}|{logins}|-----BEGIN")).ok()
    });
    FORMS.as_ref().is_none_or(|forms| forms.is_match(text))
}

/// A text with `***` for what looks secret in it: private keys, tokens, the password of a URL, what an `Authorization` header
/// says, and what stands behind a name like `password` and `:` or `=`.
///
/// # Example
/// ```
/// use k3srun::report::suspicion::redacted;
/// assert_eq!(redacted("db_password: hunter2, port: 5432"), "db_password: ***, port: 5432");
/// ```
pub fn redacted(text: &str) -> String {
    static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let rules = [
            (r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)".to_owned(), "***"),
            (TOKENS.to_owned(), "***"),
            (r"(://[^/\s:@]+:)[^/\s@]+@".to_owned(), "$1***@"),
            (r"((?i:authorization)[\x22']?\s*[:=]\s*[\x22']?(?:\w+ +)?)[^\s\x22']+".to_owned(), "$1***"),
            (
                format!(r"([\w.-]*{NAMES}[\w.-]*[\x22']?\s*[:=]\s*)(?:\x22[^\x22\n]*\x22|'[^'\n]*'|[^\s,;\x22']+)"),
                "$1***",
            ),
        ];
        rules.into_iter().filter_map(|(rule, put)| Some((Regex::new(&rule).ok()?, put))).collect()
    });
    let mut text = Cow::Borrowed(text);
    for (rule, put) in RULES.iter() {
        if let Cow::Owned(changed) = rule.replace_all(&text, *put) {
            text = Cow::Owned(changed);
        }
    }
    text.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_secret_is_not_there_any_more_and_the_rest_is() {
        for (text, expected) in [
            ("node master is ready", "node master is ready"),
            ("joined with K10abcdef0123::server:f00 at 6443", "joined with *** at 6443"),
            (r#"{"password": "two words", "port": 80}"#, r#"{"password": ***, "port": 80}"#),
            ("DB_PASSWORD=hunter2 DB_PORT=5432", "DB_PASSWORD=*** DB_PORT=5432"),
            ("GET https://ada:hunter2@example.org/", "GET https://ada:***@example.org/"),
            ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
            ("a\n-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\nb", "a\n***\nb"),
            ("cut: -----BEGIN PRIVATE KEY-----\nMHc", "cut: ***"),
            ("got eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln from it", "got *** from it"),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }
}
