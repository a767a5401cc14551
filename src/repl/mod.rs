//! `k3srun` without a script: the same functions, one line after the other, with the connections kept open.

mod input;
mod session;

use std::path::PathBuf;
use std::sync::Arc;

use rhai::Engine;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Config, Editor};

pub use input::{Input, complete};
pub use session::{ID, Session};

use crate::error::{Error, Result};
use crate::report::Event;
use crate::report::redact::Secrets;
use crate::script::{Catalog, Context, help};

/// What is shown first.
const WELCOME: &str = "\
Try: local().query(\"uptime\").stdout
:help lists the functions, :help NAME explains one, :quit or Ctrl-D ends.";

/// Reads lines from the terminal and evaluates them until the user has enough. `failed`
/// shows an error.
///
/// # Errors
/// When the terminal can't be used.
pub fn run(
    context: &Arc<Context>,
    engine: &Engine,
    catalog: &Catalog,
    failed: impl Fn(&rhai::EvalAltResult),
) -> Result<()> {
    let broken = |error: ReadlineError| Error::refused(format!("can't read from the terminal: {error}"));
    let config = Config::builder().max_history_size(1000).map_err(broken)?.auto_add_history(false).build();
    let mut editor: Editor<Input, DefaultHistory> = Editor::with_config(config).map_err(broken)?;
    editor.set_helper(Some(Input::new(catalog)));
    let history = history();
    if let Some(file) = &history {
        // The first time there is none.
        let _ = editor.load_history(file);
    }
    let library = Catalog::of_library();
    let mut session = Session::new(engine, context.clone());
    eprintln!("{WELCOME}");
    loop {
        let line = match editor.readline("k3srun> ") {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(broken(error)),
        };
        match line.trim() {
            "" => {}
            ":quit" | ":q" | ":exit" => break,
            ":help" | ":h" => eprint!("{}", help::overview(catalog, &library)),
            command if command.starts_with(":help ") => {
                match help::about(catalog, &library, command.trim_start_matches(":help ").trim()) {
                    Ok(text) => eprint!("{text}"),
                    Err(error) => eprintln!("{error}\n  {}", error.help.as_deref().unwrap_or_default()),
                }
            }
            command if command.starts_with(':') => eprintln!("no such command; there are :help and :quit"),
            _ => {
                match session.evaluate(&line) {
                    Ok(Some(text)) => context.run.report().emit(Event::Print { text }),
                    Ok(None) => {}
                    Err(error) => failed(&error),
                }
                // Ctrl-C ended only this evaluation.
                context.run.renew();
            }
        }
        // Only now it is known what in it is secret.
        if is_kept(&line, context.run.secrets()) {
            let _ = editor.add_history_entry(line.as_str());
            if let Some(file) = &history {
                // A history that can't be written is no reason to stop; rustyline makes the file readable by its owner only.
                let _ = editor.save_history(file);
            }
        }
    }
    Ok(())
}

/// Where lines are kept: beside the logs of the runs.
fn history() -> Option<PathBuf> {
    let state = match std::env::var_os("XDG_STATE_HOME") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => PathBuf::from(std::env::var_os("HOME")?).join(".local/state"),
    };
    Some(state.join("k3srun/history"))
}

/// Whether a line goes to the history: not if it has a secret in it, or looks as if.
fn is_kept(line: &str, secrets: &Secrets) -> bool {
    let suspicious = ["secret", "password"].iter().any(|word| line.contains(word));
    !line.trim().is_empty() && !suspicious && secrets.masked(line) == line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_secrets_are_not_kept() {
        let secrets = Secrets::default();
        secrets.add("correct horse");
        let kept = |line| is_kept(line, &secrets);
        assert!(kept("let x = 1"));
        assert!(!kept("let p = secret (\"not evaluated"));
        assert!(!kept("local().run(\"echo correct horse\")"));
        assert!(!kept("ssh::connect(\"a\", #{ sudo_password: \"x\" })"));
        assert!(!kept("  "));
    }
}
