//! The way in of one run: an `ssh_config` whose connections pass a gate. When a change waits on the host for its
//! confirmation, and the connection for that comes, the gate lets something happen first.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::hosts::Host;
use crate::support::lab::Step;
use crate::witness::load;

/// A ProxyCommand: `gate ADDRESS PORT`. What happens meanwhile may use its functions; `way=-ipv6` takes the other family.
const GATE: &str = r#"#!/bin/sh
folder=FOLDER lab=LAB host=HOST state=STATE way=
in_host() { "$state/machine" "$lab" console "$host" "$1"; }
lab() { (cd PROJECT && K3SRUN -q --yes scripts/lab.rhai --name "$lab" "$@"); }
kill_controller() { kill -KILL "$(cat "$folder/pid")"; }
# From now on the provider's router gives our connections another address.
moves() { nsenter --net=/run/netns/k3l-$lab-internet nft add element ip pool_$host moved "{ ADDRESS4 }"; }
# Tries whether we get in.
locked_out() {
  ssh -F "$state/ssh_config" -o BatchMode=yes -o ConnectTimeout=3 -o ControlPath=none "$host$way" true </dev/null && return 1
  touch "$folder/locked"
}

meanwhile() {
:
MEANWHILE
}

if ls "$state/roots/$host"/var/lib/k3srun/rollback/*/undo >/dev/null 2>&1 && mkdir "$folder/waiting" 2>/dev/null; then
  meanwhile >>"$folder/meanwhile.log" 2>&1
  [ -e "$folder/locked" ] || locked_out >>"$folder/meanwhile.log" 2>&1
  touch "$folder/happened"
fi
[ -z "$way" ] || set -- ADDRESS6 "$2"
exec nsenter --net=/run/netns/k3l-$lab-admin nc "$1" "$2"
"#;

/// A way in to a host.
pub struct WayIn<'a> {
    folder: TempDir,
    host: &'a Host,
}

/// The program, on its way.
pub struct Controller {
    child: Child,
    said: PathBuf,
}

impl<'a> WayIn<'a> {
    /// A way in to a host, and what happens before the confirmation as a shell script.
    pub fn to(host: &'a Host, meanwhile: &str) -> Step<WayIn<'a>> {
        let failed = |error: std::io::Error| error.to_string();
        let folder = tempfile::tempdir().map_err(failed)?;
        let path = folder.path();
        let gate = GATE
            .replace("FOLDER", &path.display().to_string())
            .replace("LAB", host.lab().name())
            .replace("HOST", host.name())
            .replace("STATE", host.lab().file("").trim_end_matches('/'))
            .replace("PROJECT", env!("CARGO_MANIFEST_DIR"))
            .replace("K3SRUN", env!("CARGO_BIN_EXE_k3srun"))
            .replace("ADDRESS4", host.address())
            .replace("ADDRESS6", host.address6())
            .replace("MEANWHILE", meanwhile);
        fs::write(path.join("gate"), gate).map_err(failed)?;
        fs::set_permissions(path.join("gate"), fs::Permissions::from_mode(0o700)).map_err(failed)?;
        let config = fs::read_to_string(host.lab().file("ssh_config")).map_err(failed)?;
        let lines = config.lines().map(|line| match line.trim_start().starts_with("ProxyCommand ") {
            true => format!("  ProxyCommand {}/gate %h %p\n", path.display()),
            false => format!("{line}\n"),
        });
        fs::write(path.join("ssh_config"), lines.collect::<String>()).map_err(failed)?;
        fs::copy(host.lab().file("cluster.toml"), path.join("cluster.toml")).map_err(failed)?;
        let pool = format!(
            "table ip pool_{0}
             delete table ip pool_{0}
             table ip pool_{0} {{
               set moved {{ type ipv4_addr; }}
               chain leaving {{
                 type nat hook postrouting priority 100; policy accept;
                 ip saddr 198.51.100.10 ip daddr @moved snat to 198.51.100.77
               }}
             }}\n",
            host.name()
        );
        load(&host.at("internet"), &pool)?;
        Ok(WayIn { folder, host })
    }

    /// Connects to another name or address of the host than its public one.
    pub fn by(self, address: &str) -> Step<WayIn<'a>> {
        let path = self.folder.path().join("ssh_config");
        let config = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let first = format!("Host {}\n  HostName {address}\n  HostKeyAlias {}\n", self.host.name(), self.host.name());
        fs::write(&path, first + &config).map_err(|error| error.to_string())?;
        Ok(self)
    }

    /// Starts k3srun with a script.
    pub fn start(&self, script: &str) -> Step<Controller> {
        let failed = |error: std::io::Error| error.to_string();
        let path = self.folder.path();
        let script = script.replace("HOST", self.host.name());
        fs::write(path.join("script.rhai"), script).map_err(failed)?;
        let said = path.join("said-by-k3srun");
        let file = fs::File::create(&said).map_err(failed)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_k3srun"));
        command.args(["--yes", "--output", "plain", "-c"]).arg(path.join("cluster.toml")).arg(path.join("script.rhai"));
        command.stdin(Stdio::null()).stdout(file.try_clone().map_err(failed)?).stderr(file);
        let child = command.spawn().map_err(failed)?;
        fs::write(path.join("pid"), child.id().to_string()).map_err(failed)?;
        Ok(Controller { child, said })
    }

    /// Runs k3srun with a script to its end; its exit status, and what it said.
    pub fn run(&self, script: &str) -> Step<(i32, String)> {
        let mut controller = self.start(script)?;
        let status = controller.child.wait().map_err(|error| error.to_string())?;
        Ok((status.code().unwrap_or(-1), controller.said()))
    }

    /// Whether the change was loaded, and what was to happen has happened.
    pub fn happened(&self) -> bool {
        self.folder.path().join("happened").exists()
    }

    /// Whether nobody got in then.
    pub fn locked(&self) -> bool {
        self.folder.path().join("locked").exists()
    }
}

impl Drop for WayIn<'_> {
    fn drop(&mut self) {
        let table = format!("pool_{}", self.host.name());
        let _ = self.host.at("internet").run(&["nft", "delete", "table", "ip", &table]);
    }
}

impl Controller {
    /// Whether it has ended, and then its exit status; -1 if it was killed.
    pub fn ended(&mut self) -> Option<i32> {
        self.child.try_wait().ok().flatten().map(|status| status.code().unwrap_or(-1))
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap_or_default()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
