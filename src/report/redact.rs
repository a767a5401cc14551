//! Keeps secret values out of everything that a run shows or stores.
//!
//! A secret that a script joins with a text is there as a stand-in: a random word that is shown as `***` like the secret, and
//! for which the secret is put in where the text gets to a place that takes secrets. Anywhere else the text is refused.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use memchr::memmem;

use super::forms::{forms, inside_base64};
use crate::error::Error;

/// What stands in place of a secret.
pub const MASK: &str = "***";

/// Begins and ends a stand-in: the last private character of Unicode, which no text has. Between them are digits only, so that
/// neither quoting nor a change of case makes another word of it.
const EDGE: char = '\u{10FFFD}';

/// The secret values of a run. Cloning is cheap; all clones know the same values.
#[derive(Clone, Default)]
pub struct Secrets(Arc<RwLock<Known>>);

#[derive(Default)]
struct Known {
    /// What is masked, the longest first, so that a secret inside another one doesn't leave its rest visible.
    forms: Vec<String>,
    /// Stand-ins and the values that they stand for.
    stand_ins: Vec<(String, String)>,
}

impl Secrets {
    /// Masks `value` from now on: as it is, each of its lines that is long enough not to be an ordinary word, as JSON, URLs, XML
    /// and shells quote them, and in base64, alone or as a part of something else.
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
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms(value) {
            if !known.forms.contains(&form) {
                known.forms.push(form);
            }
        }
        known.forms.sort_by_key(|value| std::cmp::Reverse(value.len()));
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces every secret in `text`.
    pub fn mask(&self, text: &mut String) {
        let known = self.known();
        let stand_ins = known.stand_ins.iter().map(|(stand_in, _)| stand_in);
        for value in stand_ins.chain(&known.forms) {
            if text.contains(value.as_str()) {
                *text = text.replace(value.as_str(), MASK);
            }
        }
    }

    /// The word that stands for `value` in a text of a script: always the same one.
    pub fn stand_in(&self, value: &str) -> String {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((stand_in, _)) = known.stand_ins.iter().find(|(_, other)| other == value) {
            return stand_in.clone();
        }
        let number = u128::from_le_bytes(crate::random::bytes());
        let stand_in = format!("{EDGE}{number:039}{EDGE}");
        known.stand_ins.push((stand_in.clone(), value.to_owned()));
        stand_in
    }

    /// The text with secrets in the place of their stand-ins; None where there are none in it.
    pub fn reveal(&self, text: &str) -> Option<String> {
        if !text.contains(EDGE) {
            return None;
        }
        let mut whole = text.to_owned();
        for (stand_in, value) in &self.known().stand_ins {
            whole = whole.replace(stand_in, value);
        }
        (whole != text).then_some(whole)
    }

    /// Whether there is a stand-in in `data`, as it is or in base64: where data leaves for a host none may be left.
    pub fn is_lost_in(&self, data: &[u8]) -> bool {
        let has = |word: &str| memmem::find(data, word.as_bytes()).is_some();
        let in_base64 =
            |word: &str| (0..3).filter_map(|before| inside_base64(word.as_bytes(), before)).any(|it| has(&it));
        self.known().stand_ins.iter().any(|(stand_in, _)| has(stand_in) || in_base64(stand_in))
    }

    /// Replaces every secret in what an error says.
    pub fn mask_error(&self, error: &mut Error) {
        let Error { message, help, output, .. } = error;
        std::iter::once(message).chain(help).chain(output).for_each(|text| self.mask(text));
    }

    /// A copy of `text` without secrets.
    pub fn masked(&self, text: &str) -> String {
        let mut text = text.to_owned();
        self.mask(&mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn masked(value: &str, text: &str) -> String {
        let secrets = Secrets::default();
        secrets.add(value);
        secrets.masked(text)
    }

    #[test]
    fn a_value_is_masked_inside_of_base64() {
        for before in ["", "u:", "user:", "\n"] {
            for after in ["", "\n", "@host"] {
                let text = STANDARD.encode(format!("{before}correct horse battery{after}"));
                let shown = masked("correct horse battery", &text);
                assert!(shown.contains(MASK) && shown.len() <= text.len() - 16, "{before:?} {after:?}: {shown}");
            }
        }
        let long = "0123456789".repeat(15);
        for line in STANDARD.encode(&long).as_bytes().chunks(76) {
            assert_eq!(masked(&long, &String::from_utf8_lossy(line)), MASK);
        }
    }

    #[test]
    fn short_values_do_not_hit_innocent_words() {
        assert_eq!(masked("abc", "abcdef"), "abcdef");
        assert_eq!(masked("abcd", "YmNk and abc"), "YmNk and abc");
    }

    #[test]
    fn a_stand_in_is_shown_as_the_secret_is_and_gives_it_back() {
        let secrets = Secrets::default();
        let text = format!("password={};", secrets.stand_in("hunter22"));
        assert_eq!(secrets.masked(&text), "password=***;");
        assert_eq!(secrets.reveal(&text).unwrap(), "password=hunter22;");
        assert_eq!(secrets.reveal(&text.to_uppercase()).unwrap(), "PASSWORD=hunter22;");
        assert_eq!(secrets.reveal("password=***"), None);
        assert_eq!(secrets.stand_in("hunter22"), secrets.stand_in("hunter22"));
    }

    #[test]
    fn a_stand_in_is_found_wherever_it_would_leave() {
        let secrets = Secrets::default();
        let word = secrets.stand_in("hunter22");
        for before in ["", "a", "ab", "abc"] {
            let text = format!("{before}{word} and more");
            assert!(secrets.is_lost_in(text.as_bytes()) && secrets.is_lost_in(STANDARD.encode(&text).as_bytes()));
        }
        assert!(!secrets.is_lost_in(b"hunter22 and more"));
    }
}
