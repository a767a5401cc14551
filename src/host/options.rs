//! How a script is run, and what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use serde::{Deserialize, Deserializer, de};

/// What becomes of a script's output while it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Live {
    /// Nothing: it is for the caller only.
    #[default]
    Silent,
    /// It is reported line by line, for those who want to see everything.
    Output,
    /// Each line says what goes on at the host now, as in a long build: everybody sees it.
    Progress,
    /// The lines of standard output that begin with `progress ` say what goes on.
    Told,
}

/// The name of an environment variable, as shells take one: letters, digits and `_`, not a digit first.
///
/// ```
/// use k3srun::host::VariableName;
/// assert!(VariableName::parse("HTTP_PROXY").is_some());
/// assert!(VariableName::parse("A=1; touch B").is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VariableName(String);

impl VariableName {
    /// The name, if it is one.
    pub fn parse(name: &str) -> Option<Self> {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        (plain && name.starts_with(|c: char| !c.is_ascii_digit())).then(|| VariableName(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for VariableName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        VariableName::parse(&name).ok_or_else(|| {
            de::Error::custom(format!("{name:?} is not a name of a variable: letters, digits and _, not a digit first"))
        })
    }
}

/// How to run a script on a host.
#[derive(Debug, Clone, Default)]
pub struct ScriptOptions {
    /// End the script after this time. None: no limit.
    pub timeout: Option<Duration>,
    /// What the script reads on standard input; nothing by default.
    pub stdin: Option<Vec<u8>>,
    /// Variables to set.
    pub env: BTreeMap<VariableName, String>,
    /// The folder to run in; root's home by default.
    pub cwd: Option<String>,
    /// What becomes of the output while it comes.
    pub live: Live,
    /// What to call the script in errors, instead of its text.
    pub title: Option<String>,
}

impl ScriptOptions {
    /// Options for a script of k3srun's own that errors call `title`.
    pub fn titled(title: impl Into<String>) -> Self {
        ScriptOptions { title: Some(title.into()), ..Self::default() }
    }

    /// Sets the time limit.
    pub fn timeout(mut self, seconds: u64) -> Self {
        self.timeout = Some(Duration::from_secs(seconds));
        self
    }

    /// Sets a variable that the script of k3srun's own reads.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.insert(VariableName(name.to_owned()), value.into());
        self
    }

    /// The script as it is sent: with its environment and its standard input.
    pub(super) fn wrap(&self, text: &str) -> String {
        let mut script = String::new();
        for (VariableName(name), value) in &self.env {
            script.push_str(&format!("{name}={}; export {name}\n", quote(value)));
        }
        if let Some(dir) = &self.cwd {
            script.push_str(&format!("cd {} || exit\n", quote(dir)));
        }
        match &self.stdin {
            None => script.push_str(&format!("{{\n{text}\n}} </dev/null")),
            Some(data) => {
                let data = base64::engine::general_purpose::STANDARD.encode(data);
                // Not by printf: where it is a program, the data would be in its argument list.
                script.push_str(&format!("base64 -d <<'k3srun' | {{\n{data}\nk3srun\n{text}\n}}"));
            }
        }
        script
    }

    /// What errors call the script.
    pub(super) fn what<'a>(&'a self, text: &'a str) -> &'a str {
        match &self.title {
            Some(title) => title,
            None => text.trim().lines().next().unwrap_or_default(),
        }
    }
}

/// Quotes `text` for a POSIX shell. The one place where that is done.
///
/// ```
/// use k3srun::host::quote;
/// assert_eq!(quote("it's"), r"'it'\''s'");
/// ```
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What a script left behind.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// The exit status; 128 + n when ended by signal n.
    pub status: i32,
    /// Standard output, byte for byte.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Whether it was stopped because its time was up.
    pub timed_out: bool,
}

impl Output {
    /// Standard output as text, without the line end at its end.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end_matches('\n').to_owned()
    }

    /// Standard error as text, without the line end at its end.
    pub fn error_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim_end_matches('\n').to_owned()
    }

    /// The last lines of standard error, or of standard output where that is empty.
    pub fn tail(&self) -> String {
        const LINES: usize = 12;
        let text = match self.error_text() {
            text if text.trim().is_empty() => self.text(),
            text => text,
        };
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_and_folder_come_before_the_script() {
        let options = ScriptOptions {
            env: [(VariableName::parse("A").unwrap(), "x y".to_owned())].into(),
            cwd: Some("/tmp".into()),
            ..ScriptOptions::default()
        };
        assert_eq!(options.wrap("pwd"), "A='x y'; export A\ncd '/tmp' || exit\n{\npwd\n} </dev/null");
    }
}
