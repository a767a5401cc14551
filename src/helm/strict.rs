//! Whether a chart knows the values that it is given. A chart with a schema says so itself; another one takes no notice of a
//! misspelt key.

use serde_json::{Map, Value};

use super::archive::Archive;
use super::open::Open;
use crate::error::{Error, Result};
use crate::suggestion::nearest;

/// Checks every key.
///
/// A key is known where it is among the chart's own values, where a comment in them names it, or where a template uses it. What is
/// below an empty map or a list is the user's own affair. So are the keys of a map that the chart's schema leaves open or a template
/// goes through, and what a template copies into an object as it is: there Kubernetes refuses fields that it doesn't know.
///
/// # Errors
/// Refused, with all keys that are unknown, and what they probably were meant to be.
pub(super) fn check(files: &Archive, values: &Value) -> Result<()> {
    let mut unknown = Vec::new();
    if let Value::Object(values) = values {
        Scope::of(files, "", &Map::new())?.level(values, &mut Vec::new(), &mut unknown)?;
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let name = files.metadata("")?.name;
    let keys: Vec<&str> = unknown.iter().map(|Unknown { key, .. }| key.as_str()).collect();
    let meant = |Unknown { key, meant }: &Unknown| Some(format!("for {key} did you mean {}?", meant.as_ref()?));
    let mut help: Vec<String> = unknown.iter().filter_map(meant).collect();
    help.push(
        "`helm show values` lists what the chart knows; the option `strict: false` takes the values as they are".into(),
    );
    Err(Error::refused(format!("the chart {name} has no value {}", keys.join(", "))).help(help.join(" ")))
}

/// A key that the chart doesn't know, and the nearest one that it does.
struct Unknown {
    key: String,
    meant: Option<String>,
}

/// One chart, which may be inside of another one.
struct Scope<'a> {
    files: &'a Archive,
    /// The folder in the outermost chart.
    place: String,
    defaults: Value,
    schema: Value,
    open: Open,
    /// Charts inside, by the key under which they get their values, with their folders.
    inner: Vec<(String, String)>,
}

impl<'a> Scope<'a> {
    /// `overrides` is what the chart around it has for it.
    fn of(files: &'a Archive, place: &str, overrides: &Map<String, Value>) -> Result<Self> {
        let unusable =
            |file: &str, why: String| Error::refused(format!("{place}{file} of the chart can't be read: {why}"));
        let text = files.text(&format!("{place}values.yaml")).unwrap_or_default();
        let values: Value =
            serde_yaml_ng::from_str(text).map_err(|error| unusable("values.yaml", error.to_string()))?;
        let mut defaults = values.as_object().cloned().unwrap_or_default();
        merge(&mut defaults, overrides);
        let schema = match files.text(&format!("{place}values.schema.json")) {
            Some(text) => {
                serde_json::from_str(text).map_err(|error| unusable("values.schema.json", error.to_string()))?
            }
            None => Value::Null,
        };
        let mut inner = Vec::new();
        for dependency in files.metadata(place)?.dependencies {
            let folder = format!("{place}charts/{}/", dependency.name);
            if files.text(&format!("{folder}Chart.yaml")).is_some() {
                inner.push((dependency.alias.unwrap_or(dependency.name), folder));
            }
        }
        let open = Open::by(files.texts(&format!("{place}templates/")).map(|(_, text)| text));
        Ok(Scope { files, place: place.to_owned(), defaults: Value::Object(defaults), schema, open, inner })
    }

    /// Checks the keys of one map; `path` leads to it in this chart.
    fn level(&self, values: &Map<String, Value>, path: &mut Vec<String>, unknown: &mut Vec<Unknown>) -> Result<()> {
        let known = path.iter().fold(&self.defaults, |map, key| &map[key]);
        let inner = |key: &str| self.inner.iter().find(|(name, _)| path.is_empty() && name == key);
        let open = self.says_open(path) || self.open.is_walked(path);
        let mut below = Vec::new();
        for (key, value) in values {
            let default = known.get(key);
            if let (Some((_, folder)), Value::Object(value)) = (inner(key), value) {
                let overrides = default.and_then(Value::as_object).cloned().unwrap_or_default();
                let mut found = Vec::new();
                Scope::of(self.files, folder, &overrides)?.level(value, &mut Vec::new(), &mut found)?;
                unknown.extend(found.into_iter().map(|it| Unknown { key: format!("{key}.{}", it.key), ..it }));
            } else if let Some(default) = default {
                if let (Value::Object(value), Value::Object(default)) = (value, default)
                    && !default.is_empty()
                {
                    below.push((key, value));
                }
            } else if !(open || (path.is_empty() && key == "global") || self.mentions(key)) {
                let charts = self.inner.iter().filter(|_| path.is_empty()).map(|(name, _)| name.as_str());
                let names = known.as_object().into_iter().flat_map(|map| map.keys().map(String::as_str));
                let meant = nearest(key, names.chain(charts)).map(str::to_owned);
                let path: String = path.iter().map(|key| format!("{key}.")).collect();
                unknown.push(Unknown { key: format!("{path}{key}"), meant });
            }
        }
        for (key, value) in below {
            path.push(key.clone());
            if !self.open.is_copied(path) {
                self.level(value, path, unknown)?;
            }
            path.pop();
        }
        Ok(())
    }

    /// Whether the schema says that a map has more keys than it names.
    fn says_open(&self, path: &[String]) -> bool {
        let map = path.iter().fold(&self.schema, |map, key| &map["properties"][key]);
        matches!(map["additionalProperties"], Value::Bool(true) | Value::Object(_))
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
            (
                "values.yaml",
                "image: {tag: x, pullPolicy: Always}\nlabels: {}\nstore: {size: 1}\n# extra: {}\n\
                 service: {spec: {type: LoadBalancer}}\nports: {web: {port: 80}}\n",
            ),
            (
                "values.schema.json",
                r#"{"properties": {"ports": {"additionalProperties": {}}, "image": {"additionalProperties": false}}}"#,
            ),
            ("templates/a.yaml", "x: {{ .Values.image.digest }}"),
            (
                "templates/b.yaml",
                "spec:\n  {{- with .Values.service.spec }}\n  {{- toYaml . | nindent 2 }}\n  {{- end }}",
            ),
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
            "global": { "x": 1 }, "store": { "size": 2, "user": "you" }, "ports": { "smtp": { "port": 25 } },
            "service": { "spec": { "externalTrafficPolicy": "Local" } },
        });
        assert_eq!(said(known), Ok(()));
    }

    #[test]
    fn all_misspelt_keys_are_told_with_what_was_meant() {
        let misspelt = json!({
            "image": { "tga": "y" }, "store": { "usr": "x" }, "flavour": 1, "service": { "spce": {} },
            "ports": { "web": { "prot": 81 } },
        });
        let error = said(misspelt).unwrap_err();
        let keys = "the chart web has no value flavour, store.usr, image.tga, ports.web.prot, service.spce: ";
        assert!(error.starts_with(keys), "{error}");
        assert!(error.contains("for store.usr did you mean user? for image.tga did you mean tag?"), "{error}");
    }
}
