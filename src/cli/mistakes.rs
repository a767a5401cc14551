//! What the command line asks of a script that the script can't do: refused before it starts.

use std::path::Path;

use super::args::Args;
use super::source::Source;
use crate::error::{Error, Result};
use crate::suggestion::nearest;

/// Compares the command line with the script.
///
/// # Errors
/// Refused for words that nobody would look at, phases that don't exist and settings without effect.
pub fn refuse(args: &Args, source: &Source) -> Result<()> {
    let outline = &source.outline;
    if let Some(folder) = args.stdlib.as_deref().filter(|folder| !folder.is_dir()) {
        return Err(no_folder(folder));
    }
    if let (Some(word), false) = (args.script_args().first(), outline.takes_arguments) {
        let message = format!("{} takes no arguments, and there is `{word}`", source.id);
        let help = "k3srun's own options are in k3srun --help; a script that takes arguments calls args()";
        return Err(Error::refused(message).help(help));
    }
    if !outline.has_other_phases {
        let named = args.only.iter().chain(&args.skip).chain(&args.from);
        if let Some(unknown) = named.into_iter().find(|name| !outline.phases.contains(name)) {
            return Err(no_phase(unknown, &outline.phases));
        }
    }
    if let (Some(set), false) = (args.sets.first(), outline.reads_config) {
        let key = set.split('=').next().unwrap_or_default();
        let message = format!("--set {key} has no effect: {} doesn't read the config", source.id);
        return Err(Error::refused(message).help("leave it out; a script reads the config with config::load()"));
    }
    Ok(())
}

/// The error for a phase that the playbook doesn't have.
pub fn no_phase(unknown: &str, phases: &[String]) -> Error {
    if phases.is_empty() {
        let help = "without --only, --skip and --from it runs as a whole";
        return Error::refused("the script has no phases to select from").help(help);
    }
    let list = format!("the phases are: {}", phases.join(", "));
    Error::refused(format!("unknown phase `{unknown}`")).help(
        match nearest(unknown, phases.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`? {list}"),
            None => list,
        },
    )
}

fn no_folder(folder: &Path) -> Error {
    let what = if folder.exists() { "is not a directory" } else { "does not exist" };
    Error::refused(format!("the folder of modules {} {what}", folder.display()))
        .help("name a folder with --stdlib or K3SRUN_STDLIB")
}
