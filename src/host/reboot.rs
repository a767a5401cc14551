//! Reboots a host and waits until it is back.

use std::time::{Duration, Instant};

use super::{Host, ScriptOptions};
use crate::error::{Error, Kind, Result};
use crate::report::{Event, Level};

/// Between two looks whether it is back.
const PAUSE: Duration = Duration::from_secs(1);

impl Host {
    /// Reboots the host and waits until it answers with another boot id; then connections, tunnels and locks are there
    /// again. In plan mode it is only reported.
    ///
    /// # Errors
    /// Host where it isn't back in time; refused on the local host.
    pub async fn reboot(&self, timeout: Duration) -> Result<()> {
        if self.is_local() {
            return Err(Error::refused("k3srun can't reboot the machine that it runs on").on(self.name()));
        }
        let planned = self.0.run.is_plan();
        let event = Event::Command { host: self.name().to_owned(), command: "reboot".to_owned(), planned };
        self.0.run.report().emit(event);
        if planned {
            return Ok(());
        }
        let before = self.boot_id().await?;
        // In a session of its own and a moment later, so that the answer still comes through.
        let order = "setsid sh -c 'sleep 0.5; systemctl reboot || reboot' </dev/null >/dev/null 2>&1 &";
        self.check(order, &ScriptOptions::titled("reboot")).await?;
        self.activity("rebooting");
        let back = self.await_boot(&before, timeout).await;
        self.activity("");
        let seconds = back?.as_secs_f32();
        self.note(Level::Info, format!("back after {seconds:.1} s"));
        Ok(())
    }

    async fn await_boot(&self, before: &str, timeout: Duration) -> Result<Duration> {
        let start = Instant::now();
        let mut last = "it does not answer".to_owned();
        loop {
            let pause = async {
                tokio::time::sleep(PAUSE).await;
                Ok(())
            };
            self.0.run.until_cancelled(pause).await?;
            self.disconnect().await;
            let left = timeout.saturating_sub(start.elapsed());
            match tokio::time::timeout(left, self.boot_id()).await {
                Ok(Ok(now)) if now != before => {
                    self.forget_facts().await;
                    return Ok(start.elapsed());
                }
                Ok(Ok(_)) => "it still runs and has not gone down".clone_into(&mut last),
                Ok(Err(error)) if error.kind == Kind::Interrupted => return Err(error),
                Ok(Err(error)) => last = error.message,
                // The time is up.
                Err(_) => {}
            }
            if start.elapsed() >= timeout {
                return Err(Error::host(format!("it is not back {} s after the reboot", timeout.as_secs()))
                    .on(self.name())
                    .output(last)
                    .help(
                        "look at its console; when it is up, run again. Give it more time with the option `timeout`",
                    ));
            }
        }
    }

    async fn boot_id(&self) -> Result<String> {
        let options = ScriptOptions::titled("read the boot id").timeout(10);
        Ok(self.check("cat /proc/sys/kernel/random/boot_id", &options).await?.text())
    }

    /// Ends the connection; the next request makes a new one.
    async fn disconnect(&self) {
        self.0.idle.lock().await.shells.clear();
        // Neither waits for a host that is gone longer than this.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.0.transport.close()).await;
    }
}
