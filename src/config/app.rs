//! What an app is: the one description of it, for `[[apps]]` and for what scripts hand to `app::deploy`.

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;

use super::{
    document::{Entry, Node, Place, Source, Sources, Table, Value},
    problem::Finding,
    reader::{Fault, Field, Reader, TableReader},
    secret_place::SecretPlace,
    values,
};

/// An application: an image that becomes pods, a route and a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct App {
    /// What its objects are called: a lower-case label of RFC 1035.
    pub name: String,
    /// Its container image, with a tag or a digest.
    pub image: String,
    /// The name under which the internet reaches it.
    pub host: String,
    /// The TCP port on which it listens; default 8080.
    pub port: u16,
    /// How many pods it has; default 1.
    pub replicas: u16,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// More of its environment: each variable, and where its value is kept.
    pub secrets: BTreeMap<String, SecretPlace>,
    /// The folder that outlives its pods, if it has one.
    pub volume: Option<Volume>,
    /// The path that answers when it is ready, default `/`; nothing if an open port is enough.
    pub path: Option<String>,
    /// What a pod may use at most: `cpu` and `memory`, where they are limited.
    pub limits: BTreeMap<String, String>,
    /// The number of the user as which it runs; default 65532.
    pub user: u32,
    /// The kind of its route; default `IngressRoute`.
    pub ingress: String,
    /// The ClusterIssuer of its certificate; nothing means that of the cluster.
    pub issuer: Option<String>,
}

/// A folder on the worker's disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// Its size, like `1Gi`.
    pub size: String,
    /// Where the app finds it.
    pub path: String,
}

/// What was read of an app, as far as it could be.
pub(super) struct AppDraft {
    pub path: String,
    pub place: Place,
    pub name: Field<String>,
    image: Field<String>,
    pub host: Field<String>,
    port: Field<u16>,
    replicas: Field<u16>,
    env: Field<BTreeMap<String, String>>,
    secrets: Field<BTreeMap<String, SecretPlace>>,
    volume: Option<(Place, Field<String>, Field<String>)>,
    health: Field<Option<String>>,
    limits: [Field<String>; LIMITS.len()],
    user: Field<u32>,
    ingress: Field<String>,
    issuer: Field<String>,
}

const LIMITS: [&str; 2] = ["cpu", "memory"];

/// Reads an app's table.
pub(super) fn read(mut table: TableReader<'_, '_>, path: String, place: Place) -> AppDraft {
    let name = table.required("name", "web", values::app_name);
    let image = table.required("image", "ghcr.io/example/web:1.0", values::image);
    let host = table.required("host", "www.example.org", values::domain);
    let port = table.number("port", "a port", 1..=u16::MAX);
    let replicas = table.number("replicas", "a number of pods", 0..=100);
    let env = table.each("env", |name, node, _| values::variable_name(name).and_then(|()| plain(node)));
    let secrets =
        table.each("secrets", |name, node, source| values::variable_name(name).and_then(|()| kept(node, source)));
    let health = table.text("path", |text| match text {
        "none" => Ok(None),
        path => values::url_path(path).map(Some),
    });
    let user = table.number("user", "the number of a user, who is not root,", 1..=2_147_483_647);
    let ingress = table.text("ingress", |text| values::one_of(text, &["IngressRoute", "Ingress"]));
    let issuer = table.text("issuer", values::issuer);
    let volume = table.inner("volume", "volume of [[apps]]").map(|(mut table, place)| {
        let size = table.required("size", "1Gi", |text| values::quantity(text, &["Mi", "Gi", "Ti"], "1Gi"));
        let path = table.required("path", "/data", values::folder);
        table.finish();
        (place, size, path)
    });
    let limits = table.inner("limits", "limits of [[apps]]").map(|(mut table, _)| {
        let limits = [
            table.scalar("cpu", |text| values::quantity(text, &["m", ""], "500m or 2")),
            table.scalar("memory", |text| values::quantity(text, &["Mi", "Gi"], "512Mi")),
        ];
        table.finish();
        limits
    });
    table.finish();
    let limits = limits.unwrap_or(LIMITS.map(|_| Field::Absent));
    AppDraft {
        path,
        place,
        name,
        image,
        host,
        port,
        replicas,
        env,
        secrets,
        volume,
        health,
        limits,
        user,
        ingress,
        issuer,
    }
}

/// The value of a variable as a text.
fn plain(node: &Node) -> Result<String, Fault> {
    match &node.value {
        Value::String(text) | Value::Argument(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Boolean(flag) => Ok(flag.to_string()),
        other => Err(Fault::new(format!("must be a text, not {}", other.kind()), "write it in double quotes")),
    }
}

/// The place where a secret is kept; the secret itself is refused.
fn kept(node: &Node, source: &Source) -> Result<SecretPlace, Fault> {
    let entries = match &node.value {
        Value::Table(table) => table.entries.as_slice(),
        _ => &[],
    };
    match entries {
        [Entry { key, node: Node { value: Value::String(text) | Value::Argument(text), .. }, .. }]
            if !text.is_empty() && (key == "env" || key == "file") =>
        {
            Ok(match key.as_str() {
                "env" => SecretPlace::Env(text.clone()),
                _ => SecretPlace::File(values::located(text, source)),
            })
        }
        _ => Err(Fault::new(
            "must say where the secret is kept, and never the secret itself",
            "write { env = \"NAME\" } for a variable of your environment, or { file = \"PATH\" }",
        )),
    }
}

impl AppDraft {
    /// What contradicts itself.
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let (Some((place, ..)), Some(replicas)) = (&self.volume, self.replicas.given().filter(|it| it.value > 1)) {
            findings.push(Finding::between(
                format!("a volume is for one pod, not for {}", replicas.value),
                "set `replicas` to 1, or keep the data elsewhere, in a database for example",
                vec![(*place, "one pod's".to_owned()), (replicas.place, "more pods".to_owned())],
            ));
        }
        if let (Some(env), Some(secrets)) = (self.env.given(), self.secrets.given()) {
            for name in env.value.keys().filter(|name| secrets.value.contains_key(*name)) {
                findings.push(Finding::between(
                    format!("the variable {name} is in `env` and in `secrets`"),
                    "keep one of them",
                    vec![(env.place, "here".to_owned()), (secrets.place, "and here".to_owned())],
                ));
            }
        }
        findings
    }

    /// The app, with the defaults where nothing was said; nothing if something is missing or wrong.
    pub fn complete(self) -> Option<App> {
        let volume = match self.volume {
            Some((_, size, path)) => Some(Volume { size: size.value()?, path: path.value()? }),
            None => None,
        };
        let limits =
            LIMITS.into_iter().zip(self.limits).filter_map(|(key, field)| Some((key.to_owned(), field.value()?)));
        Some(App {
            name: self.name.value()?,
            image: self.image.value()?,
            host: self.host.value()?,
            port: self.port.value().unwrap_or(8080),
            replicas: self.replicas.value().unwrap_or(1),
            env: self.env.value().unwrap_or_default(),
            secrets: self.secrets.value().unwrap_or_default(),
            volume,
            path: self.health.value().unwrap_or_else(|| Some("/".to_owned())),
            limits: limits.collect(),
            user: self.user.value().unwrap_or(65532),
            ingress: self.ingress.value().unwrap_or_else(|| "IngressRoute".to_owned()),
            issuer: self.issuer.value(),
        })
    }
}

impl App {
    /// The app that a script describes with the keys of `[[apps]]`. A `path` of null is `"none"`, every other null says
    /// nothing.
    ///
    /// ```
    /// use k3srun::config::App;
    /// use serde_json::json;
    ///
    /// let app = App::described(&json!({ "name": "web", "image": "nginx:1.29", "host": "www.example.org" })).unwrap();
    /// assert_eq!((app.port, app.path.as_deref()), (8080, Some("/")));
    ///
    /// let problems = App::described(&json!({ "name": "web", "image": "nginx", "host": "www.example.org" })).unwrap_err();
    /// assert!(problems[0].starts_with("`image` has no tag"));
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong, a line each with its remedy.
    pub fn described(description: &serde_json::Value) -> Result<Self, Vec<String>> {
        let sources = Sources::new("app::deploy", "", Path::new(""));
        let nowhere = sources.end_of_file();
        let root = Table { entries: entries(description, nowhere), place: nowhere };
        let mut reader = Reader::new(&sources);
        let draft = read(reader.table(Some(&root), "", "app::deploy"), String::new(), nowhere);
        let mut findings = reader.finish();
        findings.extend(draft.check());
        let lines = || findings.iter().map(|finding| finding.line()).collect();
        if findings.is_empty() { draft.complete().ok_or_else(lines) } else { Err(lines()) }
    }
}

fn entries(map: &serde_json::Value, place: Place) -> Vec<Entry> {
    let map = map.as_object().into_iter().flatten();
    let said = map.filter(|(key, value)| !value.is_null() || *key == "path");
    said.map(|(key, value)| Entry { key: key.clone(), key_place: place, node: data(value, place) }).collect()
}

/// What a script says as a setting.
fn data(value: &serde_json::Value, place: Place) -> Node {
    let value = match value {
        serde_json::Value::Null => Value::String("none".to_owned()),
        serde_json::Value::Bool(flag) => Value::Boolean(*flag),
        serde_json::Value::Number(number) => number.as_i64().map_or(Value::Unused("a decimal number"), Value::Integer),
        serde_json::Value::String(text) => Value::String(text.clone()),
        serde_json::Value::Array(items) => Value::Array(items.iter().map(|item| data(item, place)).collect()),
        serde_json::Value::Object(_) => Value::Table(Table { entries: entries(value, place), place }),
    };
    Node { value, place }
}
