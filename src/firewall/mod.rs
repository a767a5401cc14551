//! The host's firewall: an nftables table of its own that closes everything a policy does not open.
//!
//! A [`Policy`] says which ports are open to whom; who that is, is data of the caller. It becomes one table, `inet k3srun`,
//! which is loaded in one transaction under a guard: without a confirmation over a new connection the host goes back to
//! what it had. A unit of the host watches it and loads it again when another program has removed it. No other table is
//! touched.

mod apply;
mod difference;
mod loaded;
mod policy;
mod ports;
mod ruleset;
mod status;
mod units;

pub use apply::{apply, problems};
pub use policy::{Opening, Policy, Protocol, Rival, Source};
pub use ports::Ports;
pub use status::{Status, status};

/// Where the rules are, for the next boot.
const FILE: &str = "/etc/k3srun/firewall.nft";
