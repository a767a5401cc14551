//! The desired state of a host: resources are values, [`ensure`] reads what is, compares, and changes what differs.
//!
//! All facts of a list are read in one round trip, the difference is computed here, and all that differs is applied in
//! one more. One file per kind of resource; a kind says which facts it needs, what differs, and how to change it.
//!
//! ```no_run
//! use k3srun::resource::{self, Directory, File, Package, Service};
//! # async fn example(host: &k3srun::host::Host) -> k3srun::error::Result<()> {
//! let changes = resource::ensure(
//!     host,
//!     &[
//!         Package::new(["nftables"]).into(),
//!         Directory::new("/etc/example").mode(0o700).into(),
//!         File::new("/etc/example/key").content("s3cret").mode(0o600).secret().into(),
//!         Service::new("nftables").restart_on(["file:/etc/example/key"]).into(),
//!     ],
//! )
//! .await?;
//! println!("{} changed", changes.changed);
//! # Ok(())
//! # }
//! ```

mod absent;
mod archive;
mod attributes;
mod authorized_key;
mod block;
mod body;
mod command;
mod directory;
mod edit;
mod ensure;
mod file;
pub(crate) mod guard;
mod hands;
mod hostname;
mod hosts_entry;
mod input;
mod kernel_module;
mod line;
mod manifest;
mod mount;
mod package;
mod path;
mod probe;
mod service;
mod sshd;
mod step;
mod swap;
mod symlink;
mod sysctl;
mod time_sync;
mod tree;
pub(crate) mod unified;
mod user;
mod world;

use std::sync::Arc;

pub use absent::Absent;
pub use authorized_key::AuthorizedKey;
pub use block::Block;
pub use command::Command;
pub use directory::Directory;
pub use ensure::{Changes, ensure};
pub use file::File;
pub use hostname::Hostname;
pub use hosts_entry::HostsEntry;
pub use input::parse_mode;
pub use kernel_module::KernelModule;
pub use line::Line;
pub use mount::Mount;
pub use package::{Package, PackageState};
pub use service::{Service, ServiceState};
pub use sshd::Sshd;
pub use swap::Swap;
pub use symlink::Symlink;
pub use sysctl::Sysctl;
pub use time_sync::TimeSync;
pub use tree::Tree;
pub use user::User;

use crate::error::Result;
pub(crate) use input::Problems;
pub(crate) use path::{Content, ask_content, sha256};
#[cfg(test)]
pub(crate) use probe::Facts;
pub(crate) use probe::{Probe, Reader, decode, encode};
pub(crate) use step::Step;
pub(crate) use world::World;

/// One thing on a host as it should be. Made from one of the kinds, e.g. `File::new("/etc/motd").content("hi\n").into()`.
#[derive(Clone)]
pub struct Resource(Arc<dyn Kind>);

impl Resource {
    /// What names the resource in reports, in `restart_on` and in [`Changes::names`], e.g. `file:/etc/motd`.
    ///
    /// ```
    /// use k3srun::resource::{Resource, Sysctl};
    /// assert_eq!(Resource::from(Sysctl::new("vm.swappiness", 10)).id(), "sysctl:vm.swappiness");
    /// ```
    pub fn id(&self) -> String {
        self.0.id()
    }
}

impl<K: Kind + 'static> From<K> for Resource {
    fn from(kind: K) -> Self {
        Resource(Arc::new(kind))
    }
}

/// What a resource decides about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claim {
    /// All of a thing, e.g. `path:/etc/motd`.
    Whole(String),
    /// A part of a thing that others may have a part in, too.
    Part(String),
}

impl Claim {
    /// All of what is at a path.
    fn path(path: &str) -> Self {
        Claim::Whole(format!("path:{path}"))
    }

    /// Some lines of a file.
    fn part_of(path: &str) -> Self {
        Claim::Part(format!("path:{path}"))
    }
}

/// A kind of resource.
pub(crate) trait Kind: Send + Sync {
    /// What names the resource.
    fn id(&self) -> String;

    /// What the resource decides about. No two resources of a list may decide about the same.
    fn claims(&self) -> Vec<Claim>;

    /// Adds what is wrong with the resource as it was written, before anything is read from a host.
    fn check(&self, problems: &mut Problems);

    /// Asks for the facts that [`Kind::diff`] needs.
    fn probe(&self, probe: &mut Probe) -> Result<()>;

    /// What has to be done, if anything, on a host in the state of `world`; then `world` is told what will be different.
    fn diff(&self, world: &mut World) -> Result<Option<Step>>;
}
