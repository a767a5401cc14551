//! The text of every script of a run, for error messages.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use rhai::Position;

/// Texts by source id: a path, `<stdlib>/x.rhai`, `<expression>` or `<stdin>`. Clones share the texts.
#[derive(Clone, Default)]
pub struct Sources(Arc<RwLock<Texts>>);

#[derive(Default)]
struct Texts {
    whole: BTreeMap<String, Arc<str>>,
    /// The parts of a text that have names of their own, each with its first line.
    parts: BTreeMap<String, Vec<(usize, String)>>,
}

impl Sources {
    /// Remembers a text.
    pub fn put(&self, id: &str, text: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).whole.insert(id.to_owned(), text.into());
    }

    /// Names what stands in `id` from the line `first` on, counted from 1: errors show `text` under `name`. Parts are added
    /// from the first to the last.
    pub fn put_part(&self, id: &str, first: usize, name: &str, text: &str) {
        let mut texts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        texts.parts.entry(id.to_owned()).or_default().push((first, name.to_owned()));
        texts.whole.insert(name.to_owned(), text.into());
    }

    /// The text of `id`.
    pub fn get(&self, id: &str) -> Option<Arc<str>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).whole.get(id).cloned()
    }

    /// The name and the place under which a place in `id` is shown: those of the part that it lies in, if `id` has parts.
    pub fn shown(&self, id: &str, position: Position) -> (String, Position) {
        let texts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let part = position.line().and_then(|line| {
            let (first, name) = texts.parts.get(id)?.iter().rev().find(|(first, _)| *first <= line)?;
            let line = u16::try_from(line - first + 1).ok()?;
            let column = u16::try_from(position.position().unwrap_or(0)).ok()?;
            Some((name.clone(), Position::new(line, column)))
        });
        part.unwrap_or_else(|| (id.to_owned(), position))
    }
}
