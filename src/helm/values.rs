//! The values of a release, with those among them that are secrets.

use serde_json::Value;

/// Values for a chart. Where secrets are in them is known, so that they are shown nowhere.
#[derive(Clone, Default)]
pub struct Values {
    tree: Value,
    secrets: Vec<String>,
}

impl Values {
    /// `tree` is a map; `secrets` are the JSON pointers (`/grafana/adminPassword`) of what must not be shown.
    pub fn new(tree: Value, secrets: Vec<String>) -> Self {
        Values { tree, secrets }
    }

    /// The values. Secrets are in them.
    pub(super) fn tree(&self) -> &Value {
        &self.tree
    }

    /// What Helm reads: JSON is YAML.
    pub(super) fn text(&self) -> Vec<u8> {
        match &self.tree {
            Value::Object(map) if !map.is_empty() => self.tree.to_string().into_bytes(),
            _ => b"{}".to_vec(),
        }
    }

    /// Whether a release has the same.
    pub(super) fn are(&self, other: &Value) -> bool {
        same(&self.tree, other)
    }

    /// What other values have where these have secrets: they are as little to be shown.
    pub(super) fn secrets_in<'a>(&'a self, other: &'a Value) -> impl Iterator<Item = &'a str> {
        self.secrets.iter().filter_map(|place| other.pointer(place)?.as_str())
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Values")
    }
}

/// Whether two values are the same to Helm, which knows only one kind of number, and no difference between no values and
/// an empty map of them.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len() && one.iter().all(|(key, value)| other.get(key).is_some_and(|it| same(value, it)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Object(map), Value::Null) | (Value::Null, Value::Object(map)) => map.is_empty(),
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_and_kinds_of_numbers_make_no_difference() {
        let values = Values::new(json!({ "a": { "x": 1, "y": [1.5, "1"] }, "b": {} }), Vec::new());
        assert!(values.are(&json!({ "b": {}, "a": { "y": [1.5, "1"], "x": 1.0 } })));
        assert!(!values.are(&json!({ "a": { "x": 1, "y": ["1", 1.5] }, "b": {} })));
        assert!(!values.are(&json!({ "a": { "x": "1", "y": [1.5, "1"] }, "b": {} })));
        assert!(!values.are(&json!({ "a": { "x": 1, "y": [1.5, "1"] }, "b": {}, "c": null })));
        assert!(Values::default().are(&json!({})));
    }

    #[test]
    fn the_old_values_of_secrets_are_secrets() {
        let values = Values::new(json!({ "a": { "password": "new" } }), vec!["/a/password".into()]);
        let old = json!({ "a": { "password": "old", "user": "me" } });
        assert_eq!(values.secrets_in(&old).collect::<Vec<_>>(), ["old"]);
    }
}
