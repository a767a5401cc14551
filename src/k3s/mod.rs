//! k3s on a host: installed from a verified source, configured by typed options, started, watched until its node is ready.
//!
//! `settings` has a row for every option that goes into config.yaml, `symptoms` one for every line of the journal that
//! we can explain.

pub mod artifact;
pub mod config;
pub mod diagnosis;
pub mod settings;
pub mod symptoms;
pub mod unit;

mod changes;
mod deploy;
mod flags;
mod form;
mod install;
mod kubeconfig;
mod kubeconfig_file;
mod merge;
mod node;
mod options;
mod probe;
mod snapshot;
mod stage;
mod start;
mod status;
mod token;

pub use deploy::{Join, agent, server};
pub use kubeconfig::{KubeconfigOptions, kubeconfig, text as kubeconfig_text};
pub use kubeconfig_file::{MergeOptions, Merged, merge_kubeconfig};
pub use options::{AgentOptions, Options, ServerOptions};
pub use snapshot::{Snapshot, SnapshotOptions, snapshot};
pub use stage::stage;
pub use status::{Status, status};
pub use token::{Token, hide as hide_token, token};
