//! `host.facts`.

use rhai::plugin::*;

#[export_module]
#[allow(missing_docs)]
pub mod api {
    use std::sync::Arc;

    use rhai::{Array, Dynamic, EvalAltResult, Map};

    use crate::host::{Facts, Host};
    use crate::script::{block, context};

    /// What the host is. Asked once in a run with one round trip, and again after a reboot.
    ///
    /// # Example
    /// ```rhai
    /// let facts = local().facts;
    /// print(`${facts.os_name} on ${facts.arch}, ${facts.cpus} processors`);
    /// ```
    #[rhai_fn(global, get = "facts", return_raw, pure)]
    pub fn facts(call: NativeCallContext, host: &mut Host) -> Result<Arc<Facts>, Box<EvalAltResult>> {
        block(&call, &context(&call), host.facts())
    }

    /// All facts as a text.
    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn to_string(facts: &mut Arc<Facts>) -> String {
        serde_yaml_ng::to_string(&**facts).unwrap_or_else(|error| error.to_string())
    }

    /// The host's own name.
    #[rhai_fn(global, get = "hostname", pure)]
    pub fn hostname(facts: &mut Arc<Facts>) -> String {
        facts.hostname.clone()
    }

    /// `ID` of os-release, e.g. `debian`.
    #[rhai_fn(global, get = "os_id", pure)]
    pub fn os_id(facts: &mut Arc<Facts>) -> String {
        facts.os_id.clone()
    }

    /// `VERSION_ID` of os-release, e.g. `12`.
    #[rhai_fn(global, get = "os_version", pure)]
    pub fn os_version(facts: &mut Arc<Facts>) -> String {
        facts.os_version.clone()
    }

    /// The full name of the operating system.
    #[rhai_fn(global, get = "os_name", pure)]
    pub fn os_name(facts: &mut Arc<Facts>) -> String {
        facts.os_name.clone()
    }

    /// What else the operating system is like, e.g. `rhel`.
    #[rhai_fn(global, get = "os_like", pure)]
    pub fn os_like(facts: &mut Arc<Facts>) -> Array {
        facts.os_like.iter().map(|text| text.clone().into()).collect()
    }

    /// The processor's architecture as `uname -m` names it, e.g. `x86_64`.
    #[rhai_fn(global, get = "arch", pure)]
    pub fn arch(facts: &mut Arc<Facts>) -> String {
        facts.arch.clone()
    }

    /// The kernel's release.
    #[rhai_fn(global, get = "kernel", pure)]
    pub fn kernel(facts: &mut Arc<Facts>) -> String {
        facts.kernel.clone()
    }

    /// Processors that are on.
    #[rhai_fn(global, get = "cpus", pure)]
    pub fn cpus(facts: &mut Arc<Facts>) -> i64 {
        whole(facts.cpus)
    }

    /// Memory in MiB.
    #[rhai_fn(global, get = "memory_mb", pure)]
    pub fn memory_mb(facts: &mut Arc<Facts>) -> i64 {
        whole(facts.memory_mb)
    }

    /// Memory in MiB that programs can have without swapping.
    #[rhai_fn(global, get = "memory_available_mb", pure)]
    pub fn memory_available_mb(facts: &mut Arc<Facts>) -> i64 {
        whole(facts.memory_available_mb)
    }

    /// Swap in MiB.
    #[rhai_fn(global, get = "swap_mb", pure)]
    pub fn swap_mb(facts: &mut Arc<Facts>) -> i64 {
        whole(facts.swap_mb)
    }

    /// Size of `/` in MiB.
    #[rhai_fn(global, get = "disk_mb", pure)]
    pub fn disk_mb(facts: &mut Arc<Facts>) -> i64 {
        whole(facts.disk_mb)
    }

    /// Free space of `/` in MiB.
    #[rhai_fn(global, get = "disk_free_mb", pure)]
    pub fn disk_free_mb(facts: &mut Arc<Facts>) -> i64 {
        whole(facts.disk_free_mb)
    }

    /// Another one after every boot.
    #[rhai_fn(global, get = "boot_id", pure)]
    pub fn boot_id(facts: &mut Arc<Facts>) -> String {
        facts.boot_id.clone()
    }

    /// The machine's own id; empty where it has none.
    #[rhai_fn(global, get = "machine_id", pure)]
    pub fn machine_id(facts: &mut Arc<Facts>) -> String {
        facts.machine_id.clone()
    }

    /// Who logged in. Commands run as root all the same.
    #[rhai_fn(global, get = "user", pure)]
    pub fn user(facts: &mut Arc<Facts>) -> String {
        facts.user.clone()
    }

    /// Whether commands run as root: always over SSH, not always on the local host.
    #[rhai_fn(global, get = "root", pure)]
    pub fn root(facts: &mut Arc<Facts>) -> bool {
        facts.root
    }

    /// `systemd`, `openrc`, or the name of process 1.
    #[rhai_fn(global, get = "init", pure)]
    pub fn init(facts: &mut Arc<Facts>) -> String {
        facts.init.clone()
    }

    /// `apt-get`, `dnf`, `yum`, `zypper`, `apk`, `pacman`, or empty.
    #[rhai_fn(global, get = "package_manager", pure)]
    pub fn package_manager(facts: &mut Arc<Facts>) -> String {
        facts.package_manager.clone()
    }

    /// `none`, or what the host runs in: `kvm`, `systemd-nspawn`, ...
    #[rhai_fn(global, get = "virtualization", pure)]
    pub fn virtualization(facts: &mut Arc<Facts>) -> String {
        facts.virtualization.clone()
    }

    /// Active firewalls of others: `ufw`, `firewalld`.
    #[rhai_fn(global, get = "firewalls", pure)]
    pub fn firewalls(facts: &mut Arc<Facts>) -> Array {
        facts.firewalls.iter().cloned().map(Dynamic::from).collect()
    }

    /// How we are logged in, as the host sees it: a map with `from` (our address, or that of a jump host), `to` (the host's own)
    /// and `port` (on which sshd listens). `()` on the local host.
    #[rhai_fn(global, get = "login", pure)]
    pub fn login(facts: &mut Arc<Facts>) -> Dynamic {
        let Some(login) = &facts.login else { return Dynamic::UNIT };
        Dynamic::from_map(Map::from([
            ("from".into(), login.from.to_string().into()),
            ("to".into(), login.to.to_string().into()),
            ("port".into(), i64::from(login.port).into()),
        ]))
    }

    /// The host's clock when it was asked, in seconds since 1970.
    #[rhai_fn(global, get = "time", pure)]
    pub fn time(facts: &mut Arc<Facts>) -> f64 {
        facts.time
    }

    /// Network interfaces: maps with `name`, `mac`, `mtu`, `up` and `addresses` (`10.0.0.2/24`).
    #[rhai_fn(global, get = "interfaces", pure)]
    pub fn interfaces(facts: &mut Arc<Facts>) -> Array {
        facts
            .interfaces
            .iter()
            .map(|interface| {
                let addresses: Array = interface.addresses.iter().map(|text| text.clone().into()).collect();
                Dynamic::from_map(Map::from([
                    ("name".into(), interface.name.clone().into()),
                    ("mac".into(), interface.mac.clone().into()),
                    ("mtu".into(), whole(interface.mtu).into()),
                    ("up".into(), interface.up.into()),
                    ("addresses".into(), addresses.into()),
                ]))
            })
            .collect()
    }

    /// Numbers of scripts are signed.
    fn whole(number: u64) -> i64 {
        i64::try_from(number).unwrap_or(i64::MAX)
    }
}
