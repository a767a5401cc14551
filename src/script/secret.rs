//! Values that must never be shown, and how they get through option maps.

use std::fmt;

use rhai::{Array, Dynamic, Map};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A value that prints as `***`. Scripts pass it on; only the domains see what is inside.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
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
pub(super) fn readable(value: Dynamic) -> Dynamic {
    if let Some(Secret(text)) = value.clone().try_cast::<Secret>() {
        Map::from([(KEY.into(), text.into())]).into()
    } else if value.is_map() {
        value.cast::<Map>().into_iter().map(|(key, item)| (key, readable(item))).collect::<Map>().into()
    } else if value.is_array() {
        value.cast::<Array>().into_iter().map(readable).collect::<Array>().into()
    } else {
        value
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
