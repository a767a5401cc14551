//! `k3srun` without a script: the same functions, one entry after the other, with the connections kept open.

mod cluster;
mod complete;
mod evaluator;
mod history;
mod input;
mod prompt;
mod session;
mod show;

use std::sync::mpsc::sync_channel;

pub use evaluator::Evaluator;
pub use prompt::{Manner, Prompt, Start};
pub use session::{ID, Session};

use evaluator::Shared;

/// The two sides of a prompt, each for a thread of its own.
pub fn sides(start: Start) -> (Prompt, Evaluator) {
    let (requests, asked) = sync_channel(0);
    let (told, answers) = sync_channel(0);
    let known = Shared::default();
    let has_cluster = start.cluster.is_some();
    let prompt = Prompt { requests, answers, known: known.clone(), start };
    (prompt, Evaluator { requests: asked, answers: told, known, has_cluster })
}
