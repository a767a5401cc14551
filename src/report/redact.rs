//! Keeps secret values out of everything that a run shows or stores.

use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::Error;

/// What stands in place of a secret.
pub const MASK: &str = "***";

/// Values shorter than this are not masked in texts: they would also hit innocent words. They still never are shown as values.
const SHORTEST: usize = 4;

/// The same for a part of a text in base64.
const SHORTEST_PART: usize = 8;

/// So many bytes are a line of what `base64` prints.
const BASE64_LINE: usize = 57;

/// The secret values of a run. Cloning is cheap; all clones know the same values.
#[derive(Clone, Default)]
pub struct Secrets(Arc<RwLock<Vec<String>>>);

impl Secrets {
    /// Masks `value` from now on: as it is, each of its lines, as JSON and shells quote them, and in base64, alone or as a
    /// part of something else.
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
        let mut forms: Vec<String> = Vec::new();
        for text in value.lines().chain([value]).map(str::trim) {
            let quoted = serde_json::Value::from(text).to_string();
            forms.extend([text.to_owned(), quoted[1..quoted.len() - 1].to_owned(), text.replace('\'', r"'\''")]);
        }
        forms.extend([STANDARD.encode(value), STANDARD.encode(value.trim())]);
        forms.extend(value.as_bytes().chunks(BASE64_LINE).filter_map(|line| inside_base64(line, 0)));
        forms.extend((0..3).filter_map(|before| inside_base64(value.trim().as_bytes(), before)));
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

/// What `value` looks like inside of a longer text in base64 where `before` bytes, or three more, come before it, without
/// the characters that also depend on its neighbours. None where too little is left to be told from other words.
fn inside_base64(value: &[u8], before: usize) -> Option<String> {
    let encoded = STANDARD.encode([&vec![0; before], value].concat());
    let first = if before == 0 { 0 } else { 4 };
    let last = (before + value.len()) / 3 * 4;
    encoded.get(first..last).filter(|part| part.len() >= SHORTEST_PART).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(value: &str, text: &str) -> String {
        let secrets = Secrets::default();
        secrets.add(value);
        secrets.masked(text)
    }

    #[test]
    fn a_value_is_masked_however_it_is_quoted() {
        let value = "it's a \"\\\"";
        for text in [value, r#"it's a \"\\\""#, r#"it'\''s a "\""#] {
            assert_eq!(masked(value, &format!("<{text}>")), "<***>");
        }
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
}
