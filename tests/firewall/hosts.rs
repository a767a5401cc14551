//! Six plain hosts in three labs, each for one test at a time. In each lab the master has a firewall that is as it should be,
//! and the worker has none yet.

use std::sync::{Arc, Condvar, LazyLock, Mutex, PoisonError};

use crate::place::{Place, console};
use crate::support::lab::{Lab, Step};
use crate::way_in::WayIn;

/// What a test wants of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It has the firewall of the port table.
    Protected,
    /// Nobody has touched it.
    Bare,
    /// Either.
    Any,
}

/// A host, until it is dropped.
pub struct Host {
    lab: Arc<Lab>,
    name: &'static str,
}

struct Pool {
    free: Mutex<Vec<Host>>,
    one_more: Condvar,
}

static POOL: LazyLock<Step<Pool>> = LazyLock::new(|| {
    let makers: Vec<_> = ["a", "b", "c"].into_iter().map(|lab| std::thread::spawn(move || make(lab))).collect();
    let mut free = Vec::new();
    for maker in makers {
        free.extend(maker.join().map_err(|_| "a lab was not made".to_owned())??);
    }
    Ok(Pool { free: Mutex::new(free), one_more: Condvar::new() })
});

fn make(purpose: &str) -> Step<[Host; 2]> {
    let lab = Arc::new(Lab::with_old_debian(purpose)?);
    let hosts = ["master", "worker"].map(|name| Host { lab: lab.clone(), name });
    let (status, said) = WayIn::to(&hosts[0], "")?.run(&crate::lockout::firewall(""))?;
    if status == 0 { Ok(hosts) } else { Err(format!("the first firewall ended with {status}:\n{said}")) }
}

impl Host {
    /// Waits for a host of that kind.
    pub fn take(kind: Kind) -> Step<Guest> {
        let pool = POOL.as_ref().map_err(Clone::clone)?;
        let fits = |host: &Host| match kind {
            Kind::Protected => host.name == "master",
            Kind::Bare => host.name == "worker",
            Kind::Any => true,
        };
        let free = pool.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free =
            pool.one_more.wait_while(free, |free| !free.iter().any(fits)).unwrap_or_else(PoisonError::into_inner);
        let found = free.iter().position(fits).ok_or("there is no host")?;
        Ok(Guest(Some(free.remove(found))))
    }

    /// The lab that it is in.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// `master` or `worker`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its public address.
    pub fn address(&self) -> &'static str {
        if self.name == "master" { "203.0.113.10" } else { "203.0.113.11" }
    }

    /// The same in IPv6.
    pub fn address6(&self) -> &'static str {
        if self.name == "master" { "2001:db8:1::10" } else { "2001:db8:1::11" }
    }

    /// A place of its lab.
    pub fn at(&self, name: &str) -> Place {
        Place::of(&self.lab, name)
    }

    /// The host's own network.
    pub fn place(&self) -> Place {
        self.at(self.name)
    }

    /// Runs a shell command on its console.
    pub fn console(&self, script: &str) -> Step<String> {
        console(&self.lab, self.name, script)
    }

    /// The words that begin a command over SSH at `admin`, to an address of the host and from one of the administrator.
    pub fn ssh_to(&self, address: &str, from: &str) -> String {
        let config = self.lab.file("ssh_config");
        format!("ssh -F {config} -o 'ProxyCommand=nc -s {from} %h %p' -o HostName={address} {}", self.name)
    }

    /// Whether an administrator gets in now, over a new connection. `way` is "" or "-ipv6".
    pub fn lets_in(&self, way: &str) -> bool {
        let ssh = format!(
            "ssh -F {} -o BatchMode=yes -o ConnectTimeout=2 -o ControlPath=none {}{way} true",
            self.lab.file("ssh_config"),
            self.name
        );
        self.at("admin").can(&ssh)
    }

    /// All that a change of firewall or sshd changes.
    pub fn state(&self) -> Step<String> {
        self.console(
            "nft -s list table inet k3srun 2>/dev/null
             sshd -T -C user=root,host=localhost,addr=127.0.0.1 | sort
             ss -Hltn 'sport = :22 or sport = :2222' | awk '{ print $4 }' | sort
             find /etc/k3srun /etc/ssh /etc/systemd /run/systemd/system ! -type d -path '*k3srun*' 2>/dev/null | sort
             find /var/lib/k3srun/rollback -mindepth 1 2>/dev/null | sort
             systemctl list-units --no-legend --plain '*-k3srun-*' | awk '{ print $1, $3, $4 }' | sort",
        )
    }
}

/// A host that goes back to the others when this is dropped.
pub struct Guest(Option<Host>);

impl std::ops::Deref for Guest {
    type Target = Host;

    fn deref(&self) -> &Host {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let (Ok(pool), Some(host)) = (POOL.as_ref(), self.0.take()) {
            pool.free.lock().unwrap_or_else(PoisonError::into_inner).push(host);
            pool.one_more.notify_all();
        }
    }
}
