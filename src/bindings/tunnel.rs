//! `host.tunnel`.

use rhai::plugin::*;

#[export_module]
#[allow(missing_docs)]
pub mod api {
    use rhai::EvalAltResult;

    use crate::error::Error;
    use crate::host::{Host, Tunnel};
    use crate::script::{block, context, fail};

    /// Opens a way from a free port of this machine's loopback interface to a port that the host can reach. On the local
    /// host that is the target itself. It ends with the run, or with `close()`.
    ///
    /// # Example
    /// ```rhai
    /// let tunnel = local().tunnel("127.0.0.1", 6443);
    /// print(`https://${tunnel.address}:${tunnel.port}`);
    /// tunnel.close();
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn tunnel(
        call: NativeCallContext,
        host: &mut Host,
        address: &str,
        port: i64,
    ) -> Result<Tunnel, Box<EvalAltResult>> {
        match u16::try_from(port) {
            Ok(port) if port > 0 => block(&call, &context(&call), host.tunnel(address, port)),
            _ => Err(fail(&call, Error::script(format!("tunnel(): {port} is not a port from 1 to 65535")))),
        }
    }

    /// The address to connect to on this machine.
    #[rhai_fn(global, get = "address", pure)]
    pub fn address(tunnel: &mut Tunnel) -> String {
        tunnel.address().to_owned()
    }

    /// The port to connect to on this machine.
    #[rhai_fn(global, get = "port", pure)]
    pub fn port(tunnel: &mut Tunnel) -> i64 {
        i64::from(tunnel.port())
    }

    /// Ends the tunnel; connections through it are cut.
    ///
    /// # Example
    /// ```rhai
    /// local().tunnel("127.0.0.1", 6443).close();
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn close(call: NativeCallContext, tunnel: &mut Tunnel) -> Result<(), Box<EvalAltResult>> {
        block(&call, &context(&call), async {
            tunnel.close().await;
            Ok(())
        })
    }
}
