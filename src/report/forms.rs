//! What programs make of a value when they print it: the forms in which a secret is looked for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Values shorter than this are not masked in texts: they would also hit innocent words. They still never are shown as values.
const SHORTEST: usize = 4;

/// The same for a part of a text in base64, and for a line of several: lines like `true` or `root` are words of everybody.
const SHORTEST_PART: usize = 8;

/// So many bytes are a line of what `base64` prints.
const BASE64_LINE: usize = 57;

/// All forms of a secret.
pub(super) fn forms(value: &str) -> Vec<String> {
    let whole = value.trim();
    let lines = value.lines().map(str::trim).filter(|line| *line != whole && line.len() >= SHORTEST_PART);
    let mut forms: Vec<String> = lines.chain([value, whole]).flat_map(quoted).collect();
    forms.extend([STANDARD.encode(value), STANDARD.encode(whole)]);
    forms.extend(value.as_bytes().chunks(BASE64_LINE).filter_map(|line| inside_base64(line, 0)));
    forms.extend((0..3).filter_map(|before| inside_base64(whole.as_bytes(), before)));
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// A text as it is, and as others write it.
fn quoted(text: &str) -> Vec<String> {
    let json = serde_json::Value::from(text).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let mut forms = vec![
        text.to_owned(),
        text.replace('\'', r"'\''"),
        escaped(text, |c| (!c.is_ascii_alphanumeric() && c.is_ascii()).then(|| shell(c))),
        escaped(text, |c| r#"$`"\"#.contains(c).then(|| format!("\\{c}"))),
        json.replace('/', r"\/"),
        escaped(&json, go),
        escaped(text, |c| xml(c).map(|(name, _)| name.to_owned())),
        escaped(text, |c| xml(c).map(|(_, number)| number.to_owned())),
        json,
    ];
    for spared in ["-_.~", "-_.~/", "-_.!~*'()", "-_.~$&+=:@", "-_.~$&+,/:;=?@"] {
        let (upper, lower) = (|byte| format!("%{byte:02X}"), |byte| format!("%{byte:02x}"));
        forms.extend([
            percent(text, spared, "%20", upper),
            percent(text, spared, "+", upper),
            percent(text, spared, "%20", lower),
        ]);
    }
    forms
}

fn escaped(text: &str, escape: impl Fn(char) -> Option<String>) -> String {
    text.chars().map(|c| escape(c).unwrap_or_else(|| c.to_string())).collect()
}

/// What `printf %q` makes of a character.
fn shell(c: char) -> String {
    if "-_./:,@%+=^".contains(c) { c.to_string() } else { format!("\\{c}") }
}

/// What Go's encoding/json escapes beyond what JSON asks for.
fn go(c: char) -> Option<String> {
    matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}').then(|| format!("\\u{:04x}", u32::from(c)))
}

/// A character in XML and HTML: by name and, as Go writes quotes, by number.
fn xml(c: char) -> Option<(&'static str, &'static str)> {
    match c {
        '&' => Some(("&amp;", "&amp;")),
        '<' => Some(("&lt;", "&lt;")),
        '>' => Some(("&gt;", "&gt;")),
        '"' => Some(("&quot;", "&#34;")),
        '\'' => Some(("&apos;", "&#39;")),
        _ => None,
    }
}

/// Percent encoding, which leaves different characters as they are in different parts of a URL.
fn percent(text: &str, spared: &str, blank: &str, escape: impl Fn(u8) -> String) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b' ' => blank.to_owned(),
        byte if byte.is_ascii_alphanumeric() || spared.as_bytes().contains(&byte) => char::from(byte).to_string(),
        byte => escape(byte),
    });
    encoded.collect()
}

/// What `value` looks like inside of a longer text in base64 where `before` bytes, or three more, come before it, without
/// the characters that also depend on its neighbours. None where too little is left to be told from other words.
pub(super) fn inside_base64(value: &[u8], before: usize) -> Option<String> {
    let encoded = STANDARD.encode([&vec![0; before], value].concat());
    let first = if before == 0 { 0 } else { 4 };
    let last = (before + value.len()) / 3 * 4;
    encoded.get(first..last).filter(|part| part.len() >= SHORTEST_PART).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::redact::Secrets;

    fn masked(value: &str, text: &str) -> String {
        let secrets = Secrets::default();
        secrets.add(value);
        secrets.masked(text)
    }

    #[test]
    fn a_value_is_masked_however_it_is_quoted() {
        let value = "it's a \"\\\"";
        for text in [value, r#"it's a \"\\\""#, r#"it'\''s a "\""#, r#"it's a \"\\\""#, r#"it\'s\ a\ \"\\\""#] {
            assert_eq!(masked(value, &format!("<{text}>")), "<***>", "{text}");
        }
        let value = "hunter2/pa ss+word&x=<1>";
        for text in [
            r"hunter2/pa ss+word\u0026x=\u003c1\u003e",
            r"hunter2\/pa ss+word&x=<1>",
            r"hunter2/pa\ ss+word\&x=\<1\>",
            "hunter2/pa ss+word&amp;x=&lt;1&gt;",
            "hunter2%2Fpa%20ss%2Bword%26x%3D%3C1%3E",
            "hunter2%2fpa%20ss%2bword%26x%3d%3c1%3e",
            "hunter2%2Fpa+ss%2Bword%26x%3D%3C1%3E",
            "hunter2/pa%20ss%2Bword%26x%3D%3C1%3E",
            "hunter2%2Fpa%20ss+word&x=%3C1%3E",
            "hunter2/pa%20ss+word&x=%3C1%3E",
        ] {
            assert_eq!(masked(value, &format!("<{text}>")), "<***>", "{text}");
        }
    }

    #[test]
    fn the_lines_of_a_secret_are_masked_where_they_are_no_ordinary_words() {
        let key = "-----BEGIN KEY-----\nMC4CAQAwBQYDK2Vw\ntrue\nroot\n-----END KEY-----\n";
        assert_eq!(masked(key, "the answer is true for root at /root/x"), "the answer is true for root at /root/x");
        assert_eq!(masked(key, "line 2: MC4CAQAwBQYDK2Vw"), "line 2: ***");
        assert_eq!(masked(key, key.trim()), "***");
    }
}
