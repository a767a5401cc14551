//! The settings as a tree in which every key and every value knows its place in the text it came from.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{masking::masked, problem::Finding};

/// A piece of one source: the configuration file or one `--set` argument. Ordered as a person reads them: the file from its
/// top, then the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub source: usize,
    pub start: usize,
    pub end: usize,
}

impl Place {
    pub fn new(source: usize, span: Range<usize>) -> Self {
        Self { source, start: span.start, end: span.end }
    }

    /// The piece of this place that starts `offset` bytes in and is `length` bytes long.
    pub fn part(self, offset: usize, length: usize) -> Self {
        Self { start: self.start + offset, end: self.start + offset + length, ..self }
    }
}

/// A text that settings come from.
pub(super) struct Source {
    /// What errors call it: the file's path as the user gave it, or `--set`.
    pub name: String,
    /// The text as errors show it: with everything that looks like a secret masked, at the same length.
    pub shown: Arc<str>,
    /// Where relative paths start: the file's folder, or the working directory for an argument.
    pub base: PathBuf,
}

/// All texts that settings come from: the file first, then the `--set` arguments in their order.
pub(super) struct Sources(Vec<Source>);

impl Sources {
    /// The sources of one configuration file, given as its name and text.
    pub fn new(name: &str, text: &str, base: &Path) -> Self {
        Self(vec![Source { name: name.to_owned(), shown: masked(text).into(), base: base.to_owned() }])
    }

    /// Adds a `--set` argument and returns its number.
    pub fn add_argument(&mut self, text: &str) -> usize {
        self.0.push(Source { name: "--set".to_owned(), shown: masked(text).into(), base: PathBuf::new() });
        self.0.len() - 1
    }

    pub fn get(&self, place: Place) -> &Source {
        &self.0[place.source]
    }

    /// The end of the configuration file: the place of what is missing from it altogether.
    pub fn end_of_file(&self) -> Place {
        let end = self.0[0].shown.trim_end().len();
        Place::new(0, end..end)
    }
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub value: Value,
    pub place: Place,
}

impl Node {
    /// The `name` in this table, if it is one and has a name.
    pub fn name(&self) -> Option<&str> {
        let Value::Table(table) = &self.value else { return None };
        match &table.get("name")?.node.value {
            Value::String(name) | Value::Argument(name) => Some(name),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    String(String),
    Integer(i64),
    Boolean(bool),
    Array(Vec<Node>),
    Table(Table),
    /// A type that no setting has, by the name a person gives it.
    Unused(&'static str),
    /// The right side of a `--set`, whose type is decided by the setting it is for.
    Argument(String),
}

impl Value {
    /// What this is, with its article, for "must be .., not ..".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::String(_) | Self::Argument(_) => "a text",
            Self::Integer(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
            Self::Unused(name) => name,
        }
    }
}

/// A table: its entries in the order of the file.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub entries: Vec<Entry>,
    /// The table's header, or its braces.
    pub place: Place,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub key_place: Place,
    pub node: Node,
}

impl Table {
    pub fn empty(place: Place) -> Self {
        Self { entries: Vec::new(), place }
    }

    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The entry with the key of `entry`, which is `entry` itself if there was none.
    pub fn get_or_insert(&mut self, entry: Entry) -> &mut Entry {
        let index = self.entries.iter().position(|known| known.key == entry.key).unwrap_or_else(|| {
            self.entries.push(entry);
            self.entries.len() - 1
        });
        &mut self.entries[index]
    }

    /// Sets the entry's key to the entry's value, whether or not it was there.
    pub fn replace(&mut self, entry: Entry) {
        self.entries.retain(|known| known.key != entry.key);
        self.entries.push(entry);
    }
}

/// Reads the file's text; the findings are all of its syntax errors.
pub(super) fn parse_file(text: &str) -> (Table, Vec<Finding>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    // After another error, a repeated key may be the parser's misunderstanding.
    let is_repeated_key = |error: &&toml::de::Error| error.message().contains("duplicate key");
    let (repeated_keys, others): (Vec<_>, Vec<_>) = errors.iter().partition(is_repeated_key);
    let errors = if others.is_empty() { repeated_keys } else { others };
    let findings = errors
        .into_iter()
        .map(|error| {
            let place = Place::new(0, error.span().unwrap_or(text.len()..text.len()));
            let help = if is_repeated_key(&error) {
                "keep one of the two"
            } else {
                "write `key = \"text\"`, `key = 10`, `key = true` or `key = [\"a\", \"b\"]` below a `[table]`; \
                 cluster.toml.example shows every setting"
            };
            Finding::new(format!("this is not TOML: {}", error.message()), help, place)
        })
        .collect();
    let place = Place::new(0, document.span());
    (table(document.into_inner(), place), findings)
}

/// Reads the TOML array that starts at `place`, or nothing if it isn't one.
pub(super) fn parse_array(text: &str, place: Place) -> Option<Vec<Node>> {
    match node(DeValue::parse(text).ok()?, place).value {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

/// `origin` is where the text that was parsed starts in its source.
fn node(value: Spanned<DeValue<'_>>, origin: Place) -> Node {
    let span = value.span();
    let place = origin.part(span.start, span.len());
    let value = match value.into_inner() {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Unused("a very large number"), Value::Integer),
        DeValue::Float(_) => Value::Unused("a decimal number"),
        DeValue::Boolean(flag) => Value::Boolean(flag),
        DeValue::Datetime(_) => Value::Unused("a date"),
        DeValue::Array(items) => Value::Array(items.into_iter().map(|item| node(item, origin)).collect()),
        DeValue::Table(entries) => Value::Table(table_at(entries, place, origin)),
    };
    Node { value, place }
}

fn table(entries: DeTable<'_>, place: Place) -> Table {
    table_at(entries, place, Place { end: place.start, start: 0, ..place })
}

fn table_at(entries: DeTable<'_>, place: Place, origin: Place) -> Table {
    let mut entries: Vec<Entry> = entries
        .into_iter()
        .map(|(key, value)| {
            let span = key.span();
            Entry {
                key_place: origin.part(span.start, span.len()),
                key: key.into_inner().into_owned(),
                node: node(value, origin),
            }
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_place);
    Table { entries, place }
}
