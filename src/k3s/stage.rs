//! Brings another version to a host whose k3s goes on as it is.

use super::artifact::{Arch, Binary};
use super::deploy;
use super::install::{Installation, LIBRARY};
use super::options::Options;
use super::unit::{BINARY, STAGED};
use crate::error::{Error, Result};
use crate::host::{Host, ScriptOptions, quote};

/// Brings the executable and the images of `options.version` to a host, verified, without touching what runs. A later upgrade
/// takes them. Returns whether anything was brought, or would be in a plan.
///
/// # Errors
/// Refused for files here that can't be read or are not what their checksum says, host when something fails there.
pub async fn stage(host: &Host, options: &Options) -> Result<bool> {
    let facts = deploy::look(host, options, &options.source.images(&options.images)?).await?;
    let artifacts = options.source.artifacts(&options.version, Arch::of_machine(&facts.machine)?, &options.images)?;
    Installation::new(options, artifacts, &facts).await?.stage(host, options).await
}

/// Whether the executable was staged before. What has its name was verified when it got it.
pub(super) async fn is_staged(host: &Host, binary: &Binary, version: &str) -> Result<bool> {
    let script = format!(
        "{LIBRARY}[ -x {STAGED} ] || exit 45\n[ -z {0} ] || [ \"$(sha256sum <{STAGED} | cut -c1-64)\" = {0} ] || exit 45\n\
         prove {STAGED} {1}\n",
        quote(binary.sha256().unwrap_or_default()),
        quote(version)
    );
    Ok(host.script(&script, &ScriptOptions::titled("looking for the staged k3s").timeout(60)).await?.status == 0)
}

/// Puts the staged executable in place, keeping the one that it replaces. Returns false where none is staged, or another one.
pub(super) async fn take_staged(host: &Host, binary: &Binary, version: &str) -> Result<bool> {
    let script = format!(
        "{LIBRARY}place_staged {STAGED} {BINARY} {} {}\n",
        quote(version),
        quote(binary.sha256().unwrap_or_default())
    );
    let output = host.script(&script, &ScriptOptions::titled("putting the staged k3s in place").timeout(120)).await?;
    match output.status {
        0 => Ok(true),
        44 | 45 => Ok(false),
        status => Err(Error::host(format!("the staged k3s can't be put in place (exit status {status})"))
            .on(host.name())
            .output(output.tail())
            .help("look at the output, and at the free space under /usr/local/bin")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    fn program(path: &Path, version: &str) {
        std::fs::write(path, format!("#!/bin/sh\necho \"k3s version {version} (48ffa7b6)\"\n")).unwrap();
        let done = Command::new("chmod").arg("755").arg(path).status().unwrap();
        assert!(done.success());
    }

    /// What a host would end with that takes a staged executable.
    fn taken(folder: &Path, version: &str, sum: &str) -> Option<i32> {
        let path = |name: &str| quote(&folder.join(name).display().to_string());
        let script = format!("{LIBRARY}place_staged {} {} {version} {}", path("staged"), path("k3s"), quote(sum));
        Command::new("sh").args(["-c", &script]).status().unwrap().code()
    }

    #[test]
    fn a_staged_executable_takes_its_place_and_the_old_one_is_kept() {
        // It is given to root, which takes root.
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        assert_eq!(taken(folder.path(), "v1.37.2+k3s1", ""), Some(45), "nothing is staged");
        program(&folder.path().join("k3s"), "v1.36.5+k3s1");
        program(&folder.path().join("staged"), "v1.37.2+k3s1");
        assert_eq!(taken(folder.path(), "v1.37.2+k3s1", "0000"), Some(45), "another one is wanted");
        assert_eq!(taken(folder.path(), "v1.37.2+k3s1", ""), Some(0));
        assert!(
            read("k3s").contains("v1.37.2") && read("k3s.previous").contains("v1.36.5") && read("staged").is_empty()
        );
    }

    #[test]
    fn a_staged_executable_of_another_version_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        program(&folder.path().join("staged"), "v1.36.5+k3s1");
        assert_eq!(taken(folder.path(), "v1.37.2+k3s1", ""), Some(44));
    }
}
