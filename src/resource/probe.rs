//! Reads the facts of a whole list in one round trip.
//!
//! A [`Reader`] is a shell function that gets all keys that anyone asked it for at once, so that it can look at many
//! things with one `stat`, `sha256sum` or `systemctl show`. It prints records: lines of fields with tabs in between, the
//! first two being its own name and the key. Fields that could contain a tab or a line end are in base64.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::{Error, Result};
use crate::host::{Host, Output, PATHS, ScriptOptions, quote};

/// A shell function that looks up facts.
pub struct Reader {
    /// Its name, with which its records begin: a shell identifier.
    pub name: &'static str,
    /// The body of the function; the keys are its arguments.
    pub shell: &'static str,
}

/// The facts that are asked for.
#[derive(Default)]
pub struct Probe {
    asked: BTreeMap<&'static str, (&'static Reader, Vec<String>)>,
}

impl Probe {
    /// Asks `reader` about `key`.
    pub(crate) fn ask(&mut self, reader: &'static Reader, key: impl Into<String>) {
        let key = key.into();
        let (_, keys) = self.asked.entry(reader.name).or_insert_with(|| (reader, Vec::new()));
        if !keys.contains(&key) {
            keys.push(key);
        }
    }

    /// The script that reads everything. Readers run in the order of their names, each by itself: one that fails leaves
    /// its facts unknown.
    pub(super) fn script(&self) -> String {
        let mut script = format!("{PATHS}tab=$(printf '\\t')\n");
        for (reader, keys) in self.asked.values() {
            let keys: Vec<String> = keys.iter().map(|key| quote(key)).collect();
            script.push_str(&format!(
                "read_{}() {{\n{}\n}}\nread_{0} {}\n",
                reader.name,
                reader.shell.trim(),
                keys.join(" ")
            ));
        }
        script.push_str("echo end\n");
        script
    }

    /// Asks the host.
    pub(crate) async fn read(&self, host: &Host) -> Result<Facts> {
        if self.asked.is_empty() {
            return Ok(Facts::default());
        }
        let output = host.script(&self.script(), &ScriptOptions::titled("reading the state of the host")).await?;
        Facts::parse(&output)
    }
}

/// What readers said: by reader and key the fields of the record.
#[derive(Debug, Default)]
pub struct Facts(BTreeMap<(String, String), Vec<String>>);

impl Facts {
    fn parse(output: &Output) -> Result<Self> {
        let text = String::from_utf8_lossy(&output.stdout);
        let Some(records) = text.strip_suffix("end\n") else {
            return Err(Error::host("the state of the host could not be read").output(output.tail()));
        };
        let mut facts = Facts::default();
        for record in records.lines() {
            let mut fields = record.split('\t').map(str::to_owned);
            if let (Some(reader), Some(key)) = (fields.next(), fields.next()) {
                facts.0.insert((reader, key), fields.collect());
            }
        }
        Ok(facts)
    }

    /// The record of `reader` about `key`; None where the reader had nothing to say.
    pub(crate) fn get(&self, reader: &Reader, key: &str) -> Option<&[String]> {
        self.0.get(&(reader.name.to_owned(), key.to_owned())).map(Vec::as_slice)
    }

    /// One field of a record.
    pub(super) fn field(&self, reader: &Reader, key: &str, index: usize) -> Option<&str> {
        self.get(reader, key)?.get(index).map(String::as_str)
    }

    /// All records of `reader`.
    pub(super) fn all(&self, reader: &Reader) -> impl Iterator<Item = (&str, &[String])> {
        let records = self.0.iter().filter(|((name, _), _)| name == reader.name);
        records.map(|((_, key), fields)| (key.as_str(), fields.as_slice()))
    }

    /// Facts as if a host had said them.
    #[cfg(test)]
    pub(crate) fn of(records: &[(&Reader, &str, &[&str])]) -> Self {
        let record = |(reader, key, fields): &(&Reader, &str, &[&str])| {
            ((reader.name.to_owned(), (*key).to_owned()), fields.iter().map(|field| (*field).to_owned()).collect())
        };
        Facts(records.iter().map(record).collect())
    }
}

/// Decodes a field.
pub fn decode(field: &str) -> Option<Vec<u8>> {
    BASE64.decode(field).ok()
}

/// Encodes for the shell's `base64 -d`.
pub fn encode(data: impl AsRef<[u8]>) -> String {
    BASE64.encode(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECHO: Reader =
        Reader { name: "echoed", shell: r#"for key do printf 'echoed\t%s\t%s\n' "$key" "${#key}"; done"# };

    #[test]
    fn a_reader_gets_all_its_keys_at_once_and_once_each() {
        let mut probe = Probe::default();
        probe.ask(&ECHO, "a b");
        probe.ask(&ECHO, "it's");
        probe.ask(&ECHO, "a b");
        assert!(probe.script().contains(r"read_echoed 'a b' 'it'\''s'"), "{}", probe.script());
    }

    #[test]
    fn an_answer_without_its_end_is_an_error() {
        let half = Output { stdout: b"echoed\ta\t1\n".to_vec(), stderr: b"sh: boom\n".to_vec(), ..Output::default() };
        assert_eq!(Facts::parse(&half).unwrap_err().output.as_deref(), Some("sh: boom"));
        let whole = Output { stdout: b"echoed\ta\t1\nend\n".to_vec(), ..Output::default() };
        assert_eq!(Facts::parse(&whole).unwrap().field(&ECHO, "a", 0), Some("1"));
    }
}
