//! Keeps secret values out of everything that a run shows or stores.

use std::sync::{Arc, PoisonError, RwLock};

/// What stands in place of a secret.
pub const MASK: &str = "***";

/// Values shorter than this are not masked in texts: they would also hit innocent words. They still never are shown as values.
const SHORTEST: usize = 4;

/// The secret values of a run. Cloning is cheap; all clones know the same values.
#[derive(Clone, Default)]
pub struct Secrets(Arc<RwLock<Vec<String>>>);

impl Secrets {
    /// Masks `value`, each of its lines, and its base64 form from now on.
    ///
    /// ```
    /// use k3srun::report::redact::Secrets;
    /// let secrets = Secrets::default();
    /// secrets.add("hunter22");
    /// let mut text = String::from("password=hunter22");
    /// secrets.mask(&mut text);
    /// assert_eq!(text, "password=***");
    /// ```
    pub fn add(&self, value: &str) {
        use base64::Engine as _;
        let mut forms: Vec<String> = value.lines().map(|line| line.trim().to_owned()).collect();
        forms.push(value.trim().to_owned());
        forms.push(base64::engine::general_purpose::STANDARD.encode(value));
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms {
            if form.len() >= SHORTEST && !known.contains(&form) {
                known.push(form);
            }
        }
        // Longest first, so that a secret inside another one doesn't leave its rest visible.
        known.sort_by_key(|value| std::cmp::Reverse(value.len()));
    }

    /// Replaces every secret in `text`.
    pub fn mask(&self, text: &mut String) {
        for value in self.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if text.contains(value.as_str()) {
                *text = text.replace(value.as_str(), MASK);
            }
        }
    }

    /// A copy of `text` without secrets.
    pub fn masked(&self, text: &str) -> String {
        let mut text = text.to_owned();
        self.mask(&mut text);
        text
    }
}
