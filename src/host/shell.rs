//! The conversation with one long-lived shell: framed requests and answers, see `agent.sh`.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use super::Traffic;
use super::answer::Answer;
use super::explain::explain_shell;
use super::options::Output;
use super::sudo;
use super::transport::Pipes;
use crate::error::{Error, Result};

/// The program that answers our requests on the host.
const AGENT: &str = include_str!("agent.sh");

/// How long it may take to stop a script whose time is up. The agent on the host needs about a second.
const STOP: Duration = Duration::from_secs(10);

/// Files are sent in pieces of this size.
const PIECE: usize = 256 * 1024;

pub(super) struct Shell {
    pipes: Pipes,
    uid: u32,
}

impl Shell {
    /// Starts the agent in a fresh shell. `sudo` holds the password, if there is one, where sudo is in between. Login
    /// profiles that hang are cut off after `limit`.
    pub async fn start(pipes: Pipes, sudo: Option<Option<&str>>, limit: Duration, traffic: &Traffic) -> Result<Self> {
        let mut shell = Shell { pipes, uid: 0 };
        let start = async {
            if let Some(password) = sudo {
                sudo::pass(&mut shell.pipes, password, traffic).await?;
            }
            let ready = mark();
            // In braces, so that the shell has read all of it before it runs any of it and no read-ahead is lost. The
            // status of this first answer is the user's id.
            let program =
                format!("{{\nprintf '\\n%s %s\\n' {ready} \"$(id -u)\"; printf '\\n%s\\n' {ready} >&2\n{AGENT}\n}}\n");
            // A shell that ended at once said why on its way: `answer` reports it.
            let _ = shell.send(program.as_bytes(), traffic).await;
            let (mut out, mut err) = (Answer::default(), Answer::default());
            match shell.answer(&ready, (&mut out, &mut err), traffic, &mut |_, _| {}).await {
                Ok(uid) => Ok(uid),
                Err(_) => {
                    let said = [out.into_bytes(), err.into_bytes(), shell.last_words().await].concat();
                    Err(explain_shell(String::from_utf8_lossy(&said).trim()))
                }
            }
        };
        match tokio::time::timeout(limit, start).await {
            Ok(uid) => {
                shell.uid =
                    u32::try_from(uid?).map_err(|_| Error::unreachable("`id -u` on the host is not a number"))?;
                Ok(shell)
            }
            Err(_) => {
                Err(Error::unreachable(format!("the login shell did not answer within {} s", limit.as_secs_f32()))
                    .help("look for a login profile (~/.profile, ~/.bashrc, /etc/profile.d) that waits for input"))
            }
        }
    }

    /// What comes yet from a shell that has ended: the other stream may be a moment later than the one whose end was seen.
    async fn last_words(&mut self) -> Vec<u8> {
        const MOMENT: Duration = Duration::from_secs(1);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let rest = async {
            let streams = (self.pipes.stdout.read_to_end(&mut out), self.pipes.stderr.read_to_end(&mut err));
            tokio::join!(streams.0, streams.1)
        };
        // Whatever has come by then is what there is.
        let _ = tokio::time::timeout(MOMENT, rest).await;
        [out, err].concat()
    }

    /// Whether this shell may do everything.
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Runs a script and passes its output on line by line.
    pub async fn run(
        &mut self,
        script: &str,
        timeout: Option<Duration>,
        traffic: &Traffic,
        mut line: impl FnMut(bool, &[u8]) + Send,
    ) -> Result<Output> {
        let id = mark();
        let request = format!("run {id} {}\n{script}", script.len());
        self.send(request.as_bytes(), traffic).await?;
        let (mut out, mut err) = (Answer::default(), Answer::default());
        let answered = {
            let answer = self.answer(&id, (&mut out, &mut err), traffic, &mut line);
            match timeout {
                Some(limit) => tokio::time::timeout(limit, answer).await.ok(),
                None => Some(answer.await),
            }
        };
        let (status, timed_out) = match answered {
            Some(status) => {
                let status = status?;
                self.send(b"ok\n", traffic).await?;
                (status, false)
            }
            None => {
                let mark = mark();
                self.send(format!("kill {mark}\n").as_bytes(), traffic).await?;
                let answer = self.answer(&mark, (&mut out, &mut err), traffic, &mut line);
                let stopped = tokio::time::timeout(STOP, answer).await;
                let silent =
                    || Error::unreachable("the host does not answer any more").help("look at the host and the network");
                (stopped.map_err(|_| silent())??, true)
            }
        };
        output(status, out, err, timed_out)
    }

    /// Runs a script in the shell itself: what it opens stays open as long as this shell lives.
    pub async fn hold(&mut self, script: &str, traffic: &Traffic) -> Result<Output> {
        let id = mark();
        // The agent would not see line ends at the end.
        let script = script.trim_end();
        self.send(format!("hold {id} {}\n{script}", script.len()).as_bytes(), traffic).await?;
        let (mut out, mut err) = (Answer::default(), Answer::default());
        let status = self.answer(&id, (&mut out, &mut err), traffic, &mut |_, _| {}).await?;
        output(status, out, err, false)
    }

    /// Tells the agent that we live. It doesn't answer.
    pub async fn beat(&mut self) -> Result<()> {
        self.pipes.stdin.write_all(b"beat\n").await.map_err(lost)?;
        self.pipes.stdin.flush().await.map_err(lost)
    }

    /// Runs a script with `length` bytes of `content` on its standard input, and tells how many are sent. The script can't be
    /// stopped before its end.
    pub async fn feed(
        &mut self,
        script: &str,
        length: u64,
        content: &mut (dyn AsyncRead + Send + Unpin),
        traffic: &Traffic,
        mut sent: impl FnMut(u64) + Send,
    ) -> Result<Output> {
        let id = mark();
        let script = script.trim_end();
        self.send(format!("feed {id} {} {length}\n{script}", script.len()).as_bytes(), traffic).await?;
        let (mut content, mut done) = (content.take(length), 0);
        let mut piece = vec![0; PIECE];
        while done < length {
            let n = content
                .read(&mut piece)
                .await
                .map_err(|error| Error::refused(format!("can't read what is to be sent: {error}")))?;
            if n == 0 {
                return Err(Error::refused("what is to be sent got shorter meanwhile")
                    .help("run it again when nothing writes to the file any more"));
            }
            self.send(&piece[..n], traffic).await?;
            done += n as u64;
            sent(done);
        }
        let (mut out, mut err) = (Answer::default(), Answer::default());
        let status = self.answer(&id, (&mut out, &mut err), traffic, &mut |_, _| {}).await?;
        output(status, out, err, false)
    }

    async fn send(&mut self, bytes: &[u8], traffic: &Traffic) -> Result<()> {
        Traffic::add(&traffic.sent, bytes.len() as u64);
        self.pipes.stdin.write_all(bytes).await.map_err(lost)?;
        self.pipes.stdin.flush().await.map_err(lost)
    }

    /// Reads both streams up to the end of the answer `id`, and returns its status.
    async fn answer(
        &mut self,
        id: &str,
        (out, err): (&mut Answer, &mut Answer),
        traffic: &Traffic,
        line: &mut (dyn FnMut(bool, &[u8]) + Send),
    ) -> Result<i64> {
        Traffic::add(&traffic.round_trips, 1);
        let before = out.len() + err.len();
        let line = std::sync::Mutex::new(line);
        let each = |stderr| {
            let line = &line;
            move |text: &[u8]| {
                if let Ok(mut line) = line.lock() {
                    line(stderr, text);
                }
            }
        };
        let (mut on_out, mut on_err) = (each(false), each(true));
        let (status, ()) = tokio::try_join!(
            async {
                let rest = out.read(&mut self.pipes.stdout, &format!("\n{id} "), &mut on_out).await?;
                out.status(&mut self.pipes.stdout, rest).await
            },
            async { err.read(&mut self.pipes.stderr, &format!("\n{id}\n"), &mut on_err).await.map(|_| ()) }
        )?;
        Traffic::add(&traffic.received, (out.len() + err.len()).saturating_sub(before) as u64);
        Ok(status)
    }
}

fn output(status: i64, out: Answer, err: Answer, timed_out: bool) -> Result<Output> {
    let status = i32::try_from(status).map_err(|_| Error::unreachable("the host answered with a strange status"))?;
    Ok(Output { status, stdout: out.into_bytes(), stderr: err.into_bytes(), timed_out })
}

pub(super) fn lost(error: std::io::Error) -> Error {
    Error::unreachable(format!("the connection broke: {error}")).help("run it again: what is done stays done")
}

/// Sets a frame apart from anything that a script prints: another one for each request, and nobody can guess it.
fn mark() -> String {
    format!("{:032x}", u128::from_le_bytes(crate::random::bytes()))
}
