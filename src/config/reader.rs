//! Reads tables by their known keys: whatever is wrong becomes a finding, and reading goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use crate::suggestion::nearest;

use super::{
    document::{Node, Place, Source, Sources, Table, Value, parse_array},
    masking::is_secret,
    problem::Finding,
};

/// Why a value isn't acceptable: continues a sentence that starts with the setting's name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub reason: String,
    pub remedy: String,
}

impl Fault {
    pub fn new(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { reason: reason.into(), remedy: remedy.into() }
    }
}

/// A value and where it was set.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub value: T,
    pub place: Place,
}

/// What the sources say about a setting.
#[derive(Clone, Debug)]
pub(super) enum Field<T> {
    Absent,
    /// Set to something unacceptable, which is reported: whoever compares settings leaves this one out.
    Invalid,
    Given(Located<T>),
}

impl<T> Field<T> {
    pub fn given(&self) -> Option<&Located<T>> {
        match self {
            Self::Given(located) => Some(located),
            Self::Absent | Self::Invalid => None,
        }
    }

    pub fn value(self) -> Option<T> {
        match self {
            Self::Given(located) => Some(located.value),
            Self::Absent | Self::Invalid => None,
        }
    }

    /// This, or the other one where nothing is said.
    pub fn or(self, other: Self) -> Self {
        match self {
            Self::Absent => other,
            given => given,
        }
    }
}

/// Collects the findings of all tables, and which keys belong where.
pub(super) struct Reader<'a> {
    pub findings: Vec<Finding>,
    sources: &'a Sources,
    /// The header of a table and a key that belongs there, like `("[ssh]", "port")`.
    known: BTreeSet<(String, String)>,
    strays: Vec<Stray>,
}

/// An unknown key that resembles none of its own table.
struct Stray {
    key: String,
    path: String,
    header: String,
    place: Place,
}

impl<'a> Reader<'a> {
    pub fn new(sources: &'a Sources) -> Self {
        Self { findings: Vec::new(), sources, known: BTreeSet::new(), strays: Vec::new() }
    }

    /// The place of tables that the file doesn't have.
    pub fn end_of_file(&self) -> Place {
        self.sources.end_of_file()
    }

    /// Starts reading a table. `path` is how `--set` names it, `header` how the file does.
    /// No table means something else in its place, which is reported: then nothing in it is missing.
    pub fn table<'r>(&'r mut self, table: Option<&'r Table>, path: &str, header: &str) -> TableReader<'r, 'a> {
        TableReader {
            reader: self,
            table,
            path: path.to_owned(),
            header: header.to_owned(),
            keys: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// The header of each table that was read, with each of its keys.
    #[cfg(test)]
    pub fn known(&self) -> impl Iterator<Item = (&str, &str)> {
        self.known.iter().map(|(header, key)| (header.as_str(), key.as_str()))
    }

    /// All findings, with the unknown keys that could only be judged now that the keys of all tables are known.
    pub fn finish(mut self) -> Vec<Finding> {
        for stray in std::mem::take(&mut self.strays) {
            let homes: Vec<&str> =
                self.known.iter().filter(|(_, key)| *key == stray.key).map(|(header, _)| header.as_str()).collect();
            let of_table: Vec<&str> =
                self.known.iter().filter(|(header, _)| *header == stray.header).map(|(_, key)| key.as_str()).collect();
            let help = if is_secret(&stray.key) && stray.header == "[[apps]]" {
                "`secrets` says where each is kept: secrets = { NAME = { env = \"NAME\" } }, or { file = \"PATH\" }"
                    .to_owned()
            } else if is_secret(&stray.key) {
                "secrets don't belong in the configuration: sudo_password_env in [ssh] names an environment variable with the \
                 password, sudo_password_file a file"
                    .to_owned()
            } else if !homes.is_empty() {
                format!("`{}` belongs in {}", stray.key, homes.join(" or "))
            } else {
                format!("{} knows {}", stray.header, of_table.join(", "))
            };
            self.findings.push(Finding::new(format!("`{}` is not a setting", stray.path), help, stray.place));
        }
        self.findings
    }
}

/// Reads one table. Each key that is asked for is a key that the table knows; [`TableReader::finish`] reports the others.
pub(super) struct TableReader<'r, 'a> {
    reader: &'r mut Reader<'a>,
    table: Option<&'r Table>,
    path: String,
    header: String,
    keys: Vec<String>,
    /// Keys that must be there and aren't, each with an example of a value.
    missing: Vec<(String, &'static str)>,
}

impl<'r, 'a> TableReader<'r, 'a> {
    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Says which keys the table has without reading them.
    pub fn knows(&mut self, keys: &[&str]) {
        self.keys.extend(keys.iter().map(|key| (*key).to_owned()));
    }

    fn node(&mut self, key: &str) -> Option<&'r Node> {
        self.keys.push(key.to_owned());
        self.table?.get(key).map(|entry| &entry.node)
    }

    fn located<T>(&mut self, key: &str, place: Place, result: Result<T, Fault>) -> Field<T> {
        match result {
            Ok(value) => Field::Given(Located { value, place }),
            Err(fault) => {
                let message = format!("`{}` {}", self.path_of(key), fault.reason);
                self.reader.findings.push(Finding::new(message, fault.remedy, place));
                Field::Invalid
            }
        }
    }

    /// A text that `parse` accepts.
    pub fn text<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, Fault>) -> Field<T> {
        self.text_of(key, |text, _| parse(text))
    }

    /// A text whose meaning depends on where it was written, like a relative path.
    pub fn text_of<T>(&mut self, key: &str, parse: impl FnOnce(&str, &Source) -> Result<T, Fault>) -> Field<T> {
        let Some(node) = self.node(key) else { return Field::Absent };
        let source = self.reader.sources.get(node.place);
        let result = text(node).and_then(|text| parse(&text, source));
        self.located(key, node.place, result)
    }

    /// A text that must be there.
    pub fn required<T>(
        &mut self,
        key: &str,
        example: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Field<T> {
        let field = self.text(key, parse);
        if matches!(field, Field::Absent) {
            self.missing.push((key.to_owned(), example));
        }
        field
    }

    /// A list of texts, each of which `parse` accepts.
    pub fn list<T>(&mut self, key: &str, parse: impl Fn(&str, &Source) -> Result<T, Fault>) -> Field<Vec<T>> {
        let Some(node) = self.node(key) else { return Field::Absent };
        let items = match items(node) {
            Ok(items) => items,
            Err(fault) => return self.located(key, node.place, Err(fault)),
        };
        let mut values = Vec::new();
        for item in &items {
            let source = self.reader.sources.get(item.place);
            let result = text(item).and_then(|text| parse(&text, source));
            values.extend(self.located(key, item.place, result).value());
        }
        if values.len() == items.len() { self.located(key, node.place, Ok(values)) } else { Field::Invalid }
    }

    /// A table of names that the user chooses, each with what `parse` accepts for it.
    pub fn each<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str, &Node, &Source) -> Result<T, Fault>,
    ) -> Field<BTreeMap<String, T>> {
        let Some(node) = self.node(key) else { return Field::Absent };
        let Value::Table(table) = &node.value else { return self.located(key, node.place, Err(not_a_table(node))) };
        let mut values = BTreeMap::new();
        for entry in &table.entries {
            let result = parse(&entry.key, &entry.node, self.reader.sources.get(entry.node.place));
            let field = self.located(&format!("{key}.{}", entry.key), entry.node.place, result);
            values.extend(field.value().map(|value| (entry.key.clone(), value)));
        }
        let complete = values.len() == table.entries.len();
        if complete { self.located(key, node.place, Ok(values)) } else { Field::Invalid }
    }

    /// The table inside this one, and its place. Errors call it `header`.
    pub fn inner(&mut self, key: &str, header: &str) -> Option<(TableReader<'_, 'a>, Place)> {
        let node = self.node(key)?;
        let Value::Table(table) = &node.value else {
            self.located::<()>(key, node.place, Err(not_a_table(node)));
            return None;
        };
        let path = self.path_of(key);
        Some((self.reader.table(Some(table), &path, header), node.place))
    }

    /// A text, or a whole number in its place.
    pub fn scalar<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, Fault>) -> Field<T> {
        match self.node(key).map(|node| (&node.value, node.place)) {
            Some((Value::Integer(number), place)) => {
                let result = parse(&number.to_string());
                self.located(key, place, result)
            }
            _ => self.text(key, parse),
        }
    }

    /// True or false.
    pub fn flag(&mut self, key: &str) -> Field<bool> {
        let Some(node) = self.node(key) else { return Field::Absent };
        let result = match &node.value {
            Value::Boolean(flag) => Ok(*flag),
            Value::Argument(text) => {
                text.parse().map_err(|_| Fault::new("must be true or false", "write true or false"))
            }
            Value::String(text) if text.parse::<bool>().is_ok() => {
                Err(Fault::new("must be true or false, not a text", format!("leave out the quotes: {text}")))
            }
            other => Err(Fault::new(format!("must be true or false, not {}", other.kind()), "write true or false")),
        };
        self.located(key, node.place, result)
    }

    /// A whole number from `range`, which is of `unit`.
    pub fn number<T>(&mut self, key: &str, unit: &str, range: std::ops::RangeInclusive<T>) -> Field<T>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let Some(node) = self.node(key) else { return Field::Absent };
        let (first, last) = (range.start(), range.end());
        let remedy = format!("write {unit} from {first} to {last}");
        let fault =
            |found: &str, hint: &str| Fault::new(format!("must be a whole number{found}"), remedy.clone() + hint);
        let result = match &node.value {
            Value::Integer(number) => Ok(*number),
            Value::Argument(text) => text.parse().map_err(|_| fault("", "")),
            Value::String(_) => Err(fault(", not a text", ", without quotes")),
            other => Err(fault(&format!(", not {}", other.kind()), "")),
        };
        let result = result.and_then(|number: i64| {
            let in_range = T::try_from(number).ok().filter(|number| range.contains(number));
            in_range.ok_or_else(|| {
                Fault::new(format!("is out of range: {number}"), format!("write {unit} from {first} to {last}"))
            })
        });
        self.located(key, node.place, result)
    }

    /// Reports the keys that this table doesn't know and those that it misses.
    pub fn finish(mut self) {
        for entry in self.table.iter().flat_map(|table| &table.entries) {
            if self.keys.contains(&entry.key) {
                continue;
            }
            let path = self.path_of(&entry.key);
            match self.meant_by(&entry.key) {
                Some(meant) => {
                    self.missing.retain(|(key, _)| *key != meant);
                    let help = format!("did you mean `{meant}`?");
                    self.reader.findings.push(Finding::new(
                        format!("`{path}` is not a setting"),
                        help,
                        entry.key_place,
                    ));
                }
                None => self.reader.strays.push(Stray {
                    key: entry.key.clone(),
                    path,
                    header: self.header.clone(),
                    place: entry.key_place,
                }),
            }
        }
        self.report_missing();
        self.reader.known.extend(self.keys.into_iter().map(|key| (self.header.clone(), key)));
    }

    /// The key of this table that a person probably meant. In [[nodes]], those of [ssh] have a prefix.
    fn meant_by(&self, key: &str) -> Option<String> {
        let prefixed = format!("ssh_{key}");
        let known = self.keys.iter().map(String::as_str);
        match nearest(key, known) {
            _ if is_secret(key) && nearest(key, ["secrets"]).is_none() => None,
            _ if self.keys.contains(&prefixed) => Some(prefixed),
            meant => meant.map(str::to_owned),
        }
    }

    fn report_missing(&mut self) {
        let paths: Vec<String> = self.missing.iter().map(|(key, _)| format!("`{}`", self.path_of(key))).collect();
        let lines: Vec<String> = self.missing.iter().map(|(key, example)| format!("\n{key} = \"{example}\"")).collect();
        let Some(table) = self.table.filter(|_| !paths.is_empty()) else { return };
        let verb = if paths.len() == 1 { "is" } else { "are" };
        let message = format!("{} {verb} missing", paths.join(", "));
        let help = format!("add to {}, for example{}", self.header, lines.concat());
        self.reader.findings.push(Finding::new(message, help, table.place));
    }
}

fn not_a_table(node: &Node) -> Fault {
    Fault::new(format!("must be a table, not {}", node.value.kind()), "write it in braces: { key = \"value\" }")
}

fn text(node: &Node) -> Result<String, Fault> {
    match &node.value {
        Value::String(text) | Value::Argument(text) if text.trim().is_empty() => {
            Err(Fault::new("is empty", "give it a value or leave it out"))
        }
        Value::String(text) | Value::Argument(text) => Ok(text.clone()),
        other => Err(Fault::new(format!("must be a text, not {}", other.kind()), "write it in double quotes")),
    }
}

/// The items of a list; an argument may be a TOML list or texts with commas between them.
fn items(node: &Node) -> Result<Vec<Node>, Fault> {
    match &node.value {
        Value::Array(items) => Ok(items.clone()),
        Value::Argument(text) if text.starts_with('[') => parse_array(text, node.place).ok_or_else(|| {
            Fault::new(
                "is not a list",
                "write a,b or [\"a\", \"b\"], and mind the quotes of the shell: '[\"a\", \"b\"]'",
            )
        }),
        Value::Argument(text) => {
            let mut offset = 0;
            Ok(text
                .split(',')
                .map(|item| {
                    let place = node.place.part(offset, item.len());
                    offset += item.len() + ",".len();
                    Node { value: Value::Argument(item.to_owned()), place }
                })
                .collect())
        }
        other => Err(Fault::new(
            format!("must be a list, not {}", other.kind()),
            "write it in brackets: [\"a\"] or [\"a\", \"b\"]",
        )),
    }
}
