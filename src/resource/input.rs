//! What may be written in a resource. All that is wrong with a list is told at once.

use crate::error::{Error, Result};

/// What is wrong with the resources of a list.
#[derive(Default)]
pub struct Problems {
    resource: String,
    found: Vec<String>,
}

impl Problems {
    /// From now on it is about the resource `id`.
    pub(super) fn about(&mut self, id: String) {
        self.resource = id;
    }

    /// Adds a problem of the current resource.
    pub(crate) fn add(&mut self, problem: impl std::fmt::Display) {
        self.found.push(format!("{}: {problem}", self.resource));
    }

    /// A path on a host: absolute, in its simplest form, without control characters.
    pub(super) fn path(&mut self, path: &str) {
        if !path.starts_with('/') {
            self.add(format_args!("the path {path:?} is relative; a path on a host starts with /"));
        } else if path.chars().any(char::is_control) {
            self.add(format_args!("the path {path:?} has a control character in it"));
        } else if path != "/"
            && (path.ends_with('/') || path.split('/').skip(1).any(|part| matches!(part, "" | "." | "..")))
        {
            self.add(format_args!("the path {path:?} has an empty part, `.` or `..` in it; write it plainly"));
        }
    }

    /// The bits of a mode, at most 7777 octal.
    pub(super) fn mode(&mut self, mode: Option<u32>) {
        if let Some(mode) = mode.filter(|mode| *mode > 0o7777) {
            self.add(format_args!("the mode {mode:o} (octal) has more than the 12 bits of a mode"));
        }
    }

    /// A user's or group's name or number.
    pub(super) fn account(&mut self, what: &str, name: Option<&str>) {
        if let Some(name) = name
            && !(is_account(name) || name.parse::<u32>().is_ok())
        {
            self.add(format_args!("{what} {name:?} is neither a user or group name nor a number"));
        }
    }

    /// All of it as one error.
    pub(super) fn result(self) -> Result<()> {
        match self.found.as_slice() {
            [] => Ok(()),
            [one] => Err(Error::refused(one).help("nothing was changed")),
            many => Err(Error::refused(format!("{} problems with the resources", many.len()))
                .output(many.join("\n"))
                .help("nothing was changed")),
        }
    }
}

/// Whether `name` can be the name of a user or group, as `useradd` on the common distributions accepts it.
pub(super) fn is_account(name: &str) -> bool {
    let mut chars = name.chars();
    name.len() <= 32
        && chars.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.'))
}

/// Whether all of `text` is letters, digits or one of `more`, and there is some of it.
pub(super) fn is_word(text: &str, more: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

/// Reads a mode as people write it: octal digits, `"0644"` or `"644"`.
///
/// ```
/// use k3srun::resource::parse_mode;
/// assert_eq!(parse_mode("0640"), Ok(0o640));
/// assert!(parse_mode("0999").is_err());
/// ```
pub fn parse_mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o7777 && (3..=5).contains(&text.len()) => Ok(mode),
        _ => Err(format!("{text:?} is not a valid mode; write three or four octal digits, e.g. \"0644\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_plain() {
        let mut problems = Problems::default();
        problems.about("file:x".into());
        for good in ["/", "/etc/motd", "/a b/c.d", "/x/..y"] {
            problems.path(good);
        }
        assert_eq!(problems.found, Vec::<String>::new());
        for bad in ["etc/motd", "", "/etc/", "/etc//motd", "/etc/../x", "/a\nb", "~/x"] {
            let before = problems.found.len();
            problems.path(bad);
            assert_eq!(problems.found.len(), before + 1, "{bad:?} was accepted");
        }
    }

    #[test]
    fn account_names_are_those_of_useradd() {
        for good in ["root", "_apt", "systemd-network", "k3s.user"] {
            assert!(is_account(good), "{good}");
        }
        for bad in ["", "Root", "a b", "-x", "x;reboot", "averyveryverylongnameofmorethan32chars"] {
            assert!(!is_account(bad), "{bad}");
        }
    }

    #[test]
    fn all_problems_come_at_once() {
        let mut problems = Problems::default();
        problems.about("file:x".into());
        problems.path("x");
        problems.mode(Some(0o77777));
        let error = problems.result().unwrap_err();
        assert_eq!(error.message, "2 problems with the resources");
        assert_eq!(error.output.unwrap().lines().count(), 2);
    }
}
