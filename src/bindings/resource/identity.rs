//! Resources that say who and where: users, their keys and logins, the host's name, the names of others.

use rhai::plugin::*;
use rhai::{Dynamic, Map};
use serde::Deserialize;

use crate::error::Error;
use crate::resource::{HostsEntry, Resource, Sshd, User};
use crate::script::{Fallible, Options, fail, options};

/// Options of `user`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct UserOptions {
    shell: Option<String>,
    home: Option<String>,
    groups: Vec<String>,
    system: bool,
}

impl Options for UserOptions {
    const FUNCTIONS: &[&str] = &["user"];
}

fn user(call: &NativeCallContext, name: &str, settings: Map) -> Fallible<Resource> {
    let settings: UserOptions = options(call, settings)?;
    let mut user = User::new(name).groups(settings.groups).system(settings.system);
    if let Some(shell) = settings.shell {
        user = user.shell(shell);
    }
    if let Some(home) = settings.home {
        user = user.home(home);
    }
    Ok(user.into())
}

fn hosts_entry(call: &NativeCallContext, address: &str, names: Dynamic) -> Fallible<Resource> {
    let names = if names.is_array() { names.cast() } else { vec![names] };
    let names = names.into_iter().map(|name| {
        name.into_string()
            .map_err(|name| fail(call, Error::script(format!("hosts_entry(): a name of a host is text, not {name}"))))
    });
    Ok(HostsEntry::new(address, names.collect::<Result<Vec<_>, _>>()?).into())
}

fn sshd(call: &NativeCallContext, keywords: Map) -> Fallible<Resource> {
    let settings = keywords.into_iter().map(|(key, value)| match (value.as_bool(), value.as_int()) {
        (Ok(true), _) => Ok((key, "yes".to_owned())),
        (Ok(false), _) => Ok((key, "no".to_owned())),
        (_, Ok(number)) => Ok((key, number.to_string())),
        _ => match value.into_string() {
            Ok(text) => Ok((key, text)),
            Err(name) => {
                Err(fail(call, Error::script(format!("sshd(): {key} is a text, a number or a bool, not {name}"))))
            }
        },
    });
    Ok(Sshd::new(settings.collect::<Result<Vec<_>, _>>()?).into())
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::{Dynamic, EvalAltResult, Map};

    use crate::resource::{AuthorizedKey, Hostname, Resource};

    /// A user of the host. A new one has no password.
    ///
    /// # Example
    /// ```rhai
    /// let ops = user("ops");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn user(call: NativeCallContext, name: &str) -> Result<Resource, Box<EvalAltResult>> {
        super::user(&call, name, Map::new())
    }

    /// A user of the host. Options: `shell` (bash for a new one), `home`, `groups` (that the user is in beside its own; others
    /// are left), `system` (false: whether a new one is for a service).
    ///
    /// # Example
    /// ```rhai
    /// let ops = user("ops", #{ shell: "/bin/bash", groups: ["sudo"] });
    /// let etcd = user("etcd", #{ system: true, shell: "/usr/sbin/nologin" });
    /// ```
    #[rhai_fn(name = "user", return_raw)]
    pub fn user_with(call: NativeCallContext, name: &str, settings: Map) -> Result<Resource, Box<EvalAltResult>> {
        super::user(&call, name, settings)
    }

    /// A public key that lets its owner in as a user; other keys are left.
    ///
    /// # Example
    /// ```rhai
    /// let ada = authorized_key("ops", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8T ada@example.org");
    /// ```
    pub fn authorized_key(user: &str, key: &str) -> Resource {
        AuthorizedKey::new(user, key).into()
    }

    /// Settings of sshd, by their keywords in sshd_config(5); `true` and `false` are `yes` and `no`. They are written to a file of
    /// their own, must be accepted by `sshd -t` and win over what stands elsewhere, and are confirmed over a new connection from
    /// where you are: without that the host takes them back within a minute, also if it reboots in between. Where root may do less
    /// than `PermitRootLogin: "prohibit-password"` allows (`no`, `forced-commands-only`), it stays so.
    ///
    /// # Example
    /// ```rhai
    /// let keys_only = sshd(#{ PasswordAuthentication: false, PermitRootLogin: "prohibit-password" });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sshd(call: NativeCallContext, keywords: Map) -> Result<Resource, Box<EvalAltResult>> {
        super::sshd(&call, keywords)
    }

    /// The host's own name, now and after every boot.
    ///
    /// # Example
    /// ```rhai
    /// let name = hostname("master");
    /// ```
    pub fn hostname(name: &str) -> Resource {
        Hostname::new(name).into()
    }

    /// A name, or a list of them, that means an address, in `/etc/hosts`. Other addresses of the same family lose these names
    /// there.
    ///
    /// # Example
    /// ```rhai
    /// let worker = hosts_entry("10.0.0.2", ["worker", "worker.example.org"]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn hosts_entry(call: NativeCallContext, address: &str, names: Dynamic) -> Result<Resource, Box<EvalAltResult>> {
        super::hosts_entry(&call, address, names)
    }
}
