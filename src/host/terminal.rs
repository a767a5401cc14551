//! Gives the terminal to a person: a shell, or a command that asks and shows things.

use std::io::IsTerminal as _;

use tokio::process::Command;

use super::{Host, joined_with_secret, quote};
use crate::error::{Error, Result};
use crate::report::Event;

impl Host {
    /// Runs a command (none: a shell) at the person's terminal, as root, and returns its exit status. Ctrl-C goes to what
    /// runs there. In plan mode it is only reported.
    ///
    /// # Errors
    /// Refused where there is no terminal.
    pub async fn interactive(&self, command: Option<&str>) -> Result<i32> {
        let planned = self.0.run.is_plan();
        if let Some(command) = command.filter(|command| self.0.run.secrets().reveal(command).is_some()) {
            return Err(joined_with_secret(command).on(self.name()));
        }
        let shown = command.unwrap_or("a shell for you").to_owned();
        let event = Event::Command { host: self.name().to_owned(), command: shown, planned };
        if planned {
            self.0.run.report().emit(event);
            return Ok(0);
        }
        if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
            return Err(Error::refused("this needs a person at a terminal, and there is none")
                .on(self.name())
                .help("start k3srun at a terminal, without a pipe or redirection; for programs there is host.run()"));
        }
        let mut program = match self.0.transport.destination() {
            None => self.local_program(command),
            Some(destination) => {
                let (session, _) = self.0.transport.session().await?;
                let mut ssh = Command::new("ssh");
                // The control socket decides where this goes; the user's settings were for the master.
                ssh.args(["-F", "none", "-q", "-tt", "-S"]).arg(session.control_socket()).arg("host");
                match (destination.options.sudo, command) {
                    (false, None) => {}
                    (false, Some(command)) => _ = ssh.arg(format!("exec sh -c {}", quote(command))),
                    (true, None) => _ = ssh.arg("exec sudo -i"),
                    (true, Some(command)) => _ = ssh.arg(format!("exec sudo sh -c {}", quote(command))),
                }
                ssh
            }
        };
        self.0.run.report().emit(event);
        let terminal = self.0.run.hand_over_terminal();
        let mut child = program
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Error::refused(format!("can't start {:?}: {error}", program.as_std().get_program())))?;
        let status = self.0.run.until_cancelled(async { Ok(child.wait().await) }).await?;
        drop(terminal);
        let status = status.map_err(|error| Error::host(format!("can't wait for its end: {error}")).on(self.name()))?;
        Ok(status.code().unwrap_or(128))
    }

    fn local_program(&self, command: Option<&str>) -> Command {
        match command {
            Some(command) => {
                let mut sh = Command::new("sh");
                sh.args(["-c", command]);
                sh
            }
            None => Command::new(std::env::var_os("SHELL").unwrap_or_else(|| "sh".into())),
        }
    }
}
