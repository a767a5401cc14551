//! What can go wrong while bootstrap runs, how the lab makes it so, and what may become of the run.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::bootstrap::{Bootstrap, Desk, Ended};
use crate::support::chance::Chance;
use crate::support::lab::{Lab, Step};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// k3srun gets SIGKILL.
    KillRun,
    /// One of its ssh processes gets SIGKILL.
    KillSsh,
    /// A link loses everything for some seconds.
    CutForSeconds,
    /// A public link loses everything until the run has failed.
    CutUntilItFails,
    /// A host reboots.
    Reboot,
    /// A host loses its power, and gets it back.
    PowerOff,
    /// The disk of a host is full until the run has failed.
    FullDisk,
    /// Another program on a host has apt's locks for some seconds.
    AptLock,
    /// Somebody else starts bootstrap, too.
    SecondOperator,
}

/// What may become of the run that the fault was done to.
pub struct Expected {
    /// Its exit status: one of these; None stands for a signal.
    pub statuses: &'static [Option<i32>],
    /// The longest that it may still take.
    pub limit: Duration,
}

/// A whole bootstrap on a box that does other things, too.
pub const RUN: Duration = Duration::from_secs(600);

impl Kind {
    pub const ALL: [Kind; 9] = [
        Kind::KillRun,
        Kind::KillSsh,
        Kind::CutForSeconds,
        Kind::CutUntilItFails,
        Kind::Reboot,
        Kind::PowerOff,
        Kind::FullDisk,
        Kind::AptLock,
        Kind::SecondOperator,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kind::KillRun => "kill_k3srun",
            Kind::KillSsh => "kill_ssh",
            Kind::CutForSeconds => "cut_for_seconds",
            Kind::CutUntilItFails => "cut_until_it_fails",
            Kind::Reboot => "reboot",
            Kind::PowerOff => "power_off",
            Kind::FullDisk => "full_disk",
            Kind::AptLock => "apt_lock",
            Kind::SecondOperator => "second_operator",
        }
    }

    /// Whether it can make a difference in a phase.
    pub fn concerns(self, phase: &str) -> bool {
        match self {
            Kind::FullDisk => ["server", "agent"].contains(&phase),
            Kind::AptLock => ["preflight", "base"].contains(&phase),
            _ => true,
        }
    }

    pub fn expected(self) -> Expected {
        // 3: a host failed; 4: it can't be reached; 2: a check has seen the other host's failure, or another run's lock.
        let (statuses, limit): (&[Option<i32>], u64) = match self {
            Kind::KillRun => (&[None], 5),
            Kind::KillSsh => (&[Some(0), Some(4)], RUN.as_secs()),
            Kind::CutForSeconds => (&[Some(0), Some(2), Some(3), Some(4)], RUN.as_secs()),
            // ssh gives up after 20 s, and connecting again after 20 more; what goes on at the other host comes first.
            // 3: a firewall that could not be confirmed, which can't be told from one that locks us out.
            Kind::CutUntilItFails => (&[Some(0), Some(2), Some(3), Some(4)], RUN.as_secs()),
            Kind::Reboot | Kind::PowerOff => (&[Some(0), Some(2), Some(3), Some(4)], RUN.as_secs()),
            Kind::FullDisk => (&[Some(0), Some(2), Some(3)], RUN.as_secs()),
            Kind::AptLock => (&[Some(0), Some(2)], RUN.as_secs()),
            Kind::SecondOperator => (&[Some(0)], RUN.as_secs()),
        };
        Expected { statuses, limit: Duration::from_secs(limit) }
    }

    /// Does it to the run, lets the run end, and mends what can be mended. `host` is the host that is concerned.
    pub fn happen(self, lab: &Lab, desk: &Desk, mut run: Bootstrap, host: &str, chance: &mut Chance) -> Step<Ended> {
        let limit = self.expected().limit;
        match self {
            Kind::KillRun => run.kill()?,
            Kind::KillSsh => {
                let masters = desk.masters();
                if !masters.is_empty() {
                    let master = &masters[chance.between(0, masters.len() as u64 - 1) as usize];
                    // It may have ended by itself, when the run is over.
                    let _ = Command::new("kill").args(["-KILL", master]).status();
                }
            }
            Kind::CutForSeconds => {
                let link = format!("{host}.{}", chance.one_of(&["public", "private"]));
                lab.control(&["cut", &link])?;
                sleep(Duration::from_secs(chance.between(1, 12)));
                lab.control(&["restore", &link])?;
            }
            Kind::CutUntilItFails => {
                let link = format!("{host}.public");
                lab.control(&["cut", &link])?;
                let ended = run.end(limit);
                lab.control(&["restore", &link])?;
                return ended;
            }
            Kind::Reboot => lab.reboot(host)?,
            Kind::PowerOff => {
                lab.control(&["power-off", host])?;
                sleep(Duration::from_secs(chance.between(0, 25)));
                lab.control(&["power-on", host])?;
            }
            Kind::FullDisk => {
                lab.exec(host, "head -c 4G /dev/zero >/small/ballast 2>/dev/null; ! echo >/small/more 2>/dev/null; rm -f /small/more")?;
                let ended = run.end(limit);
                lab.exec(host, "rm /small/ballast")?;
                return ended;
            }
            Kind::AptLock => hold_apt_lock(lab, host, chance.between(3, 20))?,
            Kind::SecondOperator => second_operator(lab, desk, &run)?,
        }
        run.end(limit)
    }
}

/// Lets a host have its share of `/var/lib/rancher` and `/usr/local/bin` in a file system of 1.5 GB, which can be filled
/// without harm to this box.
pub fn small_disk(lab: &Lab, host: &str) -> Step {
    let mount =
        "mkdir /small && mount -t tmpfs -o size=1500m,mode=755 small /small && cd /small && mkdir rancher bin &&
        mkdir -p /var/lib/rancher && mount --bind rancher /var/lib/rancher && mount --bind bin /usr/local/bin";
    lab.exec(host, mount).map(drop)
}

/// Holds the lock that apt and dpkg take, in the way they do, for some seconds. Returns as soon as it is held.
pub fn hold_apt_lock(lab: &Lab, host: &str, seconds: u64) -> Step {
    let hold = format!(
        r#"setsid perl -MFcntl -e '
            open my $lock, "+>>", "/var/lib/dpkg/lock-frontend" or die;
            my $all = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0);
            fcntl($lock, F_SETLKW, $all) or die;
            sleep {seconds}' </dev/null >/dev/null 2>&1 &
        for i in $(seq 100); do
            grep -q "POSIX.* $! .*:$(stat -c %i /var/lib/dpkg/lock-frontend) " /proc/locks && exit; sleep 0.1
        done; exit 1"#
    );
    lab.exec(host, &hold).map(drop)
}

/// Starts bootstrap a second time: it must be refused, say by whom, and change nothing.
fn second_operator(lab: &Lab, desk: &Desk, first: &Bootstrap) -> Step {
    let second = desk.bootstrap(lab)?.end(Duration::from_secs(60))?;
    let owner = format!("process {}", first.id());
    if second.status == Some(2)
        && second.changed() == Some(0)
        && second.said("is held by another run")
        && second.said(&owner)
    {
        return Ok(());
    }
    Err(format!("the second run ended with {:?}, and this last:\n{}", second.status, second.tail()))
}
