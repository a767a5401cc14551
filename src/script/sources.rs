//! The text of every script of a run, for error messages.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Texts by source id: a path, `<stdlib>/x.rhai`, `<expression>` or `<stdin>`. Clones share the texts.
#[derive(Clone, Default)]
pub struct Sources(Arc<RwLock<BTreeMap<String, Arc<str>>>>);

impl Sources {
    /// Remembers a text.
    pub fn put(&self, id: &str, text: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), text.into());
    }

    /// The text of `id`.
    pub fn get(&self, id: &str) -> Option<Arc<str>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}
