//! Option maps: typed, with unknown keys refused and the nearest known one named.

use std::time::Duration;

use rhai::serde::DynamicDeserializer;
use rhai::{Array, Dynamic, Map, NativeCallContext};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_path_to_error::Segment;

use super::{
    Fallible, context,
    errors::fail,
    secret::{is_readable_secret, readable},
};
use crate::error::Error;
use crate::seconds::seconds;
use crate::suggestion::nearest;

/// A time in seconds: `3` or `0.5`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seconds(pub Duration);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = deserializer.deserialize_any(Number)?;
        seconds(number)
            .map(Seconds)
            .ok_or_else(|| D::Error::custom(format!("{number} is not a number of seconds, up to a year")))
    }
}

/// A script writes whole seconds as an integer, parts of one as a float.
struct Number;

impl serde::de::Visitor<'_> for Number {
    type Value = f64;

    fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("a number of seconds")
    }

    fn visit_i64<E>(self, seconds: i64) -> Result<f64, E> {
        Ok(seconds as f64)
    }

    fn visit_u64<E>(self, seconds: u64) -> Result<f64, E> {
        Ok(seconds as f64)
    }

    fn visit_f64<E>(self, seconds: f64) -> Result<f64, E> {
        Ok(seconds)
    }
}

/// Options that scripts pass as a map: a struct that derives `Deserialize` with `deny_unknown_fields`. Its fields are the
/// only list of the names: run time, check, help and tests all take them from there.
#[diagnostic::on_unimplemented(
    note = "say which functions take these options: `impl Options for {Self} {{ const FUNCTIONS: &[&str] = &[\"Host.run\"]; }}`, \
            and list `OptionSet::of::<{Self}>()` in bindings::options()"
)]
pub trait Options: DeserializeOwned {
    /// The functions that take these options: `ssh::connect`, `retry`, `Host.run`.
    const FUNCTIONS: &'static [&'static str];
}

/// What is known of options without a value at hand.
#[derive(Debug, Clone, Copy)]
pub struct OptionSet {
    /// The functions that take them.
    pub functions: &'static [&'static str],
    /// Their names.
    pub names: &'static [&'static str],
}

impl OptionSet {
    /// The set of `T`.
    pub fn of<T: Options>() -> Self {
        OptionSet { functions: T::FUNCTIONS, names: field_names::<T>() }
    }
}

/// The names that serde accepts for `T`, which must be a struct without flattened fields.
fn field_names<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Names<'a>(&'a mut &'static [&'static str]);
    impl<'de> Deserializer<'de> for Names<'_> {
        type Error = serde::de::value::Error;

        fn deserialize_struct<V: serde::de::Visitor<'de>>(
            self,
            _name: &'static str,
            fields: &'static [&'static str],
            _visitor: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = fields;
            Err(Self::Error::custom("only asked for the names"))
        }

        fn deserialize_any<V: serde::de::Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
            Err(Self::Error::custom("not a struct"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }
    let mut names: &'static [&'static str] = &[];
    // It always fails: there is no value to read.
    let _ = T::deserialize(Names(&mut names));
    names
}

/// Reads the options that a script passes to the function `call`.
///
/// # Errors
/// Names the option, says what it must be, and suggests the nearest known name for a misspelt one.
pub fn options<T: Options>(call: &NativeCallContext, map: Map) -> Fallible<T> {
    if !T::FUNCTIONS.iter().any(|path| path.rsplit(['.', ':']).next() == Some(call.fn_name())) {
        let message = format!("{}() is missing in the FUNCTIONS of its options: a mistake in k3srun", call.fn_name());
        return Err(fail(call, Error::script(message)));
    }
    let value = readable(map.into(), context(call).run.secrets());
    serde_path_to_error::deserialize(DynamicDeserializer::new(&value)).map_err(|error| {
        let function = call.fn_name().to_owned();
        if at(&value, error.path()).is_some_and(|value| is_readable_secret(&value)) {
            let message = format!("{function}(): option `{}` takes no secret: its value is shown", error.path());
            return fail(call, Error::script(message));
        }
        let path = error.path().to_string();
        fail(call, explain(&function, &path, &error.into_inner().to_string()))
    })
}

/// What is wrong with an option map, where something is.
pub fn objection<T: DeserializeOwned>(map: Map) -> Option<String> {
    let read: Result<T, _> = serde_path_to_error::deserialize(DynamicDeserializer::new(&map.into()));
    read.err().map(|error| {
        let path = error.path().to_string();
        let message = explain("", &path, &error.into_inner().to_string()).message;
        message.strip_prefix("(): ").unwrap_or(&message).to_owned()
    })
}

/// What is in a value at a path.
fn at(value: &Dynamic, path: &serde_path_to_error::Path) -> Option<Dynamic> {
    path.iter().try_fold(value.clone(), |value, segment| match segment {
        Segment::Map { key } => value.read_lock::<Map>()?.get(key.as_str()).cloned(),
        Segment::Seq { index } => value.read_lock::<Array>()?.get(*index).cloned(),
        Segment::Enum { .. } | Segment::Unknown => None,
    })
}

fn explain(function: &str, path: &str, said: &str) -> Error {
    // serde: "unknown field `x`, expected one of `a`, `b`" or "expected `a`"
    let mut quoted = said.split('`').skip(1).step_by(2);
    if said.contains("unknown field")
        && let Some(unknown) = quoted.next()
    {
        let known: Vec<&str> = quoted.collect();
        let error = Error::script(format!("{function}(): unknown option `{unknown}`"));
        let list = format!("known options: {}", known.join(", "));
        return error.help(match nearest(unknown, known.iter().copied()) {
            Some(name) => format!("did you mean `{name}`? {list}"),
            None => list,
        });
    }
    let said = said.trim_start_matches("Output type incorrect: ").trim_start_matches("Syntax error: ");
    let said = in_words(said.split(" (line ").next().unwrap_or(said));
    Error::script(match path {
        "." | "" => format!("{function}(): {said}"),
        path => format!("{function}(): option `{path}`: {said}"),
    })
    .help(format!("`k3srun help {function}` explains the options"))
}

/// What is expected, in words that scripts are written in.
fn in_words(said: &str) -> String {
    let given = said.strip_suffix(')').and_then(|said| said.split_once(" (expecting "));
    if let Some((given, expected)) = given {
        return format!("must be {}, not {}", type_in_words(expected), type_in_words(given));
    }
    match said.rsplit_once(", expected ") {
        Some((given, expected)) => format!("{given}, expected {}", type_in_words(expected)),
        None => said.to_owned(),
    }
}

fn type_in_words(name: &str) -> &str {
    match name {
        "bool" => "true or false",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number from 0 on",
        "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "string" => "text",
        "array" => "a list",
        other => other,
    }
}
