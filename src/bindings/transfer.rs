//! Files of hosts: read and download. See `resource` for what changes them.

use rhai::plugin::*;

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use std::path::Path;

    use rhai::EvalAltResult;

    use crate::error::Error;
    use crate::host::Host;
    use crate::script::{block, context, fail};

    /// The content of a file on the host, which must be text.
    ///
    /// # Example
    /// ```rhai
    /// let release = local().read("/etc/os-release");
    /// if !release.contains("NAME=") { throw release }
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn read(call: NativeCallContext, host: &mut Host, path: &str) -> Result<String, Box<EvalAltResult>> {
        let content = block(&call, &context(&call), host.read(path))?;
        String::from_utf8(content).map_err(|_| {
            let error = Error::host(format!("{path} is not valid UTF-8")).on(host.name());
            fail(&call, error.help("fetch it with download(), or let a command on the host look at it"))
        })
    }

    /// Whether there is a file, folder or anything else at the path.
    ///
    /// # Example
    /// ```rhai
    /// if !local().exists("/etc/passwd") || local().exists("/no/such/file") { throw "no" }
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn exists(call: NativeCallContext, host: &mut Host, path: &str) -> Result<bool, Box<EvalAltResult>> {
        block(&call, &context(&call), host.exists(path))
    }

    /// Copies a file of the host to this machine, unless it is here already. It gets the permission bits of the file there as far
    /// as the umask here allows them. Returns whether anything differed. With `--plan` it only compares.
    ///
    /// # Example
    /// ```rhai,no_run
    /// ssh::connect("master").download("/var/log/syslog", "master.log");
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn download(
        call: NativeCallContext,
        host: &mut Host,
        remote: &str,
        local: &str,
    ) -> Result<bool, Box<EvalAltResult>> {
        block(&call, &context(&call), host.download(remote, Path::new(local)))
    }
}
