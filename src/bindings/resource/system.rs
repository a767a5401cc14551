//! Resources that are parts of the system: packages, services, the kernel, mounts, swap, the clock, commands.

use rhai::plugin::*;
use rhai::{Dynamic, Map};
use serde::Deserialize;

use super::take_list;
use crate::error::Error;
use crate::resource::{Command, Mount, Package, PackageState, Resource, Service, ServiceState};
use crate::script::{Fallible, Options, fail, options};

/// Options of `packages`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PackageOptions {
    state: PackageState,
}

impl Options for PackageOptions {
    const FUNCTIONS: &[&str] = &["packages"];
}

/// Options of `service`, without `restart_on`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ServiceOptions {
    enabled: bool,
    state: ServiceState,
    // Read before the others; named here for the list of known options.
    #[serde(rename = "restart_on")]
    _restart_on: Option<()>,
}

impl Options for ServiceOptions {
    const FUNCTIONS: &[&str] = &["service"];
}

impl Default for ServiceOptions {
    fn default() -> Self {
        ServiceOptions { enabled: true, state: ServiceState::Running, _restart_on: None }
    }
}

/// Options of `mount`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MountOptions {
    device: Option<String>,
    fstype: Option<String>,
    options: Option<String>,
}

impl Options for MountOptions {
    const FUNCTIONS: &[&str] = &["mount"];
}

/// Options of `command`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CommandOptions {
    run: Option<String>,
    unless: Option<String>,
    creates: Option<String>,
}

impl Options for CommandOptions {
    const FUNCTIONS: &[&str] = &["command"];
}

fn packages(call: &NativeCallContext, names: Vec<Dynamic>, settings: Map) -> Fallible<Resource> {
    let names = names.into_iter().map(|name| {
        name.into_string().map_err(|name| {
            let message = format!("packages(): a name of a package is text, not {name}");
            fail(call, Error::script(message))
        })
    });
    let names: Vec<String> = names.collect::<Result<_, _>>()?;
    let settings: PackageOptions = options(call, settings)?;
    Ok(Package::new(names).state(settings.state).into())
}

fn service(call: &NativeCallContext, unit: &str, mut settings: Map) -> Fallible<Resource> {
    let ids = take_list(call, &mut settings, "restart_on", "resources or their ids", |item| {
        match item.clone().try_cast::<Resource>() {
            Some(resource) => Ok(resource.id()),
            None => item.clone().into_string().map_err(|_| item),
        }
    })?;
    let settings: ServiceOptions = options(call, settings)?;
    Ok(Service::new(unit).enabled(settings.enabled).state(settings.state).restart_on(ids).into())
}

fn mount(call: &NativeCallContext, path: &str, settings: Map) -> Fallible<Resource> {
    let settings: MountOptions = options(call, settings)?;
    let (Some(device), Some(fstype)) = (settings.device, settings.fstype) else {
        return Err(fail(call, Error::script("mount(): the options `device` and `fstype` are needed")));
    };
    let mount = Mount::new(path, device, fstype);
    Ok(match settings.options {
        Some(options) => mount.options(options).into(),
        None => mount.into(),
    })
}

fn command(call: &NativeCallContext, name: &str, settings: Map) -> Fallible<Resource> {
    let settings: CommandOptions = options(call, settings)?;
    let wrong = |message: &str, help: &str| Err(fail(call, Error::script(format!("command(): {message}")).help(help)));
    let Some(run) = settings.run else {
        return wrong("the option `run` is missing", "it is the shell command to run");
    };
    match (settings.unless, settings.creates) {
        (Some(guard), None) => Ok(Command::unless(name, run, guard).into()),
        (None, Some(path)) => Ok(Command::creates(name, run, path).into()),
        _ => wrong(
            "give one of the options `unless` and `creates`",
            "they say when there is nothing to do; what has to run every time is host.run(..)",
        ),
    }
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::{Dynamic, EvalAltResult, Map};

    use crate::resource::{KernelModule, Resource, Swap, Sysctl, TimeSync};

    /// A package of the distribution, or a list of them, through apt, dnf or zypper. Recommended packages are not
    /// installed along. When another program uses the package manager, it is waited for up to ten minutes.
    ///
    /// # Example
    /// ```rhai
    /// let tools = packages(["nftables", "ipset"]);
    /// let one = packages("chrony");
    /// ```
    #[rhai_fn(name = "packages", return_raw)]
    pub fn packages(call: NativeCallContext, names: Dynamic) -> Result<Resource, Box<EvalAltResult>> {
        packages_with(call, names, Map::new())
    }

    /// Packages of the distribution. Options: `state` ("present", or "absent").
    ///
    /// # Example
    /// ```rhai
    /// let gone = packages("snapd", #{ state: "absent" });
    /// ```
    #[rhai_fn(name = "packages", return_raw)]
    pub fn packages_with(
        call: NativeCallContext,
        names: Dynamic,
        settings: Map,
    ) -> Result<Resource, Box<EvalAltResult>> {
        let names = if names.is_array() { names.cast() } else { vec![names] };
        super::packages(&call, names, settings)
    }

    /// A systemd unit, enabled and running.
    ///
    /// # Example
    /// ```rhai
    /// let firewall = service("nftables");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn service(call: NativeCallContext, unit: &str) -> Result<Resource, Box<EvalAltResult>> {
        super::service(&call, unit, Map::new())
    }

    /// A systemd unit. Options: `enabled` (true), `state` ("running", or "stopped"), `restart_on` (resources or their ids:
    /// the unit is restarted when one of them was changed, for files also after the unit was started).
    ///
    /// # Example
    /// ```rhai
    /// let config = file("/etc/nftables.conf", #{ content: "flush ruleset\n" });
    /// let firewall = service("nftables", #{ restart_on: [config] });
    /// let unwanted = service("apt-daily.timer", #{ enabled: false, state: "stopped" });
    /// ```
    #[rhai_fn(name = "service", return_raw)]
    pub fn service_with(call: NativeCallContext, unit: &str, settings: Map) -> Result<Resource, Box<EvalAltResult>> {
        super::service(&call, unit, settings)
    }

    /// A kernel parameter, in force at once and after every boot.
    ///
    /// # Example
    /// ```rhai
    /// let swappiness = sysctl("vm.swappiness", 10);
    /// let ports = sysctl("net.ipv4.ip_local_port_range", "32768 60999");
    /// ```
    pub fn sysctl(key: &str, value: Dynamic) -> Resource {
        Sysctl::new(key, value).into()
    }

    /// A kernel module, loaded at once and at every boot. One that is built into the kernel is as wanted.
    ///
    /// # Example
    /// ```rhai
    /// let bridges = kernel_module("br_netfilter");
    /// ```
    pub fn kernel_module(name: &str) -> Resource {
        KernelModule::new(name).into()
    }

    /// Whether the host uses swap space, now and after every boot.
    ///
    /// # Example
    /// ```rhai
    /// let none = swap(false);
    /// ```
    pub fn swap(on: bool) -> Resource {
        Swap::new(on).into()
    }

    /// Something keeps the host's clock right: whichever time service runs already, or else one that is installed, or else
    /// chrony. In a container it is the machine that it runs on.
    ///
    /// # Example
    /// ```rhai
    /// let clock = time_sync();
    /// ```
    pub fn time_sync() -> Resource {
        TimeSync.into()
    }

    /// A file system that is mounted, now and after every boot. Options: `device` (also `UUID=..`, `LABEL=..`, `tmpfs`),
    /// `fstype`, `options` ("defaults").
    ///
    /// # Example
    /// ```rhai
    /// let data = mount("/srv/data", #{ device: "LABEL=data", fstype: "ext4", options: "noatime" });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn mount(call: NativeCallContext, path: &str, settings: Map) -> Result<Resource, Box<EvalAltResult>> {
        super::mount(&call, path, settings)
    }

    /// A shell command that runs when its guard says so. Options: `run` (the command) and one of `unless` (a command that
    /// succeeds when there is nothing to do; it must change nothing, since `--plan` runs it, too) and `creates` (a path at
    /// which there is something when there is nothing to do).
    ///
    /// # Example
    /// ```rhai
    /// let key = command("host key", #{ run: "ssh-keygen -A", creates: "/etc/ssh/ssh_host_ed25519_key" });
    /// let group = command("group ops", #{ run: "groupadd ops", unless: "getent group ops" });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn command(call: NativeCallContext, name: &str, settings: Map) -> Result<Resource, Box<EvalAltResult>> {
        super::command(&call, name, settings)
    }
}
