//! Gets past sudo: its password goes over standard input, never into an argument list.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Traffic;
use super::shell::lost;
use super::transport::Pipes;
use crate::error::{Error, Result};

/// What sudo is told to print when it wants a password.
const PROMPT: &str = "k3srun-sudo-password:";

/// Printed by the shell that sudo let us start.
const DONE: &str = "k3srun-sudo-done";

/// What the login shell runs to become root's shell, which is called `name`.
pub(super) fn command(name: &str) -> String {
    format!("exec sudo -S -p {PROMPT} sh -c 'echo {DONE}; exec sh -s {name}'")
}

/// Answers sudo until root's shell has started.
///
/// # Errors
/// Refused, with the remedy, where sudo doesn't let us.
pub(super) async fn pass(pipes: &mut Pipes, password: Option<&str>, traffic: &Traffic) -> Result<()> {
    Traffic::add(&traffic.round_trips, 1);
    let (mut said, mut asked, mut open) = (String::new(), 0, [true; 2]);
    let (mut out, mut err) = (vec![0; 4096], vec![0; 4096]);
    while open != [false; 2] {
        tokio::select! {
            n = pipes.stdout.read(&mut out), if open[0] => {
                let n = n.map_err(lost)?;
                open[0] = n > 0;
                said.push_str(&String::from_utf8_lossy(&out[..n]));
            }
            n = pipes.stderr.read(&mut err), if open[1] => {
                let n = n.map_err(lost)?;
                open[1] = n > 0;
                said.push_str(&String::from_utf8_lossy(&err[..n]));
            }
        }
        if said.contains(DONE) {
            return Ok(());
        }
        let prompts = said.matches(PROMPT).count();
        if prompts > asked {
            asked = prompts;
            match password {
                Some(password) if asked == 1 => {
                    let line = format!("{password}\n");
                    pipes.stdin.write_all(line.as_bytes()).await.map_err(lost)?;
                    pipes.stdin.flush().await.map_err(lost)?;
                }
                Some(_) => {
                    return Err(refused("sudo does not accept the password", "check the sudo password", &said));
                }
                None => {
                    let help = "give one (`sudo_password`, or in cluster.toml ssh.sudo_password_env), or allow the user sudo without a password";
                    return Err(refused("sudo asks for a password and none is configured", help, &said));
                }
            }
        }
    }
    Err(explain(&said))
}

/// Why sudo ended without starting a shell.
fn explain(said: &str) -> Error {
    let lower = said.to_lowercase();
    let (message, help) = if lower.contains("not found") || lower.contains("no such file") {
        ("sudo is not installed on the host", "install sudo there (apt-get install sudo), or log in as root")
    } else if lower.contains("not in the sudoers")
        || lower.contains("may not run sudo")
        || lower.contains("not allowed")
        || lower.contains("i'm afraid i can't do that")
    {
        ("the user may not use sudo", "add the user to the group sudo (usermod -aG sudo USER), or log in as root")
    } else if lower.contains("tty") {
        ("sudo wants a terminal", "remove `requiretty` from the sudoers file on the host, or log in as root")
    } else {
        ("sudo did not start a shell", "log in as root, or as a user who may use sudo")
    };
    refused(message, help, said)
}

fn refused(message: &str, help: &str, said: &str) -> Error {
    let said = said.replace(PROMPT, "").trim().to_owned();
    Error::unreachable(message).help(help).output(said)
}

#[cfg(test)]
mod tests {
    use super::explain;

    #[test]
    fn what_sudo_says_becomes_a_remedy() {
        let message = |said| explain(said).message;
        assert_eq!(message("sh: 1: exec: sudo: not found"), "sudo is not installed on the host");
        assert_eq!(message("ops is not in the sudoers file."), "the user may not use sudo");
        let of_sudo_rs = "sudo: I'm sorry ops. I'm afraid I can't do that";
        assert_eq!(message(of_sudo_rs), "the user may not use sudo");
        assert_eq!(message("sudo: sorry, you must have a tty to run sudo"), "sudo wants a terminal");
        assert_eq!(message("?"), "sudo did not start a shell");
    }
}
