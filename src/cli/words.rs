//! Tells k3srun's own options from the words of the script.

use std::ffi::OsString;

use clap::Command;
use clap::error::ErrorKind;

use crate::suggestion::nearest;

/// Whose a word is.
enum Word {
    /// An option of ours, whose value may be the next word.
    Own { value_follows: bool },
    /// Looks like an option, and is none of ours.
    Foreign,
    /// `--help`, `--version`: ours before the script, the script's after it.
    About,
    /// Anything else.
    Plain,
}

/// The line in the order in which clap reads it: our options, `--`, the script and its words. A line with a command is left
/// as it is.
///
/// # Errors
/// A word after the script that is nearly an option of ours. The script might take no notice of it, and run for real what
/// was meant to be a plan.
pub fn sorted(command: &Command, line: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>, clap::Error> {
    let mut line = line.into_iter();
    let mut own: Vec<OsString> = line.next().into_iter().collect();
    let mut rest: Vec<OsString> = Vec::new();
    while let Some(word) = line.next() {
        let text = word.to_string_lossy().into_owned();
        if text == "--" {
            rest.extend(line);
            break;
        }
        match whose(command, &text) {
            Word::Own { value_follows } => {
                own.push(word);
                own.extend(value_follows.then(|| line.next()).flatten());
            }
            // clap explains what is wrong with it.
            Word::Foreign | Word::About if rest.is_empty() => own.push(word),
            Word::Foreign => {
                if let Some(meant) = meant(command, &text) {
                    return Err(doubtful(command, &text, meant));
                }
                rest.push(word);
            }
            Word::Plain if rest.is_empty() && command.find_subcommand(&text).is_some() => {
                own.push(word);
                own.extend(line);
                return Ok(own);
            }
            Word::About | Word::Plain => rest.push(word),
        }
    }
    if !rest.is_empty() {
        own.push("--".into());
        own.extend(rest);
    }
    Ok(own)
}

fn whose(command: &Command, word: &str) -> Word {
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        return match command.get_arguments().find(|known| known.get_long() == Some(name)) {
            _ if name == "help" || name == "version" => Word::About,
            Some(known) => Word::Own { value_follows: known.get_action().takes_values() && value.is_none() },
            None => Word::Foreign,
        };
    }
    match word.strip_prefix('-') {
        None | Some("") => Word::Plain,
        Some("h" | "V") => Word::About,
        Some(letters) => short(command, letters),
    }
}

/// `-v`, `-vy`, `-cFILE`, `-qc FILE`: letters without values, then perhaps one with a value.
fn short(command: &Command, letters: &str) -> Word {
    for (index, letter) in letters.char_indices() {
        match command.get_arguments().find(|known| known.get_short() == Some(letter)) {
            Some(known) if known.get_action().takes_values() => {
                return Word::Own { value_follows: index + letter.len_utf8() == letters.len() };
            }
            Some(_) => {}
            None => return Word::Foreign,
        }
    }
    Word::Own { value_follows: false }
}

/// The option of ours that a word after the script was probably meant to be.
fn meant<'a>(command: &'a Command, word: &str) -> Option<&'a str> {
    let name = word.strip_prefix("--")?.split('=').next()?;
    nearest(name, command.get_arguments().filter_map(clap::Arg::get_long))
}

fn doubtful(command: &Command, word: &str, meant: &str) -> clap::Error {
    let text = format!(
        "unexpected argument '{word}'\n\n  tip: did you mean '--{meant}'?\n  tip: to give it to the script, write it \
         after '--'"
    );
    command.clone().error(ErrorKind::UnknownArgument, text)
}

#[cfg(test)]
mod tests {
    use super::super::args::Args;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::parse(std::iter::once("k3srun").chain(line.split_whitespace()).map(Into::into))
    }

    #[test]
    fn our_options_are_recognised_on_both_sides_of_the_script() {
        for line in ["-c x.toml --plan -vv a.rhai", "a.rhai -c x.toml --plan -vv", "--plan a.rhai -vvcx.toml"] {
            let args = parse(line).unwrap();
            assert_eq!((args.script(), args.plan, args.verbose), (Some("a.rhai"), true, 2), "{line}");
            assert_eq!(args.config.unwrap().to_str(), Some("x.toml"), "{line}");
        }
    }

    #[test]
    fn other_words_after_the_script_are_its_own() {
        for (line, plan, words) in [
            ("lab.rhai --name a up --k3s=x --plan -5 -", true, vec!["--name", "a", "up", "--k3s=x", "-5", "-"]),
            ("lab.rhai exec master -- ls --plan -- -q", false, vec!["exec", "master", "ls", "--plan", "--", "-q"]),
            ("--plan -- lab.rhai --yes", true, vec!["--yes"]),
            ("lab.rhai --plan --help -V", true, vec!["--help", "-V"]),
            ("-e args() --plan a b", true, vec!["a", "b"]),
        ] {
            let args = parse(line).unwrap();
            assert_eq!(
                (args.plan, args.script_args()),
                (plan, words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>().as_slice()),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_nearly_an_option_of_ours_is_refused() {
        for (line, meant) in
            [("a.rhai --plna", "'--plan'"), ("--plna a.rhai", "'--plan'"), ("a.rhai --Set=x=y", "'--set'")]
        {
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(meant), "{error}");
        }
    }

    #[test]
    fn an_option_without_its_value_is_refused() {
        for line in ["a.rhai -c", "a.rhai --set", "a.rhai --from", "a.rhai --output yaml", "a.rhai -q -v"] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn clap_agrees_with_itself() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }
}
