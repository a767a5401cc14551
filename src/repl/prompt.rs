//! The side of the prompt that a person sees: on the main thread, for job control stops the thread that reads the keys.

use std::sync::mpsc::{Receiver, SyncSender};

use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{CompletionType, Config, Editor};

use super::evaluator::{Answer, Request, Shared};
use super::history;
use super::input::Input;
use super::show::Screen;
use crate::error::{Error, Result};
use crate::report::Paint;
use crate::report::redact::Secrets;
use crate::run::Mode;
use crate::script::{Catalog, help};

/// What an entry does to hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It shows what it would change.
    Plan,
    /// It shows what it would change, and does it after a yes.
    Ask,
    /// It changes what it says.
    Apply,
}

/// Where a prompt starts.
#[derive(Debug, Clone)]
pub struct Start {
    /// What entries do at first.
    pub manner: Manner,
    /// The name of the cluster, if there is a cluster.toml.
    pub cluster: Option<String>,
    /// Whether to show colours.
    pub color: bool,
}

/// What the thread at the keyboard has.
pub struct Prompt {
    pub(super) requests: SyncSender<Request>,
    pub(super) answers: Receiver<Answer>,
    pub(super) known: Shared,
    pub(super) start: Start,
}

/// What a line is, beside an entry.
enum Command<'a> {
    Quit,
    Help(&'a str),
    Manner(Manner),
    All,
    Load(&'a str),
    Unknown(&'a str),
}

const COMMANDS: &str = "\
:help [NAME]  what there is, or what NAME does; also NAME?
:plan         from here on changes are only shown
:ask          from here on each change is shown and made after a yes: as at the start
:apply        from here on changes are made at once
:all          the last value, all of it; it is called `it`
:load FILE    evaluate a file as if it was typed
:quit         end; also exit, quit, Ctrl-D";

impl Prompt {
    /// Reads entries and commands until the user has enough.
    ///
    /// # Errors
    /// When the terminal can't be used.
    pub fn converse(self, catalog: &Catalog, secrets: &Secrets) -> Result<()> {
        let broken = |error: ReadlineError| Error::refused(format!("can't read from the terminal: {error}"));
        let config = Config::builder()
            .max_history_size(1000)
            .map_err(broken)?
            .auto_add_history(false)
            .completion_type(CompletionType::List)
            .build();
        let mut editor: Editor<Input, DefaultHistory> = Editor::with_config(config).map_err(broken)?;
        editor.set_helper(Some(Input::new(catalog, self.known.clone(), self.start.cluster.is_some())));
        let file = history::file();
        if let Some(file) = &file {
            // The first time there is none.
            let _ = editor.load_history(file);
        }
        let mut manner = self.start.manner;
        eprintln!("{}", self.welcome());
        loop {
            let line = match editor.readline(&self.label(manner)) {
                Ok(line) => line,
                Err(ReadlineError::Interrupted) => continue,
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(broken(error)),
            };
            let entry = match command(&line) {
                None if line.trim().is_empty() => None,
                None => Some(line.clone()),
                Some(Command::Quit) => break,
                Some(Command::Help("")) => {
                    eprint!("{COMMANDS}\n\n{}", help::overview(catalog, &Catalog::of_library()));
                    None
                }
                Some(Command::Help(name)) => {
                    explain(catalog, name);
                    None
                }
                Some(Command::Manner(wanted)) => {
                    manner = wanted;
                    None
                }
                Some(Command::All) => {
                    if self.ask(Request::All(self.screen())).is_none() {
                        break;
                    }
                    None
                }
                Some(Command::Load(path)) => match std::fs::read_to_string(path) {
                    Ok(text) => Some(text),
                    Err(error) => {
                        eprintln!("can't read {path}: {error}");
                        None
                    }
                },
                Some(Command::Unknown(name)) => {
                    eprintln!("unknown command {name}\n{COMMANDS}");
                    None
                }
            };
            if let Some(entry) = entry
                && !self.evaluate(entry, &mut manner, &mut editor)
            {
                break;
            }
            // Only now it is known what in it is secret.
            if history::keeps(&line, secrets)
                && editor.add_history_entry(line.as_str()).unwrap_or(false)
                && let Some(file) = &file
            {
                // Appended, for another prompt may have the same file. One that can't be written is no reason to stop;
                // the editor makes it readable by its owner only.
                let _ = editor.append_history(file);
            }
        }
        Ok(())
    }

    /// Evaluates an entry in the present manner. Returns whether to go on.
    fn evaluate(&self, text: String, manner: &mut Manner, editor: &mut Editor<Input, DefaultHistory>) -> bool {
        let mode = if *manner == Manner::Apply { Mode::Apply } else { Mode::Plan };
        let entry = Request::Entry { text, mode, quiet: *manner == Manner::Ask, screen: self.screen() };
        let Some(answer) = self.ask(entry) else { return false };
        if answer.ended {
            return false;
        }
        if *manner != Manner::Ask || answer.changes == 0 {
            return true;
        }
        if answer.failed {
            eprintln!("It failed while it was only planned; where it needs what it changes, :apply does it in one go.");
            return true;
        }
        let count =
            if answer.changes == 1 { "this change".to_owned() } else { format!("these {} changes", answer.changes) };
        // What Ctrl-C or Ctrl-D mean is no.
        let said = editor.readline(&format!("Make {count}? [y/N, a = always] ")).unwrap_or_default();
        match said.trim() {
            "y" | "yes" | "Y" => {}
            "a" | "always" => *manner = Manner::Apply,
            _ => {
                eprintln!("nothing was changed");
                return true;
            }
        }
        self.ask(Request::Apply(self.screen())).is_some_and(|answer| !answer.ended)
    }

    /// Hands a request over and waits; says how long it took if that was long.
    fn ask(&self, request: Request) -> Option<Answer> {
        self.requests.send(request).ok()?;
        let answer = self.answers.recv().ok()?;
        if answer.took.as_secs_f64() >= 1.0 {
            eprintln!("{}", Paint(self.start.color).aside(&format!("{:.1} s", answer.took.as_secs_f64())));
        }
        Some(answer)
    }

    fn label(&self, manner: Manner) -> String {
        let place = self.start.cluster.as_deref().unwrap_or("k3srun");
        match manner {
            Manner::Plan => format!("{place} plan> "),
            Manner::Ask => format!("{place}> "),
            Manner::Apply => format!("{place} APPLY> "),
        }
    }

    fn welcome(&self) -> String {
        let about = match &self.start.cluster {
            Some(name) => format!(
                "Cluster {name}: cluster, hosts, master, workers and k are there, and connected to when you use them.\n\
                 Try: master.query(\"uptime\")"
            ),
            None => {
                "Try: local().query(\"uptime\")   (with a cluster.toml here, its hosts are there by name)".to_owned()
            }
        };
        let manner = match self.start.manner {
            Manner::Plan => "Changes are only shown.",
            Manner::Ask => "Changes are shown, and made after a yes.",
            Manner::Apply => "Changes are made at once.",
        };
        format!("{about}\n{manner} Tab completes, :help lists everything, Ctrl-D ends.")
    }

    /// The terminal as it is now.
    fn screen(&self) -> Screen {
        let (width, height) = terminal_size::terminal_size_of(std::io::stderr())
            .map(|(width, height)| (usize::from(width.0), usize::from(height.0)))
            // Some terminals don't know how large they are.
            .filter(|(width, _)| *width > 0)
            .unwrap_or((80, 24));
        Screen { width: width.max(20), lines: Some(height.saturating_sub(3).max(5)), paint: Paint(self.start.color) }
    }
}

/// The command that a line is; the words that people leave and ask by count, too.
fn command(line: &str) -> Option<Command<'_>> {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    Some(match (word, rest.trim()) {
        (":quit" | ":q" | ":exit", _) | ("exit" | "quit" | "exit()" | "quit()" | "exit;" | "quit;", "") => {
            Command::Quit
        }
        (":help" | ":h" | ":doc", name) => Command::Help(name),
        ("help" | "?", name) if rhai::is_valid_identifier(&name.replace(['.', ':'], "_")) || name.is_empty() => {
            Command::Help(name)
        }
        (":plan", "") => Command::Manner(Manner::Plan),
        (":ask", "") => Command::Manner(Manner::Ask),
        (":apply", "") => Command::Manner(Manner::Apply),
        (":all", "") => Command::All,
        (":load", path) if !path.is_empty() => Command::Load(path),
        (name, "") if name.len() > 1 && name.ends_with('?') => Command::Help(name.trim_end_matches('?')),
        (name, _) if name.starts_with(':') => Command::Unknown(name),
        _ => return None,
    })
}

fn explain(catalog: &Catalog, name: &str) {
    match help::about(catalog, &Catalog::of_library(), name) {
        Ok(text) => eprint!("{text}"),
        Err(error) => eprintln!("{error}\n  {}", error.help.as_deref().unwrap_or_default()),
    }
}
