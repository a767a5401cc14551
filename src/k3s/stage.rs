//! Brings another version to a host whose k3s goes on as it is.

use super::artifact::Arch;
use super::deploy;
use super::install::Installation;
use super::options::Options;
use crate::error::Result;
use crate::host::Host;

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
