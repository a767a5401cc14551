//! The conversation with one long-lived shell: framed requests and answers, see `agent.sh`.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use super::Traffic;
use super::options::Output;
use super::transport::{Pipes, SUDO_PROMPT};
use crate::error::{Error, Result};

/// The program that answers our requests on the host.
const AGENT: &str = include_str!("agent.sh");

/// Printed by a shell that sudo let us start.
pub(super) const SUDO_DONE: &str = "k3srun-sudo-done";

/// How long a shell may take until it answers. Login profiles that hang are cut off here.
const START: Duration = Duration::from_secs(30);

pub(super) struct Shell {
    pipes: Pipes,
    next: u64,
    nonce: String,
}

/// One of the two streams, read up to a marker.
struct Answer<'a> {
    stream: &'a mut (dyn AsyncRead + Send + Unpin),
    marker: Vec<u8>,
    data: Vec<u8>,
}

impl Shell {
    /// Starts the agent in a fresh shell. `sudo` holds the password, if there is one, where sudo is in between.
    pub async fn start(pipes: Pipes, sudo: Option<Option<&str>>, traffic: &Traffic) -> Result<Self> {
        let mut shell = Shell { pipes, next: 0, nonce: nonce() };
        let start = async {
            if let Some(password) = sudo {
                shell.pass_sudo(password, traffic).await?;
            }
            let ready = shell.mark();
            // In braces, so that the shell has read all of it before it runs any of it and no read-ahead is lost.
            let program = format!("{{\nprintf '\\n%s 0\\n' {ready}; printf '\\n%s\\n' {ready} >&2\n{AGENT}\n}}\n");
            shell.send(program.as_bytes(), traffic).await?;
            shell.answer(&ready, traffic, |_, _| {}).await
        };
        match tokio::time::timeout(START, start).await {
            Ok(done) => done.map(|_| shell),
            Err(_) => Err(Error::unreachable(format!("the login shell did not answer within {} s", START.as_secs()))
                .help("look for a login profile (~/.profile, ~/.bashrc, /etc/profile.d) that waits for input")),
        }
    }

    /// Runs a script and passes its output on line by line.
    pub async fn run(
        &mut self,
        script: &str,
        timeout: Option<Duration>,
        traffic: &Traffic,
        mut line: impl FnMut(bool, &[u8]),
    ) -> Result<Output> {
        let id = self.mark();
        let request = format!("run {id} {}\n{script}", script.len());
        self.send(request.as_bytes(), traffic).await?;
        let answered = {
            let answer = self.answer(&id, traffic, &mut line);
            match timeout {
                Some(limit) => tokio::time::timeout(limit, answer).await.ok(),
                None => Some(answer.await),
            }
        };
        if let Some(output) = answered {
            let output = output?;
            self.send(b"ok\n", traffic).await?;
            return Ok(output);
        }
        let mark = self.mark();
        self.send(format!("kill {mark}\n").as_bytes(), traffic).await?;
        let rest = self.answer(&mark, traffic, line).await?;
        Ok(Output { timed_out: true, ..rest })
    }

    /// Writes a file on the host.
    pub async fn put(&mut self, path: &str, content: &[u8], traffic: &Traffic) -> Result<Output> {
        if path.contains('\n') {
            return Err(Error::refused("a path on a host can't contain a line end"));
        }
        let id = self.mark();
        self.send(format!("put {id} {} {path}\n", content.len()).as_bytes(), traffic).await?;
        self.send(content, traffic).await?;
        self.answer(&id, traffic, |_, _| {}).await
    }

    async fn pass_sudo(&mut self, password: Option<&str>, traffic: &Traffic) -> Result<()> {
        let mut said = String::new();
        let mut asked = 0;
        Traffic::add(&traffic.round_trips, 1);
        loop {
            let (mut out, mut err) = ([0; 4096], [0; 4096]);
            let n = tokio::select! {
                n = self.pipes.stdout.read(&mut out) => {
                    let n = n.map_err(lost)?;
                    said.push_str(&String::from_utf8_lossy(&out[..n]));
                    n
                }
                n = self.pipes.stderr.read(&mut err) => {
                    let n = n.map_err(lost)?;
                    said.push_str(&String::from_utf8_lossy(&err[..n]));
                    n
                }
            };
            if said.contains(SUDO_DONE) {
                return Ok(());
            }
            if said.matches(SUDO_PROMPT).count() > asked {
                asked += 1;
                match password {
                    Some(password) if asked == 1 => self.send(format!("{password}\n").as_bytes(), traffic).await?,
                    Some(_) => {
                        return Err(sudo_error("sudo does not accept the password", "check the sudo password", &said));
                    }
                    None => {
                        return Err(sudo_error(
                            "sudo asks for a password and none is configured",
                            "give one (`sudo_password`, or in cluster.toml ssh.sudo_password_env), or allow the user sudo without a password",
                            &said,
                        ));
                    }
                }
            }
            if n == 0 {
                return Err(sudo_error(
                    "sudo did not start a shell",
                    "log in as root, or as a user who may use sudo",
                    &said,
                ));
            }
        }
    }

    fn mark(&mut self) -> String {
        self.next += 1;
        format!("{}-{}", self.nonce, self.next)
    }

    async fn send(&mut self, bytes: &[u8], traffic: &Traffic) -> Result<()> {
        Traffic::add(&traffic.sent, bytes.len() as u64);
        self.pipes.stdin.write_all(bytes).await.map_err(lost)?;
        self.pipes.stdin.flush().await.map_err(lost)
    }

    async fn answer(&mut self, id: &str, traffic: &Traffic, line: impl FnMut(bool, &[u8])) -> Result<Output> {
        Traffic::add(&traffic.round_trips, 1);
        let line = std::cell::RefCell::new(line);
        let mut out = Answer::new(&mut *self.pipes.stdout, format!("\n{id} "));
        let mut err = Answer::new(&mut *self.pipes.stderr, format!("\n{id}\n"));
        let (status, ()) = tokio::try_join!(
            async {
                out.read(|text| (line.borrow_mut())(false, text)).await?;
                out.status().await
            },
            async {
                err.read(|text| (line.borrow_mut())(true, text)).await?;
                Ok(())
            }
        )?;
        Traffic::add(&traffic.received, (out.data.len() + err.data.len()) as u64);
        Ok(Output { status, stdout: out.data, stderr: err.data, timed_out: false })
    }
}

impl<'a> Answer<'a> {
    fn new(stream: &'a mut (dyn AsyncRead + Send + Unpin), marker: String) -> Self {
        Answer { stream, marker: marker.into_bytes(), data: Vec::new() }
    }

    /// Reads up to the marker, which is taken off.
    async fn read(&mut self, mut line: impl FnMut(&[u8])) -> Result<()> {
        let (mut searched, mut shown) = (0, 0);
        loop {
            let found = find(&self.data[searched..], &self.marker).map(|at| searched + at);
            let end = found.unwrap_or(self.data.len());
            while let Some(length) = self.data[shown..end].iter().position(|byte| *byte == b'\n') {
                line(&self.data[shown..shown + length]);
                shown += length + 1;
            }
            if let Some(at) = found {
                if shown < at {
                    line(&self.data[shown..at]);
                }
                // What follows the marker on standard output is the status: left for `status`.
                let rest = self.data.split_off(at);
                self.marker = rest[self.marker.len()..].to_vec();
                return Ok(());
            }
            searched = self.data.len().saturating_sub(self.marker.len());
            self.more().await?;
        }
    }

    /// Reads the exit status that follows the marker.
    async fn status(&mut self) -> Result<i32> {
        let mut text = std::mem::take(&mut self.marker);
        while !text.contains(&b'\n') {
            let kept = self.data.len();
            self.more().await?;
            text.extend(self.data.drain(kept..));
        }
        String::from_utf8_lossy(&text)
            .trim()
            .parse()
            .map_err(|_| Error::unreachable("the shell on the host answered something else than an exit status"))
    }

    async fn more(&mut self) -> Result<()> {
        self.data.reserve(64 * 1024);
        match self.stream.read_buf(&mut self.data).await.map_err(lost)? {
            0 => Err(Error::unreachable("the connection was closed while a command ran")
                .help("run it again: what is done stays done. If it happens again, look at the network and at sshd's log on the host")
                .output(String::from_utf8_lossy(&self.data).trim().to_owned())),
            _ => Ok(()),
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn lost(error: std::io::Error) -> Error {
    Error::unreachable(format!("the connection broke: {error}")).help("run it again: what is done stays done")
}

fn sudo_error(message: &str, help: &str, said: &str) -> Error {
    let said = said.replace(SUDO_PROMPT, "").trim().to_owned();
    Error::unreachable(message).help(help).output(said)
}

/// Sets our frames apart from anything that a script prints.
fn nonce() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    format!("{:016x}{:016x}", RandomState::new().hash_one(1), RandomState::new().hash_one(2))
}
