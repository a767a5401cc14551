//! k3srun: two fresh Linux machines become a hardened k3s cluster, by playbooks in Rhai.
//!
//! The layers, top to bottom: [`cli`] starts a script, [`script`] hosts the language, [`bindings`] expose the domains to
//! it, [`resource`] is the desired state of a host, [`host`] is a machine, [`net`] asks what answers at an address, [`report`] tells what happens, [`config`] is
//! what the user says about the cluster. Dependencies point down. `docs/design.md` has the reasons.

mod archive;
pub mod backup;
pub mod bindings;
pub mod cert;
pub mod cli;
pub mod config;
pub mod error;
pub mod firewall;
pub mod helm;
pub mod host;
pub mod k3s;
pub mod kube;
pub mod net;
mod random;
pub mod repl;
pub mod report;
pub mod resource;
pub mod run;
pub mod script;
mod seconds;
mod suggestion;
