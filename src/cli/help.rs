//! `k3srun help`: what scripts can call.

use std::process::ExitCode;

use super::display::print;
use crate::bindings;
use crate::error::Result;
use crate::script::{Catalog, help, markdown};

/// Prints the help on a name, on everything, or the reference as Markdown.
pub fn run(name: Option<&str>, as_markdown: bool) -> Result<ExitCode> {
    let (catalog, library) = (bindings::catalog(), Catalog::of_library());
    let text = match name {
        _ if as_markdown => markdown(&catalog, &library),
        Some(name) => help::about(&catalog, &library, name)?,
        None => help::overview(&catalog, &library),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
