//! A lock on a host against a second operator, held by a shell of its own as long as the run lasts.
//!
//! The kernel's lock on the open file is the truth: it ends with the shell, so also when k3srun is killed. Where the network
//! is lost, sshd keeps the shell alive for hours: so the holder gives a sign of life now and then, and who finds one that
//! is silent for longer than ssh itself would bear ends all shells of that connection and takes the lock. The file beside
//! the lock says who holds it; its time is that of the last sign.

use std::time::Duration;

use tokio::task::JoinSet;

use super::{Host, ScriptOptions, Shell, quote};
use crate::error::{Error, Result};
use crate::report::Level;

/// Time between two signs of life.
const BEAT: Duration = Duration::from_secs(5);

/// Time between two looks at a holder that is silent.
const PAUSE: Duration = Duration::from_secs(2);

/// Who was silent for no more than so many seconds lives.
const ALIVE: u64 = 10;

/// Who was silent for more than so many seconds has lost its connection: ssh gives up after 20.
const LOST: u64 = 30;

/// What is done on the host.
const SCRIPT: &str = include_str!("lock.sh");

/// A lock that this run holds.
pub(super) struct Held {
    name: String,
    script: String,
    /// It has the shell, and gives the signs of life.
    heart: JoinSet<()>,
}

impl Held {
    fn new(name: &str, script: &str, mut shell: Shell) -> Self {
        let mut heart = JoinSet::new();
        heart.spawn(async move {
            loop {
                tokio::time::sleep(BEAT).await;
                if shell.beat().await.is_err() {
                    // The lock is lost with the connection. It is taken again with the next request.
                    return;
                }
            }
        });
        Held { name: name.to_owned(), script: script.to_owned(), heart }
    }

    /// Ends the shell, and the lock with it.
    pub(super) async fn release(mut self) {
        self.heart.shutdown().await;
    }
}

impl Host {
    /// Holds the lock `name` until the run ends; `script` is told to others who want it. In plan mode it only looks who
    /// holds it, and warns.
    ///
    /// # Errors
    /// Refused where another run holds it, with who, since when, and what to do.
    pub async fn lock(&self, name: &str, script: &str) -> Result<()> {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            return Err(Error::refused(format!("`{name}` is not a valid lock name"))
                .on(self.name())
                .help("use letters, digits, dashes, dots and underscores"));
        }
        if self.0.run.is_plan() {
            return self.look(name).await;
        }
        let mut held = self.0.locks.lock().await;
        if held.iter().any(|lock| lock.name == name) {
            return Ok(());
        }
        let taken = self.0.run.until_cancelled(self.take(name, script)).await;
        held.push(self.finish(taken).await?);
        Ok(())
    }

    async fn look(&self, name: &str) -> Result<()> {
        let look = format!("{}[ -e \"$f\" ] || exit 0\nexec 9<\"$f\"\nflock -n 9 || cat \"$i\"", folder(name));
        let said = self.check(&look, &ScriptOptions::titled(format!("look at the lock {name}"))).await?.text();
        if !said.is_empty() {
            self.note(Level::Warning, format!("the lock `{name}` is held by {}", said.replace('\n', ", ")));
        }
        Ok(())
    }

    async fn take(&self, name: &str, script: &str) -> Result<Held> {
        let mut shell = self.open_shell().await?;
        let mut told = false;
        loop {
            let output = shell.hold(&take(name, script), &self.0.traffic).await?;
            let text = output.text();
            let (word, who) = text.split_once('\n').unwrap_or((&text, ""));
            let line = who.replace('\n', ", ");
            match word {
                "free" => {}
                "stale" => self.note(
                    Level::Info,
                    format!("the lock `{name}` was left behind by a run that was killed ({line}); taken over"),
                ),
                "ended" => self.note(
                    Level::Info,
                    format!("the lock `{name}` was held by a run that has lost its connection ({line}); its shells here were ended, taken over"),
                ),
                "silent" => {
                    if !told {
                        self.note(Level::Info, format!("the lock `{name}` is held by a run that is silent ({line}); waiting whether it still lives"));
                    }
                    told = true;
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                "taken" => {
                    return Err(Error::refused(format!("the lock `{name}` is held by another run"))
                        .help("wait until it has ended, or end it; the lock goes with it, also if it is killed")
                        .output(who.to_owned()));
                }
                "missing" => {
                    return Err(Error::host("there is no `flock` on the host").help("install util-linux there"));
                }
                "foreign" => {
                    return Err(Error::host(format!("can't make the lock `{name}`: {who} is somebody else's"))
                        .help("remove it on the host, or find out who made it"));
                }
                _ => return Err(Error::host(format!("can't make the lock `{name}`")).output(output.tail())),
            }
            return Ok(Held::new(name, script, shell));
        }
    }

    /// Takes the locks again after the connection was made again.
    pub(super) async fn restore_locks(&self) -> Result<()> {
        let lost = std::mem::take(&mut *self.0.locks.lock().await);
        for lock in lost {
            let taken = self.take(&lock.name, &lock.script).await?;
            self.0.locks.lock().await.push(taken);
        }
        Ok(())
    }
}

/// The script that takes the lock. The first word of its answer says what became of it.
fn take(name: &str, script: &str) -> String {
    format!("{}owner={} alive_for={ALIVE} lost_after={LOST}\n{SCRIPT}", folder(name), quote(&owner(script)))
}

/// Sets `f` to the file that is locked and `i` to the one that says who holds it, in the folder `d` that nobody else can make.
fn folder(name: &str) -> String {
    format!(
        "if [ -w /run ]; then d=/run/k3srun; else d=$HOME/.local/state/k3srun/locks; fi\n\
         f=$d/{name}.lock i=$d/{name}.info\n"
    )
}

/// Who we are, for the other operator.
fn owner(script: &str) -> String {
    let user = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!(
        "{}@{}, process {}\nsince {}\nrunning {script}\n",
        user.unwrap_or_else(|| "someone".to_owned()),
        machine.trim(),
        std::process::id(),
        jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S %Z"),
    )
}
