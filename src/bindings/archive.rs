//! Texts for somebody else to read.

use rhai::plugin::*;

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use std::path::Path;

    use rhai::{Dynamic, EvalAltResult, Map};

    use crate::archive;
    use crate::error::Error;
    use crate::report::suspicion;
    use crate::script::{context, fail, holds_secret};

    /// A text as it may be shown to others: with `***` for every secret that this run knows, and for what looks like one:
    /// private keys, tokens, the password of a URL, what stands behind a name like `password` and `:` or `=`.
    ///
    /// # Example
    /// ```rhai
    /// if redacted("db_password: hunter2, port: 5432") != "db_password: ***, port: 5432" { throw "no" }
    /// ```
    pub fn redacted(call: NativeCallContext, text: &str) -> String {
        suspicion::redacted(&context(&call).run.secrets().masked(text))
    }

    /// Writes an archive (`.tar.gz`) on this machine that only you can read: `files` are texts, each with its name. A relative
    /// path begins at the working directory. A plan writes nothing.
    ///
    /// Refused where there is a file already, or one of the texts is not one or has a secret in it.
    ///
    /// # Example
    /// ```rhai,no_run
    /// write_archive("report.tar.gz", #{ "here/uptime.txt": local().query("uptime").stdout });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn write_archive(call: NativeCallContext, path: &str, files: Map) -> Result<(), Box<EvalAltResult>> {
        let context = context(&call);
        if holds_secret(&Dynamic::from_map(files.clone()), context.run.secrets()) {
            let error = Error::script("an archive takes no secret");
            return Err(fail(&call, error.help("leave it out, or take it out of the text: redacted(text)")));
        }
        let mut texts = Vec::new();
        for (name, text) in files {
            match text.into_string() {
                Ok(text) => texts.push((name.to_string(), text)),
                Err(kind) => {
                    return Err(fail(&call, Error::script(format!("{name} is not a text but of type {kind}"))));
                }
            }
        }
        if context.run.is_plan() {
            return Ok(());
        }
        let files = texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        archive::write(Path::new(path), files)
            .map_err(|error| fail(&call, Error::refused(format!("can't write {path}: {error}"))))
    }
}
