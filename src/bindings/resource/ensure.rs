//! `ensure`, what came of it, and the words for one resource: `write`, `upload`, `sync_dir`.

use rhai::Array;
use rhai::plugin::*;
use serde::Deserialize;

use crate::error::Error;
use crate::resource::Resource;
use crate::script::Options;

/// Options of `sync_dir`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SyncOptions {
    delete: bool,
    exclude: Vec<String>,
}

impl Options for SyncOptions {
    const FUNCTIONS: &[&str] = &["Host.sync_dir"];
}

/// The resources of a list and of the lists in it.
fn flatten(items: Array) -> Result<Vec<Resource>, Error> {
    let mut list = Vec::with_capacity(items.len());
    for item in items {
        match item.try_cast_result::<Resource>() {
            Ok(resource) => list.push(resource),
            Err(item) if item.is_array() => list.extend(flatten(item.cast())?),
            Err(item) => {
                let name = item.type_name();
                let message = format!("ensure(): the list has a value of type {name} in it, which is not a resource");
                let help = "resources are made by file(..), packages(..), service(..) and the like";
                return Err(Error::script(message).help(help));
            }
        }
    }
    Ok(list)
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::{Array, Dynamic, EvalAltResult, Map};

    use super::super::files;
    use super::SyncOptions;
    use crate::host::Host;
    use crate::resource::{self, Changes, Resource, Tree};
    use crate::script::{block, context, fail, options};

    /// Makes the host what the resources say: reads all facts at once, compares, and changes what differs in the order of
    /// the list, up to the first failure. With `--plan` it only tells what differs. Lists in the list are taken apart.
    ///
    /// # Example
    /// ```rhai
    /// let changes = local().ensure([directory("/tmp")]);
    /// if changes.changed != 0 || changes.ok != 1 { throw `${changes}` }
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn ensure(call: NativeCallContext, host: &mut Host, resources: Array) -> Result<Changes, Box<EvalAltResult>> {
        let list = super::flatten(resources).map_err(|error| fail(&call, error))?;
        block(&call, &context(&call), resource::ensure(host, &list))
    }

    /// Writes a file, unless it has this content already. Returns whether it was changed, or would be in a plan.
    ///
    /// # Example
    /// ```rhai,no_run
    /// ssh::connect("master").write("/etc/motd", "Welcome.\n");
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn write(
        call: NativeCallContext,
        host: &mut Host,
        path: &str,
        content: Dynamic,
    ) -> Result<bool, Box<EvalAltResult>> {
        write_with(call, host, path, content, Map::new())
    }

    /// Writes a file, unless it has this content already; the content may be a secret. Options: `mode`, `owner`, `group`,
    /// `secret`, `validate`, as for `file`. Returns whether it was changed, or would be in a plan.
    ///
    /// # Example
    /// ```rhai,no_run
    /// ssh::connect("master").write("/etc/example.key", secret("correct horse"), #{ mode: "0600" });
    /// ```
    #[rhai_fn(global, name = "write", return_raw, pure)]
    pub fn write_with(
        call: NativeCallContext,
        host: &mut Host,
        path: &str,
        content: Dynamic,
        settings: Map,
    ) -> Result<bool, Box<EvalAltResult>> {
        let file = files::written(&call, path, content, settings)?.into();
        let changes = block(&call, &context(&call), resource::ensure(host, &[file]))?;
        Ok(changes.changed > 0)
    }

    /// Copies a local file to the host, unless it is there already: the same as `ensure` of a `file` with this `source`, which for
    /// a new file has the mode of the local one, too. Returns whether anything differed. With `--plan` it only compares.
    ///
    /// # Example
    /// ```rhai
    /// local().upload("/etc/os-release", "/tmp/k3srun-example-release");
    /// local().run("rm -f /tmp/k3srun-example-release");
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn upload(
        call: NativeCallContext,
        host: &mut Host,
        local: &str,
        remote: &str,
    ) -> Result<bool, Box<EvalAltResult>> {
        upload_with(call, host, local, remote, Map::new())
    }

    /// Copies a local file to the host. Options: `mode` (`"0644"`; default: that of the file there, or of the local one),
    /// `owner`, `group` (default: those of the file there, or root's), `sha256` (what the local file must have).
    ///
    /// # Example
    /// ```rhai,no_run
    /// ssh::connect("master").upload("k3s", "/usr/local/bin/k3s", #{ mode: "0755" });
    /// ```
    #[rhai_fn(global, name = "upload", return_raw, pure)]
    pub fn upload_with(
        call: NativeCallContext,
        host: &mut Host,
        local: &str,
        remote: &str,
        settings: Map,
    ) -> Result<bool, Box<EvalAltResult>> {
        let file = files::sent(&call, local, remote, settings)?.into();
        Ok(block(&call, &context(&call), resource::ensure(host, &[file]))?.changed > 0)
    }

    /// Makes a folder on the host the same as a local one: files, symbolic links, permission bits; the same as `ensure` of a
    /// `directory` with this `source`. What is only on the host stays. Returns whether anything differed. With `--plan` it only
    /// compares.
    ///
    /// # Example
    /// ```rhai,no_run
    /// ssh::connect("master").sync_dir("manifests", "/var/lib/rancher/k3s/server/manifests/mine");
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn sync_dir(
        call: NativeCallContext,
        host: &mut Host,
        local: &str,
        remote: &str,
    ) -> Result<bool, Box<EvalAltResult>> {
        sync_dir_with(call, host, local, remote, Map::new())
    }

    /// Makes a folder on the host the same as a local one. Options: `delete` (false: what is only on the host stays),
    /// `exclude` (glob patterns; one without a slash is for names at any depth).
    ///
    /// # Example
    /// ```rhai,no_run
    /// ssh::connect("master").sync_dir("www", "/srv/www", #{ delete: true, exclude: ["*.log", ".git"] });
    /// ```
    #[rhai_fn(global, name = "sync_dir", return_raw, pure)]
    pub fn sync_dir_with(
        call: NativeCallContext,
        host: &mut Host,
        local: &str,
        remote: &str,
        settings: Map,
    ) -> Result<bool, Box<EvalAltResult>> {
        let settings: SyncOptions = options(&call, settings)?;
        let tree = Tree::new(remote, local).delete(settings.delete).exclude(settings.exclude).into();
        Ok(block(&call, &context(&call), resource::ensure(host, &[tree]))?.changed > 0)
    }

    /// How many resources were changed, or would be in a plan.
    #[rhai_fn(global, get = "changed", pure)]
    pub fn changed(changes: &mut Changes) -> i64 {
        i64::try_from(changes.changed).unwrap_or(i64::MAX)
    }

    /// How many resources were as wanted.
    #[rhai_fn(global, get = "ok", pure)]
    pub fn ok(changes: &mut Changes) -> i64 {
        i64::try_from(changes.ok).unwrap_or(i64::MAX)
    }

    /// The ids of the changed resources, e.g. `file:/etc/motd`.
    #[rhai_fn(global, get = "names", pure)]
    pub fn names(changes: &mut Changes) -> Array {
        changes.names.iter().cloned().map(Dynamic::from).collect()
    }

    /// Whether a resource, named by its id, was changed, or would be in a plan.
    ///
    /// # Example
    /// ```rhai
    /// let changes = local().ensure([directory("/tmp")]);
    /// if changes.has("directory:/tmp") { log("made") }
    /// ```
    #[rhai_fn(global, pure)]
    pub fn has(changes: &mut Changes, id: &str) -> bool {
        changes.has(id)
    }

    /// `2 changed, 14 ok`.
    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn changes_text(changes: &mut Changes) -> String {
        format!("{} changed, {} ok", changes.changed, changes.ok)
    }

    /// What names the resource in reports and in `restart_on`, e.g. `file:/etc/motd`.
    #[rhai_fn(global, get = "id", pure)]
    pub fn id(resource: &mut Resource) -> String {
        resource.id()
    }

    /// The id of the resource.
    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn resource_text(resource: &mut Resource) -> String {
        resource.id()
    }
}
