//! The language host: everything that makes Rhai a language for playbooks, and nothing about hosts or clusters.

mod bridge;
mod catalog;
mod check;
mod context;
mod diagnostic;
mod engine;
mod errors;
mod explain;
mod options;
mod outline;
mod parallel;
mod phases;
mod play;
mod playbooks;
mod resolver;
mod secret;
mod sources;

pub use bridge::block;
pub use catalog::{Catalog, Function, Parameter, help, markdown};
pub use check::{Checked, check};
pub use context::{Context, ExitHandler, Inputs, Settings, context};
pub use diagnostic::render;
pub use engine::{Program, engine, parse, reader, text_of};
pub use errors::{Failure, fail, failure_of};
pub use explain::Explainer;
pub use options::{OptionSet, Options, Seconds, objection, options};
pub use outline::Outline;
pub use parallel::{current_item, parallel};
pub use phases::Phases;
pub use play::play;
pub use playbooks::{playbook, playbook_names, write_playbooks};
pub use resolver::{Folders, Resolver, library_files, library_text};
pub use secret::{Revealed, Secret, holds_secret};
pub use sources::Sources;

/// The result of every function that scripts call.
pub type Fallible<T> = Result<T, Box<rhai::EvalAltResult>>;
