//! The script that the command line names.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use super::args::Args;
use crate::error::{Error, Result};
use crate::repl;
use crate::script::{Folders, Outline, playbook, playbook_names};
use crate::suggestion::nearest;

/// Far more than any script has; what is larger is something else.
const LARGEST: u64 = 8 << 20;

/// A script's text and where it came from.
pub struct Source {
    /// Its path, `<expression>` or `<stdin>`.
    pub id: String,
    /// Its text.
    pub text: String,
    /// Where its imports are looked for.
    pub folders: Folders,
    /// What it is made of.
    pub outline: Outline,
    /// Whether its value is printed.
    pub prints_value: bool,
    /// Whether the user types it, input by input.
    pub is_typed: bool,
}

impl Source {
    /// Reads what the command line names.
    ///
    /// # Errors
    /// Refused where there is nothing to run, with the likely reason.
    pub fn read(args: &Args) -> Result<Self> {
        if let Some(text) = &args.eval {
            let help = "write one, for example: k3srun -e 'local().facts.kernel'";
            return Self::new(args, "<expression>", text.clone(), "the expression", help);
        }
        match args.script() {
            Some("-") => {
                let text = read(io::stdin()).map_err(|error| unreadable("standard input", &error))?;
                Self::new(args, "<stdin>", text, "standard input", "pipe a script into it")
            }
            Some(name) => match (File::open(name).and_then(read), playbook(name)) {
                // The one that was made of it to be edited is not passed over.
                (Err(error), Some((file, text))) if error.kind() == ErrorKind::NotFound && similar(name).is_none() => {
                    Self::new(args, &format!("<scripts>/{file}"), text.to_owned(), name, "")
                }
                (text, _) => {
                    let text = text.map_err(|error| unreadable(name, &error))?;
                    Self::new(args, name, text, name, "docs/playbooks.md shows how to write a playbook")
                }
            },
            None if io::stdin().is_terminal() && io::stdout().is_terminal() => Ok(Self::typed(args)),
            None => Err(Error::refused("nothing to run").help(
                "name a playbook, for example: k3srun scripts/bootstrap.rhai --plan\nk3srun --help says what else there is",
            )),
        }
    }

    /// What the user is going to type: it may contain anything.
    fn typed(args: &Args) -> Self {
        let outline =
            Outline { has_other_phases: true, takes_arguments: true, reads_config: true, ..Outline::default() };
        let overrides = args.stdlib.iter().cloned().collect();
        let folders = Folders { overrides, beside: vec![PathBuf::from(".")] };
        Source { id: repl::ID.to_owned(), text: String::new(), folders, outline, prints_value: false, is_typed: true }
    }

    fn new(args: &Args, id: &str, text: String, what: &str, remedy: &str) -> Result<Self> {
        if text.trim().is_empty() {
            return Err(Error::refused(format!("{what} is empty")).help(remedy));
        }
        let is_file = !id.starts_with('<');
        let beside = Path::new(id).parent().filter(|_| is_file).map(Path::to_path_buf);
        let folders =
            Folders { overrides: args.stdlib.iter().cloned().collect(), beside: beside.into_iter().collect() };
        let outline = Outline::of(folders.clone(), id, &text);
        Ok(Source { id: id.to_owned(), text, folders, outline, prints_value: args.eval.is_some(), is_typed: false })
    }

    /// Prints the comment at the script's start and its phases: what `--help` after a script means that doesn't take
    /// arguments itself.
    pub fn introduction(&self) -> String {
        let comment = self.text.lines().map_while(|line| line.strip_prefix("//"));
        let mut text: String = comment.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect();
        if !self.outline.phases.is_empty() {
            text += &format!("\nPhases: {}\n", self.outline.phases.join(", "));
        }
        text += "\nk3srun's own options: k3srun --help\n";
        text.trim_start().to_owned()
    }
}

fn read(from: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    if from.take(LARGEST + 1).read_to_end(&mut bytes)? as u64 > LARGEST {
        return Err(ErrorKind::FileTooLarge.into());
    }
    let text = String::from_utf8(bytes).map_err(|_| ErrorKind::InvalidData)?;
    if text.contains('\0') { Err(ErrorKind::InvalidData.into()) } else { Ok(text) }
}

fn unreadable(name: &str, error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => {
            let error = Error::refused(format!("script not found: {name}"));
            match similar(name).or_else(|| nearest(name, playbook_names()).map(str::to_owned)) {
                Some(other) => error.help(format!("did you mean {other}?")),
                None => error.help("name the file with its path; k3srun --help shows examples"),
            }
        }
        ErrorKind::IsADirectory => {
            Error::refused(format!("{name} is a directory, not a script")).help("name a script in it")
        }
        ErrorKind::PermissionDenied => {
            Error::refused(format!("you may not read {name}")).help("give yourself the right to read it, or use sudo")
        }
        ErrorKind::InvalidData => Error::refused(format!("{name} is not a text in UTF-8"))
            .help("a script is a text file; if this is one, save it as UTF-8"),
        ErrorKind::FileTooLarge => Error::refused(format!("{name} is larger than {} MB", LARGEST >> 20))
            .help("it can't be a script: name another file"),
        _ => Error::refused(format!("can't read {name}: {error}")).help("name another file"),
    }
}

/// A script whose name somebody may have had in mind.
fn similar(name: &str) -> Option<String> {
    let path = Path::new(name);
    let with_extension = path.with_extension("rhai");
    let elsewhere = Path::new("scripts").join(with_extension.file_name()?);
    [with_extension, elsewhere].into_iter().find(|path| path.is_file()).map(|path| path.display().to_string())
}
