//! The side of the prompt that evaluates: on the thread that has the large stack.

use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rhai::{Dynamic, Engine, EvalAltResult, Map, Scope};

use super::cluster;
use super::session::Session;
use super::show::{Screen, show};
use crate::report::Event;
use crate::run::Mode;
use crate::script::{Context, Fallible};

/// What the prompt asks for.
pub enum Request {
    /// Evaluate an entry.
    Entry {
        /// Its text.
        text: String,
        /// Whether hosts may be changed.
        mode: Mode,
        /// Whether the value is left out where something would be changed: the entry is going to be asked about.
        quiet: bool,
        /// How much of a value is shown.
        screen: Screen,
    },
    /// Make the changes that the last entry planned: evaluate it again, from the variables that it found.
    Apply(Screen),
    /// Show the last value, all of it.
    All(Screen),
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answer {
    /// How many changes were made, or planned.
    pub changes: u64,
    /// Whether it ended with an error.
    pub failed: bool,
    /// Whether the script asked for the end.
    pub ended: bool,
    /// How long it took.
    pub took: Duration,
}

/// What there is to complete, as it is between two entries.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Variables: name, type as scripts call it, and the keys of a map.
    pub variables: Vec<(String, String, Vec<String>)>,
    /// Functions that entries have defined.
    pub functions: Vec<String>,
}

/// The state that both sides see.
pub type Shared = Arc<Mutex<Known>>;

/// What the evaluating thread has.
pub struct Evaluator {
    pub(super) requests: Receiver<Request>,
    pub(super) answers: SyncSender<Answer>,
    pub(super) known: Shared,
    /// Whether there is a cluster whose names are defined when they are used.
    pub(super) has_cluster: bool,
}

impl Evaluator {
    /// Answers until nobody asks any more. `failed` shows an error.
    pub fn serve(self, context: &Arc<Context>, engine: &Engine, failed: impl Fn(&EvalAltResult)) {
        let mut session = Session::new(engine, context.clone());
        let mut last: Option<(String, Scope<'static>)> = None;
        while let Ok(request) = self.requests.recv() {
            let start = Instant::now();
            let before = context.run.report().tally().changed;
            // Ctrl-C at the prompt must not end what is evaluated next.
            context.run.renew();
            let (value, quiet, screen) = match request {
                Request::All(screen) => {
                    (Ok(session.last().unwrap_or(Dynamic::UNIT)), false, Screen { lines: None, ..screen })
                }
                Request::Entry { text, mode, quiet, screen } => {
                    context.run.set_mode(mode);
                    let defined = self.define(&mut session, engine, &text);
                    last = Some((text.clone(), session.variables()));
                    (defined.and_then(|()| session.evaluate(&text)), quiet, screen)
                }
                Request::Apply(screen) => {
                    context.run.set_mode(Mode::Apply);
                    let value = match last.take() {
                        Some((text, variables)) => {
                            session.restore(variables);
                            session.evaluate(&text)
                        }
                        None => Ok(Dynamic::UNIT),
                    };
                    (value, false, screen)
                }
            };
            let changes = context.run.report().tally().changed - before;
            let is_failure = value.is_err();
            match value {
                Ok(value) if !(quiet && changes > 0) => {
                    if let Some(text) = show(engine, &value, screen) {
                        context.run.report().emit(Event::Print { text });
                    }
                }
                Ok(_) => {}
                Err(error) => failed(&error),
            }
            self.tell(&session, engine);
            let ended = context.exit_status().is_some();
            let answer = Answer { changes, failed: is_failure, ended, took: start.elapsed() };
            if self.answers.send(answer).is_err() || ended {
                return;
            }
        }
    }

    /// Defines the names of the cluster that an entry uses.
    fn define(&self, session: &mut Session, engine: &Engine, entry: &str) -> Fallible<()> {
        if !self.has_cluster {
            return Ok(());
        }
        for (name, expression) in cluster::used(engine, entry) {
            if !session.has(name) {
                session.define(name, expression)?;
            }
        }
        Ok(())
    }

    /// Lets the prompt know what there is to complete.
    fn tell(&self, session: &Session, engine: &Engine) {
        let mut known = Known { variables: Vec::new(), functions: session.functions() };
        for (name, _, value) in session.variables().iter() {
            let keys = value.read_lock::<Map>().map(|map| map.keys().map(ToString::to_string).collect());
            let kind = engine.map_type_name(value.type_name()).to_owned();
            known.variables.retain(|(other, ..)| other != name);
            known.variables.push((name.to_owned(), kind, keys.unwrap_or_default()));
        }
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}
