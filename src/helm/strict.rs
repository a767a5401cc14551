//! Whether a chart knows the values that it is given. A chart with a schema says so itself; another one takes no notice of a
//! misspelt key.

use serde_json::{Map, Value};

use super::archive::Archive;
use crate::error::{Error, Result};
use crate::suggestion::nearest;

/// Checks every key.
///
/// A key is known where it is among the chart's own values, where a comment in them names it, or where a template uses it. What is
/// below an empty map or a list is the user's own affair.
///
/// # Errors
/// Refused, with all keys that are unknown, and what they probably were meant to be.
pub(super) fn check(files: &Archive, values: &Value) -> Result<()> {
    let mut unknown = Vec::new();
    if let Value::Object(values) = values {
        Scope::of(files, "", &Map::new())?.check(values, "", &mut unknown)?;
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let name = files.metadata("")?.name;
    let keys: Vec<&str> = unknown.iter().map(|(key, _)| key.as_str()).collect();
    let meant: Vec<String> = unknown
        .iter()
        .filter_map(|(key, meant)| Some(format!("for {key} did you mean {}?", meant.as_ref()?)))
        .collect();
    let list = "`helm show values` lists what the chart knows; the option `strict: false` takes the values as they are";
    let help = [meant.join(" "), list.to_owned()].iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>();
    Err(Error::refused(format!("the chart {name} has no value {}", keys.join(", "))).help(help.join(" ")))
}

/// One chart, which may be inside of another one.
struct Scope<'a> {
    files: &'a Archive,
    /// The folder in the outermost chart.
    place: String,
    defaults: Map<String, Value>,
    /// Charts inside, by the key under which they get their values, with their folders.
    inner: Vec<(String, String)>,
}

impl<'a> Scope<'a> {
    /// `overrides` is what the chart around it has for it.
    fn of(files: &'a Archive, place: &str, overrides: &Map<String, Value>) -> Result<Self> {
        let text = files.text(&format!("{place}values.yaml")).unwrap_or_default();
        let values: Value = serde_yaml_ng::from_str(text)
            .map_err(|error| Error::refused(format!("{place}values.yaml of the chart can't be read: {error}")))?;
        let mut defaults = values.as_object().cloned().unwrap_or_default();
        merge(&mut defaults, overrides);
        let mut inner = Vec::new();
        for dependency in files.metadata(place)?.dependencies {
            let folder = format!("{place}charts/{}/", dependency.name);
            if files.text(&format!("{folder}Chart.yaml")).is_some() {
                inner.push((dependency.alias.unwrap_or(dependency.name), folder));
            }
        }
        Ok(Scope { files, place: place.to_owned(), defaults, inner })
    }

    fn check(
        &self,
        values: &Map<String, Value>,
        path: &str,
        unknown: &mut Vec<(String, Option<String>)>,
    ) -> Result<()> {
        self.level(values, &self.defaults, path, true, unknown)
    }

    fn level(
        &self,
        values: &Map<String, Value>,
        defaults: &Map<String, Value>,
        path: &str,
        top: bool,
        unknown: &mut Vec<(String, Option<String>)>,
    ) -> Result<()> {
        for (key, value) in values {
            let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let inner = self.inner.iter().find(|(name, _)| top && name == key);
            let default = defaults.get(key);
            if let (Some((_, folder)), Value::Object(value)) = (inner, value) {
                let overrides = default.and_then(Value::as_object).cloned().unwrap_or_default();
                Scope::of(self.files, folder, &overrides)?.check(value, &here, unknown)?;
            } else if let Some(default) = default {
                if let (Value::Object(value), Value::Object(default)) = (value, default)
                    && !default.is_empty()
                {
                    self.level(value, default, &here, false, unknown)?;
                }
            } else if !((top && key == "global") || self.mentions(key)) {
                let known = defaults.keys().chain(self.inner.iter().filter(|_| top).map(|(name, _)| name));
                let meant = nearest(key, known.map(String::as_str)).map(str::to_owned);
                unknown.push((here, meant));
            }
        }
        Ok(())
    }

    /// Whether a comment of the values or a template has the key.
    fn mentions(&self, key: &str) -> bool {
        let values = self.files.text(&format!("{}values.yaml", self.place)).unwrap_or_default();
        let comments = values.lines().filter_map(|line| line.trim().strip_prefix('#'));
        let in_comment = |line: &str| {
            let word = line.trim_start_matches(['#', ' ', '-']).split(':').next().unwrap_or_default();
            word == key && line.contains(':')
        };
        let dotted = format!(".{key}");
        let is_end = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-');
        let used = |text: &str| text.match_indices(&dotted).any(|(at, _)| is_end(&text[at + dotted.len()..]));
        let templates = format!("{}templates/", self.place);
        comments.into_iter().any(in_comment) || self.files.texts(&templates).any(|(_, text)| used(text))
    }
}

/// What the chart around another one says about its values counts more.
fn merge(defaults: &mut Map<String, Value>, overrides: &Map<String, Value>) {
    for (key, value) in overrides {
        match (defaults.get_mut(key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            _ => {
                defaults.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(values: Value) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            ("Chart.yaml", "{name: web, version: 1.0.0, dependencies: [{name: db, version: 1.0.0, alias: store}]}"),
            ("values.yaml", "image: {tag: x, pullPolicy: Always}\nlabels: {}\nstore: {size: 1}\n# extra: {}\n"),
            ("templates/a.yaml", "x: {{ .Values.image.digest }}"),
            ("charts/db/Chart.yaml", "{name: db, version: 1.0.0}"),
            ("charts/db/values.yaml", "user: me\n"),
        ];
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let archive = Archive::read(folder.path()).unwrap();
        check(&archive, &values).map_err(|error| format!("{}: {}", error.message, error.help.unwrap_or_default()))
    }

    #[test]
    fn keys_of_values_comments_templates_and_inner_charts_are_known() {
        let known = json!({
            "image": { "tag": "y", "digest": "z" }, "labels": { "any": "thing" }, "extra": { "any": 1 },
            "global": { "x": 1 }, "store": { "size": 2, "user": "you" },
        });
        assert_eq!(said(known), Ok(()));
    }

    #[test]
    fn all_misspelt_keys_are_told_with_what_was_meant() {
        let error = said(json!({ "image": { "tga": "y" }, "store": { "usr": "x" }, "flavour": 1 })).unwrap_err();
        assert!(error.starts_with("the chart web has no value flavour, image.tga, store.usr: "), "{error}");
        assert!(error.contains("for image.tga did you mean tag? for store.usr did you mean user?"), "{error}");
    }
}
