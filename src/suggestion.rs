//! "Did you mean": the known name that a misspelt one resembles.

/// The known name that `word` was probably meant to be: at most a third of its letters, and no more than three, are wrong.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = match word.chars().count() {
        1 => 0,
        count => (count / 3).clamp(1, 3),
    };
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(&word.to_lowercase(), name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn misspelt_words_are_recognised_and_other_words_are_not() {
        for (word, meant) in [
            ("verison", Some("version")),
            ("Version", Some("version")),
            ("images_", Some("images")),
            ("flavour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, ["binary", "images", "version"]), meant);
        }
    }
}
