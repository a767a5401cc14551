//! A cluster in one file: snapshot, token, settings and keys of its server, encrypted from the moment it leaves the node, and
//! checked without a cluster.
//!
//! A bundle is a compressed tar archive that the `age` format encrypts (age-encryption.org/v1): its first entry,
//! `manifest.json`, says what the others are.

mod bundle;
mod check;
mod key;
mod make;
mod prune;
mod restore;

pub use bundle::{Entry, Manifest, Member, Volume};
pub use check::{Checked, check};
pub use key::{Key, Lock};
pub use make::{Made, MakeOptions, make};
pub use restore::{finish, restore};

/// What the name of a bundle ends with.
pub const EXTENSION: &str = "k3sbackup";
