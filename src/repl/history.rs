//! What the prompt remembers from one session to the next.

use std::path::PathBuf;

use crate::report::redact::Secrets;
use crate::report::suspicion::looks_secret;

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
    !entry.trim().is_empty() && !entry.starts_with(' ') && !looks_secret(entry) && secrets.masked(entry) == entry
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
