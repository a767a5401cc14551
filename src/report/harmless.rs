//! Texts without what drives a terminal: they come from hosts, pods and files, and must only be read.

use std::io::{self, Write};

/// A text without what would move the cursor, set the clipboard, ring the bell, colour the rest of the terminal, or show letters
/// in another order than they are in.
pub fn harmless(text: &str) -> String {
    let text = anstream::adapter::strip_str(text).to_string();
    text.chars().filter(|c| (!c.is_control() || matches!(c, '\n' | '\t')) && !reorders(*c)).collect()
}

/// The same for a text with colours of our own.
pub(super) fn coloured(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        clean.push_str(&harmless(&rest[..at]));
        let colour = colour_length(&rest[at..]);
        clean.push_str(&rest[at..at + colour.unwrap_or_default()]);
        rest = &rest[at + colour.unwrap_or(1)..];
    }
    clean.push_str(&harmless(rest));
    clean
}

/// The length of a sequence that only sets colours, which the text begins with (ECMA-48, SGR).
fn colour_length(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    parameters[end..].starts_with('m').then_some(end + 3)
}

/// Marks, embeddings, overrides and isolates of the bidirectional algorithm (UAX 9).
fn reorders(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Standard output where it is a terminal: what scripts print, without what drives it.
pub struct Harmless<W>(pub W);

impl<W: Write> Write for Harmless<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(harmless(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_can_not_play_with_the_terminal() {
        assert_eq!(harmless("\x1b[31mred\x1b[0m\x1b]0;title\x07\r\n\tx\x07"), "red\n\tx");
        assert_eq!(harmless("a\u{202e}txt.exe\u{2066}\u{9b}2J"), "atxt.exe2J");
    }

    #[test]
    fn colours_of_our_own_stay_and_nothing_else_does() {
        let text = "\x1b[1;31merror:\x1b[0m x\x1b]52;c;cHduZWQ=\x07\x1b[2J\u{202e}y\x1b";
        assert_eq!(coloured(text), "\x1b[1;31merror:\x1b[0m x]52;c;cHduZWQ=[2Jy");
    }
}
