//! Resources that are files, and what is in them.

use rhai::plugin::*;
use rhai::serde::DynamicDeserializer;
use rhai::{Dynamic, Map};
use serde::{Deserialize, Deserializer};

use crate::error::Error;
use crate::report::redact::Secrets;
use crate::resource::{Directory, File, Resource, Tree, parse_mode};
use crate::script::{Fallible, Options, Secret, context, fail, options};

/// Permission bits as text of octal digits. No number: 644 would be another mode than 0o644.
#[derive(Debug, Clone, Copy)]
struct Mode(u32);

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer).map_err(|_| {
            serde::de::Error::custom("a mode is text of three or four octal digits, e.g. \"0644\", no number")
        })?;
        parse_mode(&text).map(Mode).map_err(serde::de::Error::custom)
    }
}

/// Options of `file`, without `vars`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FileOptions {
    content: Option<Secret>,
    template: Option<String>,
    source: Option<String>,
    mode: Option<Mode>,
    owner: Option<String>,
    group: Option<String>,
    secret: bool,
    validate: Option<String>,
    // Read before the others; named here for the list of known options.
    #[serde(rename = "vars")]
    _vars: Option<()>,
}

impl Options for FileOptions {
    const FUNCTIONS: &[&str] = &["file"];
}

/// Options of `Host.write`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WriteOptions {
    mode: Option<Mode>,
    owner: Option<String>,
    group: Option<String>,
    secret: bool,
    validate: Option<String>,
}

impl Options for WriteOptions {
    const FUNCTIONS: &[&str] = &["Host.write"];
}

impl WriteOptions {
    fn dress(self, mut file: File) -> File {
        if let Some(Mode(mode)) = self.mode {
            file = file.mode(mode);
        }
        if let Some(owner) = self.owner {
            file = file.owner(owner);
        }
        if let Some(group) = self.group {
            file = file.group(group);
        }
        if let Some(command) = self.validate {
            file = file.validate(command);
        }
        if self.secret { file.secret() } else { file }
    }
}

/// Options of `Host.upload`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct UploadOptions {
    mode: Option<Mode>,
    owner: Option<String>,
    group: Option<String>,
    sha256: Option<String>,
}

impl Options for UploadOptions {
    const FUNCTIONS: &[&str] = &["Host.upload"];
}

/// Options of `directory`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DirectoryOptions {
    mode: Option<Mode>,
    owner: Option<String>,
    group: Option<String>,
    source: Option<String>,
    delete: bool,
    exclude: Vec<String>,
}

impl Options for DirectoryOptions {
    const FUNCTIONS: &[&str] = &["directory"];
}

/// The file that `Host.write` makes.
pub(super) fn written(call: &NativeCallContext, path: &str, content: Dynamic, settings: Map) -> Fallible<File> {
    let settings: WriteOptions = options(call, settings)?;
    let file = File::new(path);
    let file = match Secret::of(&content, context(call).run.secrets()) {
        Some(secret) => file.content(secret.reveal()).secret(),
        None => match content.into_string() {
            Ok(text) => file.content(text),
            Err(name) => {
                return Err(fail(call, Error::script(format!("write(): the content is text or a secret, not {name}"))));
            }
        },
    };
    Ok(settings.dress(file))
}

/// The file that `Host.upload` makes.
pub(super) fn sent(call: &NativeCallContext, local: &str, remote: &str, settings: Map) -> Fallible<File> {
    let UploadOptions { mode, owner, group, sha256 } = options(call, settings)?;
    let mut file = File::new(remote).source(local).mode_of_source();
    if let Some(sum) = sha256 {
        file = file.sha256(sum);
    }
    Ok(WriteOptions { mode, owner, group, ..WriteOptions::default() }.dress(file))
}

fn file(call: &NativeCallContext, path: &str, mut settings: Map) -> Fallible<File> {
    let name = call.fn_name().to_owned();
    let context = context(call);
    let secrets = context.run.secrets();
    let mut hidden = settings.get("content").is_some_and(|content| Secret::of(content, secrets).is_some());
    let vars = match settings.remove("vars") {
        None => None,
        Some(vars) => Some(json(&vars, secrets, &mut hidden).map_err(|error| fail(call, error))?),
    };
    let settings: FileOptions = options(call, settings)?;
    let wrong = |message: &str| Err(fail(call, Error::script(format!("{name}(): {message}"))));
    let file = match (&settings.content, &settings.template, &settings.source) {
        (Some(content), None, None) => File::new(path).content(content.reveal()),
        (None, Some(template), None) => {
            File::new(path).template(template, vars.clone().unwrap_or_else(|| serde_json::json!({})))
        }
        (None, None, Some(source)) => File::new(path).source(source),
        _ => return wrong("give one of the options `content`, `template` and `source`"),
    };
    if vars.is_some() && !file.is_template() {
        return wrong("the option `vars` goes with `template`");
    }
    let FileOptions { mode, owner, group, validate, secret, .. } = settings;
    Ok(WriteOptions { mode, owner, group, validate, secret: secret || hidden }.dress(file))
}

/// The variables of a template. A secret among them makes the whole file secret.
fn json(value: &Dynamic, secrets: &Secrets, hidden: &mut bool) -> Result<serde_json::Value, Error> {
    if let Some(secret) = Secret::of(value, secrets) {
        *hidden = true;
        return Ok(secret.reveal().into());
    }
    if let Some(map) = value.clone().try_cast::<Map>() {
        return map.iter().map(|(key, item)| Ok((key.to_string(), json(item, secrets, hidden)?))).collect();
    }
    if let Some(list) = value.clone().try_cast::<rhai::Array>() {
        return list.iter().map(|item| json(item, secrets, hidden)).collect();
    }
    serde_json::Value::deserialize(DynamicDeserializer::new(value))
        .map_err(|_| Error::script(format!("a template can't use a variable of type {}", value.type_name())))
}

/// Options of `line`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LineOptions {
    matching: Option<String>,
}

impl Options for LineOptions {
    const FUNCTIONS: &[&str] = &["line"];
}

/// Options of `block`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct BlockOptions {
    marker: Option<String>,
}

impl Options for BlockOptions {
    const FUNCTIONS: &[&str] = &["block"];
}

fn directory(call: &NativeCallContext, path: &str, settings: Map) -> Fallible<Resource> {
    let settings: DirectoryOptions = options(call, settings)?;
    let wrong = |message: &str| Err(fail(call, Error::script(format!("directory(): {message}"))));
    if let Some(source) = settings.source {
        return match (settings.mode, settings.owner, settings.group) {
            (None, None, None) => Ok(Tree::new(path, source).delete(settings.delete).exclude(settings.exclude).into()),
            _ => wrong("with `source` modes are those of the files there: leave `mode`, `owner` and `group` out"),
        };
    }
    if settings.delete || !settings.exclude.is_empty() {
        return wrong("the options `delete` and `exclude` go with `source`");
    }
    let mut directory = Directory::new(path);
    if let Some(Mode(mode)) = settings.mode {
        directory = directory.mode(mode);
    }
    if let Some(owner) = settings.owner {
        directory = directory.owner(owner);
    }
    if let Some(group) = settings.group {
        directory = directory.group(group);
    }
    Ok(directory.into())
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::{EvalAltResult, Map};

    use super::{BlockOptions, LineOptions};
    use crate::resource::{Absent, Block, Line, Resource, Symlink};
    use crate::script::options;

    /// A file. Options: one of `content` (text or a secret), `template` (a Jinja template, with `vars`, a map) and `source`
    /// (a file on this machine); `mode` (that of the file that is there, or "0644"), `owner` and `group` (names or numbers as
    /// text), `secret` (false: whether the content is never shown and `mode` is "0600" by default; implied by a secret in
    /// it), `validate` (a command that must accept the new content before it is put in place; `%` stands for the file).
    ///
    /// # Example
    /// ```rhai
    /// let motd = file("/etc/motd", #{ content: "Welcome.\n", mode: "0644" });
    /// let greeting = file("/etc/greeting", #{ template: "Hello {{ name }}\n", vars: #{ name: "Ada" } });
    /// let rules = file("/etc/sudoers.d/ops", #{ content: "ops ALL=(ALL) ALL\n", mode: "0440", validate: "visudo -cf %" });
    /// if motd.id != "file:/etc/motd" { throw motd.id }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn file(call: NativeCallContext, path: &str, settings: Map) -> Result<Resource, Box<EvalAltResult>> {
        super::file(&call, path, settings).map(Resource::from)
    }

    /// A directory. Those that it is in are made, too, where they are missing.
    ///
    /// # Example
    /// ```rhai
    /// let folder = directory("/etc/example");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn directory(call: NativeCallContext, path: &str) -> Result<Resource, Box<EvalAltResult>> {
        super::directory(&call, path, Map::new())
    }

    /// A directory. Options: `mode` ("0755"), `owner`, `group`. What is in it is not touched, unless there is `source`, a folder on
    /// this machine: then files, symbolic links and permission bits in it become the same as there. With `delete` (false) what is
    /// only on the host is removed; `exclude` are glob patterns of what is left alone on both sides, one without a slash for
    /// names at any depth.
    ///
    /// # Example
    /// ```rhai
    /// let folder = directory("/etc/example", #{ mode: "0700", owner: "root" });
    /// ```
    /// ```rhai,no_run
    /// let site = directory("/srv/www", #{ source: "www", delete: true, exclude: ["*.log", ".git"] });
    /// ```
    #[rhai_fn(name = "directory", return_raw)]
    pub fn directory_with(call: NativeCallContext, path: &str, settings: Map) -> Result<Resource, Box<EvalAltResult>> {
        super::directory(&call, path, settings)
    }

    /// A symbolic link. A file at its path is replaced, a directory is not.
    ///
    /// # Example
    /// ```rhai
    /// let link = symlink("/usr/local/bin/kubectl", "k3s");
    /// ```
    pub fn symlink(path: &str, target: &str) -> Resource {
        Symlink::new(path, target).into()
    }

    /// Nothing at a path: a file is removed, a directory with all that is in it.
    ///
    /// # Example
    /// ```rhai
    /// let gone = absent("/etc/example");
    /// ```
    pub fn absent(path: &str) -> Resource {
        Absent::new(path).into()
    }

    /// A line that a text file has; added at its end where it is missing. The file is made where there is none.
    ///
    /// # Example
    /// ```rhai
    /// let shell = line("/etc/shells", "/bin/zsh");
    /// ```
    pub fn line(path: &str, text: &str) -> Resource {
        Line::new(path, text).into()
    }

    /// A line that a text file has once. Options: `matching` (a regular expression: the first line that matches it becomes
    /// the line, others that match go).
    ///
    /// # Example
    /// ```rhai
    /// let port = line("/etc/ssh/sshd_config", "Port 22", #{ matching: "^#?Port " });
    /// ```
    #[rhai_fn(name = "line", return_raw)]
    pub fn line_with(
        call: NativeCallContext,
        path: &str,
        text: &str,
        settings: Map,
    ) -> Result<Resource, Box<EvalAltResult>> {
        let settings: LineOptions = options(&call, settings)?;
        let line = Line::new(path, text);
        Ok(match settings.matching {
            Some(pattern) => line.matching(pattern).into(),
            None => line.into(),
        })
    }

    /// Lines of a text file between the comments `# BEGIN k3srun` and `# END k3srun`; added at its end where they are
    /// missing. The file is made where there is none.
    ///
    /// # Example
    /// ```rhai
    /// let names = block("/etc/hosts", "10.0.0.1 master\n10.0.0.2 worker\n");
    /// ```
    pub fn block(path: &str, text: &str) -> Resource {
        Block::new(path, text).into()
    }

    /// Lines of a text file between two comments. Options: `marker` ("k3srun"): the name in the comments; every block of a
    /// file has its own.
    ///
    /// # Example
    /// ```rhai
    /// let names = block("/etc/hosts", "10.0.0.2 worker\n", #{ marker: "nodes" });
    /// ```
    #[rhai_fn(name = "block", return_raw)]
    pub fn block_with(
        call: NativeCallContext,
        path: &str,
        text: &str,
        settings: Map,
    ) -> Result<Resource, Box<EvalAltResult>> {
        let settings: BlockOptions = options(&call, settings)?;
        let block = Block::new(path, text);
        Ok(match settings.marker {
            Some(marker) => block.marker(marker).into(),
            None => block.into(),
        })
    }
}
