//! What the prompt remembers from one session to the next.

use std::path::PathBuf;
use std::sync::LazyLock;

use regex::Regex;

use crate::report::redact::Secrets;

/// Where entries are kept: beside the logs of the runs.
pub fn file() -> Option<PathBuf> {
    let state = match std::env::var_os("XDG_STATE_HOME") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => PathBuf::from(std::env::var_os("HOME")?).join(".local/state"),
    };
    Some(state.join("k3srun/history"))
}

/// Whether an entry is kept: not if it begins with a blank, has a value in it that is known to be secret, or looks as if it had
/// one: by a name, a token's form, or a login with its password.
pub fn keeps(entry: &str, secrets: &Secrets) -> bool {
    static SUSPICIOUS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let names = r"(?i:secret|passw|passphrase|token|api_?key|private_?key|credential)";
        let tokens =
            r"K10[0-9a-f]{8,}|gh[opsru]_\w{8,}|github_pat_\w+|glpat-\S+|xox[abp]-\S+|AKIA[0-9A-Z]{12,}|-----BEGIN";
        let logins = r"://[^/\s:@]+:[^/\s@]+@|\s-u\s*\S+:\S+|(?i:authorization|bearer)";
        Regex::new(&format!("{names}|{tokens}|{logins}")).ok()
    });
    let suspicious = SUSPICIOUS.as_ref().is_none_or(|suspicious| suspicious.is_match(entry));
    !entry.trim().is_empty() && !entry.starts_with(' ') && !suspicious && secrets.masked(entry) == entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_with_secrets_are_not_kept() {
        let secrets = Secrets::default();
        secrets.add("correct horse");
        for entry in ["let x = 1", "host.query(\"uptime\")", "ssh::connect(\"root@203.0.113.10:22\")", "[1, 2]"] {
            assert!(keeps(entry, &secrets), "{entry}");
        }
        for entry in [
            "let p = secret (\"not evaluated",
            "local().run(\"echo correct horse\")",
            "ssh::connect(\"a\", #{ sudo_password: \"x\" })",
            "let SECRET = \"upper\"",
            "let Password = \"upper\"",
            "let t = \"ghp_0123456789abcdef\"",
            "let t = \"K10abcdef0123::server:abc\"",
            "local().run(\"curl -u admin:hunter2 https://example.org\")",
            "fetch(\"https://ada:hunter2@example.org\")",
            " kept_out_by_a_blank()",
            "  ",
        ] {
            assert!(!keeps(entry, &secrets), "{entry}");
        }
    }
}
