//! What differs between two texts, as people read it.

use similar::TextDiff;

/// A unified diff of the content of `path`. None where one of the two is not text.
pub fn diff(path: &str, old: &[u8], new: &[u8]) -> Option<String> {
    let (old, new) = (text(old)?, text(new)?);
    let name = |content: &str| if content.is_empty() { "/dev/null" } else { path }.to_owned();
    let diff = TextDiff::from_lines(old, new);
    Some(diff.unified_diff().context_radius(3).header(&name(old), &name(new)).to_string())
}

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_what_differs_is_shown() {
        let diff = super::diff("/etc/x", b"a\nb\n", b"a\nc\n").unwrap();
        assert_eq!(diff, "--- /etc/x\n+++ /etc/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n");
        assert!(super::diff("/bin/x", b"a", b"\0").is_none());
    }
}
