//! Values that must never be shown, and how they get through option maps.

use std::fmt;

use rhai::{Array, Dynamic, Map};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::report::redact::Secrets;

/// A value that prints as `***`. Scripts pass it on; only the domains see what is inside. A text that a script has joined with
/// it holds its stand-in (see [`Secrets`]) and becomes one itself where a secret may be.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
    }

    /// The secret that a value of a script is: one as such, or a text that was joined with one.
    pub fn of(value: &Dynamic, secrets: &Secrets) -> Option<Self> {
        let joined = |text: rhai::ImmutableString| secrets.reveal(&text).map(Secret);
        value.clone().try_cast::<Secret>().or_else(|| value.clone().try_cast().and_then(joined))
    }

    /// The value itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::report::redact::MASK)
    }
}

/// The key of the map that a secret is while options are read: serde has no other way for a type of the host's own. An
/// option that is no secret refuses the map, so that a secret doesn't get where it might be shown.
const KEY: &str = "$secret";

/// The value with every secret in it as a map that [`Secret`] deserialises from.
pub(super) fn readable(value: Dynamic, secrets: &Secrets) -> Dynamic {
    if let Some(Secret(text)) = Secret::of(&value, secrets) {
        Map::from([(KEY.into(), text.into())]).into()
    } else if value.is_map() {
        value.cast::<Map>().into_iter().map(|(key, item)| (key, readable(item, secrets))).collect::<Map>().into()
    } else if value.is_array() {
        value.cast::<Array>().into_iter().map(|item| readable(item, secrets)).collect::<Array>().into()
    } else {
        value
    }
}

/// Whether `readable` has made this of a secret.
pub(super) fn is_readable_secret(value: &Dynamic) -> bool {
    value.read_lock::<Map>().is_some_and(|map| map.len() == 1 && map.contains_key(KEY))
}

/// Whether there is a secret anywhere in a value, in the names of a map, too.
pub fn holds_secret(value: &Dynamic, secrets: &Secrets) -> bool {
    let within = |item: &Dynamic| holds_secret(item, secrets);
    if let Some(map) = value.read_lock::<Map>() {
        return map.iter().any(|(name, item)| secrets.reveal(name).is_some() || within(item));
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().any(within);
    }
    Secret::of(value, secrets).is_some()
}

/// A value of any kind with secrets anywhere in it, as they are inside, and the JSON pointers (`/a/password`) of them.
#[derive(Clone, Default)]
pub struct Revealed {
    /// The value.
    pub value: serde_json::Value,
    /// Where in it the secrets are.
    pub secrets: Vec<String>,
}

impl Revealed {
    /// A value of a script.
    ///
    /// # Errors
    /// For what is no data, like a host.
    pub fn of(value: &Dynamic, secrets: &Secrets) -> Result<Revealed, Box<rhai::EvalAltResult>> {
        rhai::serde::from_dynamic(&readable(value.clone(), secrets))
    }
}

impl<'de> Deserialize<'de> for Revealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut revealed = Revealed { value: serde_json::Value::deserialize(deserializer)?, secrets: Vec::new() };
        reveal(&mut revealed.value, "", &mut revealed.secrets);
        Ok(revealed)
    }
}

fn reveal(value: &mut serde_json::Value, place: &str, secrets: &mut Vec<String>) {
    use serde_json::Value;
    match value {
        Value::Object(map) if map.len() == 1 && map.get(KEY).is_some_and(Value::is_string) => {
            *value = map.remove(KEY).unwrap_or_default();
            secrets.push(place.to_owned());
        }
        Value::Object(map) => {
            for (key, item) in map {
                reveal(item, &format!("{place}/{}", key.replace('~', "~0").replace('/', "~1")), secrets);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                reveal(item, &format!("{place}/{index}"), secrets);
            }
        }
        _ => {}
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrSecret)
    }
}

struct TextOrSecret;

impl<'de> Visitor<'de> for TextOrSecret {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a secret")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::new(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
        match map.next_entry::<String, String>()? {
            Some((key, text)) if key == KEY => Ok(Secret(text)),
            _ => Err(A::Error::custom("a map where a text or a secret is expected")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_found_anywhere_in_a_value() {
        let secret = Dynamic::from(Secret::new("hunter22"));
        let inner = Map::from([("a/b".into(), Dynamic::from_array(vec![1_i64.into(), secret]))]);
        let secrets = Secrets::default();
        let joined = format!("z {}", secrets.stand_in("hunter22"));
        let value = Map::from([("x".into(), inner.into()), ("y".into(), "z".into()), ("z".into(), joined.into())]);
        assert!(holds_secret(&value.clone().into(), &secrets));
        let value = readable(value.into(), &secrets);
        let revealed: Revealed = rhai::serde::from_dynamic(&value).unwrap();
        assert_eq!(revealed.value, json!({ "x": { "a/b": [1, "hunter22"] }, "y": "z", "z": "z hunter22" }));
        assert_eq!(revealed.secrets, ["/x/a~1b/1", "/z"]);
        assert_eq!(revealed.value.pointer(&revealed.secrets[0]), Some(&json!("hunter22")));
    }
}
