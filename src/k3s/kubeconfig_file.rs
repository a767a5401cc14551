//! The user's own kubeconfig, with the cluster in it: never without a copy of what was there, never half written.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

use super::kubeconfig::{KubeconfigOptions, kubeconfig};
use super::merge::{Entry, merge, read, tunnel_port};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::report::{Change, Event};

/// What goes where.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MergeOptions {
    /// The name of cluster, user and context.
    pub name: String,
    /// The API server's address, e.g. `https://203.0.113.1:6443`; default: the near end of a tunnel.
    pub server: Option<String>,
    /// The near end's port; default: the one that the file has for this cluster, or else a free one from 16443 on.
    pub port: Option<u16>,
    /// The file; default: the first of $KUBECONFIG, or ~/.kube/config.
    pub file: Option<PathBuf>,
    /// Make it the current context.
    pub set_current: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The file.
    pub file: PathBuf,
    /// What the file says is the API server's address.
    pub server: String,
    /// Whether the file was changed, or would be in a plan.
    pub changed: bool,
    /// The copy of what was there before.
    pub backup: Option<PathBuf>,
    /// The command that opens the tunnel, where one is needed.
    pub tunnel: Option<String>,
}

/// Puts the cluster of a server into the user's kubeconfig: parsed, and everything else in it stays. The file is replaced
/// at once, with mode 0600, and there is a copy of what it was. In a plan only told.
///
/// # Errors
/// Refused, with nothing changed, where the file is not a kubeconfig or can't be written; host where the server has none.
pub async fn merge_kubeconfig(host: &Host, options: &MergeOptions) -> Result<Merged> {
    if options.name.is_empty() {
        return Err(Error::refused("the cluster needs a name").help("pass it as `name`"));
    }
    let path = match &options.file {
        Some(path) => path.clone(),
        None => default_path()?,
    };
    // Where the file is a link, what it leads to is the file.
    let path = fs::canonicalize(&path).unwrap_or(path);
    let in_file = |mut error: Error| {
        error.message = format!("{}: {}", path.display(), error.message);
        error
    };
    let old = read_file(&path)?;
    let old_config = read(&old).map_err(in_file)?;
    let port = options.port.unwrap_or_else(|| tunnel_port(&old_config, &options.name));
    let (server, tunnel) = match &options.server {
        Some(server) => (server.clone(), None),
        None => match host.tunnel_command(port, "127.0.0.1:6443")? {
            Some(command) => (format!("https://127.0.0.1:{port}"), Some(command)),
            None => ("https://127.0.0.1:6443".to_owned(), None),
        },
    };
    let wanted = KubeconfigOptions { server: Some(server.clone()), name: Some(options.name.clone()) };
    let entry = entry(host, &wanted).await?;
    let mut config = old_config.clone();
    merge(&mut config, &entry, options.set_current);

    let loose = fs::metadata(&path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
    let differs = old.trim().is_empty() || config != old_config;
    let mut merged = Merged { file: path.clone(), server, changed: differs || loose, backup: None, tunnel };
    let run = host.run_context();
    if !merged.changed {
        run.report().emit(Event::Unchanged { host: "local".into(), count: 1 });
        return Ok(merged);
    }
    if !run.is_plan() {
        merged.backup = write(&path, &old, &config).map_err(in_file)?;
    }
    let summary = match (differs, loose) {
        (true, _) => format!("context {} -> {}", options.name, merged.server),
        (false, _) => "mode 0600".to_owned(),
    };
    let change = Change { resource: format!("kubeconfig:{}", path.display()), summary, diff: None };
    run.report().emit(Event::Changed { host: "local".into(), planned: run.is_plan(), change });
    Ok(merged)
}

async fn entry(host: &Host, wanted: &KubeconfigOptions) -> Result<Entry> {
    let unusable = || Error::host("the kubeconfig on this host has no cluster or user").on(host.name());
    let config = kubeconfig(host, wanted).await?;
    let name = wanted.name.clone().unwrap_or_default();
    let cluster = config.clusters.iter().find(|it| it.name == name).ok_or_else(unusable)?;
    let user = config.auth_infos.iter().find(|it| it.name == name).ok_or_else(unusable)?;
    let yaml = |value: serde_yaml_ng::Result<Value>| value.map_err(|_| unusable());
    Ok(Entry {
        cluster: yaml(serde_yaml_ng::to_value(&cluster.cluster))?,
        user: yaml(serde_yaml_ng::to_value(&user.auth_info))?,
        name,
    })
}

/// Where kubectl, too, looks first.
fn default_path() -> Result<PathBuf> {
    if let Some(list) = std::env::var_os("KUBECONFIG")
        && let Some(first) = std::env::split_paths(&list).find(|path| !path.as_os_str().is_empty())
    {
        return Ok(first);
    }
    match std::env::var_os("HOME") {
        Some(home) if !home.is_empty() => Ok(PathBuf::from(home).join(".kube/config")),
        _ => Err(Error::refused("neither KUBECONFIG nor HOME is set").help("name the file by the option `file`")),
    }
}

fn read_file(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Error::refused(format!("can't read {}: {error}", path.display()))
            .help("nothing was changed; look at its owner and mode, or name another file")),
    }
}

/// Held while the file is changed, in kubectl's own way: each waits for, or refuses because of, the other.
struct Lock(PathBuf);

impl Drop for Lock {
    fn drop(&mut self) {
        // It was ours; where it is gone already nothing is left to do.
        let _ = fs::remove_file(&self.0);
    }
}

fn lock(path: &Path) -> Result<Lock> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = PathBuf::from(name);
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&lock) {
        Ok(_) => Ok(Lock(lock)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Error::refused("another program is changing it")
                .help(format!("run it again in a moment; if none is, remove {}", lock.display())))
        }
        Err(error) => Err(unwritable(&error)),
    }
}

fn unwritable(error: &std::io::Error) -> Error {
    Error::refused(format!("it can't be written: {error}"))
        .help("nothing was changed; look at the owner and mode of its folder, or name another file")
}

/// Returns where the copy of the old content is, if there was one.
fn write(path: &Path, old: &str, config: &Mapping) -> Result<Option<PathBuf>> {
    let text =
        serde_yaml_ng::to_string(config).map_err(|_| Error::refused("the new content can't be written as YAML"))?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let work = || -> std::io::Result<Option<PathBuf>> {
        let backup = if old.is_empty() { None } else { Some(copy(path, old)?) };
        let mut new = tempfile::Builder::new().prefix(".kubeconfig-").tempfile_in(folder)?;
        new.write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        if let Ok(meta) = fs::metadata(path) {
            // Where root does it for a user, the file stays theirs.
            std::os::unix::fs::chown(new.path(), Some(meta.uid()), Some(meta.gid()))?;
        }
        new.persist(path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()?;
        Ok(backup)
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| unwritable(&error))?;
    let _lock = lock(path)?;
    if read_file(path)? != old {
        return Err(Error::refused("another program has changed it at the same moment").help("run it again"));
    }
    work().map_err(|error| unwritable(&error))
}

fn copy(path: &Path, old: &str) -> std::io::Result<PathBuf> {
    let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%S.%f").to_string();
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".before-{time}"));
    let backup = PathBuf::from(name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&backup)?;
    file.write_all(old.as_bytes())?;
    file.sync_all()?;
    if let Ok(meta) = fs::metadata(path) {
        std::os::unix::fs::chown(&backup, Some(meta.uid()), Some(meta.gid()))?;
    }
    Ok(backup)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str) -> Mapping {
        read(&format!("current-context: {name}")).unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_made_for_its_owner_only_and_replaced_with_a_copy_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".kube/config");
        assert_eq!(write(&path, "", &config("one")).unwrap(), None);
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let old = fs::read_to_string(&path).unwrap();
        let backup = write(&path, &old, &config("two")).unwrap().unwrap();
        assert_eq!((fs::read_to_string(&backup).unwrap(), mode(&backup)), (old, 0o600));
        assert!(fs::read_to_string(&path).unwrap().contains("current-context: two"));
        let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }

    #[test]
    fn what_another_program_changes_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, "kind: Config").unwrap();
        let error = write(&path, "kind: Config # before", &config("one")).unwrap_err();
        assert_eq!(error.message, "another program has changed it at the same moment");
        fs::write(folder.path().join("config.lock"), "").unwrap();
        let error = write(&path, "kind: Config", &config("one")).unwrap_err();
        assert_eq!(error.message, "another program is changing it");
        assert_eq!(fs::read_to_string(&path).unwrap(), "kind: Config");
    }
}
