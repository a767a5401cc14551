//! `k3srun check`: mistakes in scripts, without running them.

use std::path::PathBuf;
use std::process::ExitCode;

use super::display::tell;
use crate::bindings;
use crate::error::Result;
use crate::script::{Checked, check};

/// Checks what the command line names. The exit status is 1 if anything is wrong.
pub fn run(paths: &[PathBuf], overrides: &[PathBuf], color: bool) -> Result<ExitCode> {
    let Checked { scripts, mistakes, sources } = check(paths, overrides, &bindings::catalog())?;
    for mistake in &mistakes {
        tell(&mistake.render(&sources, color));
    }
    let checked = format!("checked {scripts} script{}", if scripts == 1 { "" } else { "s" });
    match mistakes.len() {
        0 => tell(&format!("{checked}: no mistakes")),
        1 => tell(&format!("{checked}: 1 mistake")),
        count => tell(&format!("{checked}: {count} mistakes")),
    }
    Ok(ExitCode::from(u8::from(!mistakes.is_empty())))
}
