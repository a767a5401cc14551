//! Two machines for a test, made and removed by the product's own playbook.
//!
//! A lab is removed by [`Lab::down`], or with all others by [`Lab::down_all`], which has to be called at the end.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{LazyLock, Mutex, PoisonError};

use super::said;

/// The result of a test step: an error is shown to the developer as it is.
pub type Step<T = ()> = Result<T, String>;

/// A lab of a name that no other process uses.
pub struct Lab {
    name: String,
    state: PathBuf,
}

/// The labs that were made, to be removed at the end.
static LABS: Mutex<Vec<Lab>> = Mutex::new(Vec::new());

/// The cluster that most tests share.
static SHARED: LazyLock<Step<String>> = LazyLock::new(|| Lab::up("main").map(|lab| lab.name));

impl Lab {
    /// Makes two fresh machines whose cluster.toml asks for k3s and nothing on it.
    pub fn up(purpose: &str) -> Step<Lab> {
        Lab::make(purpose, &["--bare"])
    }

    /// The same with the oldest Debian that a lab can have.
    pub fn with_old_debian(purpose: &str) -> Step<Lab> {
        Lab::make(purpose, &["--bare", "--debian", "12"])
    }

    /// Makes two fresh machines whose cluster.toml asks for everything that can run on a cluster: what the project builds, or what
    /// is in the folder `K3SRUN_TEST_PLATFORM`.
    pub fn with_platform(purpose: &str) -> Step<Lab> {
        match std::env::var("K3SRUN_TEST_PLATFORM") {
            Ok(folder) => Lab::make(purpose, &["--platform", &folder]),
            Err(_) => Lab::make(purpose, &[]),
        }
    }

    /// Makes machines with several workers, and everything that can run on a cluster.
    pub fn with_workers(purpose: &str, workers: u32) -> Step<Lab> {
        Lab::make(purpose, &["--workers", &workers.to_string()])
    }

    /// Makes hosts that have little, for a minor version of Kubernetes, with nothing on the cluster.
    pub fn minimal(purpose: &str, kubernetes: &str) -> Step<Lab> {
        Lab::make(purpose, &["--bare", "--minimal", "--kubernetes", kubernetes])
    }

    fn make(purpose: &str, options: &[&str]) -> Step<Lab> {
        let name = format!("t{}{purpose}", std::process::id());
        let lab = Lab::named(name);
        LABS.lock().unwrap_or_else(PoisonError::into_inner).push(Lab::named(lab.name.clone()));
        let mut args = vec!["up"];
        args.extend(options);
        let chosen = [("--k3s", "K3SRUN_TEST_K3S"), ("--kubernetes", "K3SRUN_TEST_KUBERNETES")]
            .map(|(option, variable)| (option, std::env::var(variable)));
        for (option, value) in &chosen {
            if !options.contains(option) {
                args.extend(value.iter().flat_map(|value| [option, value.as_str()]));
            }
        }
        lab.control(&args)?;
        Ok(lab)
    }

    /// The machines that most tests share; made when first asked for.
    pub fn shared() -> Step<Lab> {
        SHARED.clone().map(Lab::named)
    }

    fn named(name: String) -> Lab {
        let state = match std::env::var_os("XDG_STATE_HOME") {
            Some(folder) => PathBuf::from(folder),
            None => PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".local/state"),
        };
        Lab { state: state.join("k3srun/labs").join(&name), name }
    }

    /// Its name, which is in the names of its network namespaces.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A file of the lab.
    pub fn file(&self, name: &str) -> String {
        self.state.join(name).display().to_string()
    }

    /// Removes the machines and everything of them.
    pub fn down(&self) -> Step {
        LABS.lock().unwrap_or_else(PoisonError::into_inner).retain(|lab| lab.name != self.name);
        self.control(&["down"])
    }

    /// Removes everything of all labs.
    pub fn down_all() {
        let labs = std::mem::take(&mut *LABS.lock().unwrap_or_else(PoisonError::into_inner));
        for lab in labs {
            if let Err(error) = lab.down() {
                eprintln!("the lab {} is not gone: {error}", lab.name);
            }
        }
    }

    /// Runs a command of `lab.rhai`, e.g. `["cut", "master.private"]`.
    pub fn control(&self, command: &[&str]) -> Step {
        self.playbook("lab.rhai", &[&["--name", &self.name], command].concat()).map(drop)
    }

    /// Runs a playbook of `scripts/` and expects success. Returns what it said.
    pub fn playbook(&self, script: &str, args: &[&str]) -> Step<String> {
        let output = k3srun(&[&["--yes", &format!("scripts/{script}")], args].concat())?;
        match output.status.code() {
            Some(0) => Ok(said(&output)),
            code => Err(format!("{script} {args:?} ended with {code:?}:\n{}", said(&output))),
        }
    }

    /// Runs bootstrap with options, which come before the script.
    pub fn bootstrap(&self, options: &[&str]) -> Step<String> {
        match self.try_bootstrap(options)? {
            (0, said) => Ok(said),
            (status, said) => Err(format!("bootstrap ended with {status}:\n{said}")),
        }
    }

    /// Runs bootstrap and expects that it changes nothing.
    pub fn bootstrap_changes_nothing(&self) -> Step {
        let said = self.bootstrap(&[])?;
        if said.contains(" 0 changed,") { Ok(()) } else { Err(format!("something was changed:\n{said}")) }
    }

    /// Runs bootstrap and expects that it changes nothing, and costs what it did when it was measured and not more:
    /// conversations, not seconds. `most` are names of hosts, each with channels and round trips.
    pub fn second_run(&self, most: &[(&str, u64, u64)]) -> Step {
        self.bootstrap_changes_nothing()?;
        let said = self.bootstrap(&["-vv"])?;
        for (host, channels, round_trips) in most {
            let line = said.lines().find(|line| line.starts_with(&format!("{host}: ")) && line.contains("round trips"));
            let numbers: Vec<u64> = line.unwrap_or_default().split(' ').filter_map(|word| word.parse().ok()).collect();
            match numbers.as_slice() {
                [c, r, ..] if c <= channels && r <= round_trips => {}
                _ => {
                    return Err(format!(
                        "{host}: more than {channels} channels or {round_trips} round trips: {line:?}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Runs bootstrap and returns its exit status and what it said.
    pub fn try_bootstrap(&self, options: &[&str]) -> Step<(i32, String)> {
        self.with_config("bootstrap.rhai", options, &[])
    }

    /// Runs a playbook on this lab's cluster, with options before it and arguments after it.
    pub fn with_config(&self, script: &str, options: &[&str], args: &[&str]) -> Step<(i32, String)> {
        let config = self.file("cluster.toml");
        let script = format!("scripts/{script}");
        let output = k3srun(&[options, &["-c", &config, &script], args].concat())?;
        Ok((output.status.code().unwrap_or(-1), said(&output)))
    }

    /// Runs one check of verify and returns its exit status and what it said.
    pub fn verify(&self, options: &[&str], checks: &[&str]) -> Step<(i32, String)> {
        self.with_config("verify.rhai", options, checks)
    }

    /// Runs a shell command as root on a host or at another place of the lab, by ssh or in its namespace.
    pub fn exec(&self, place: &str, command: &str) -> Step<String> {
        let output = k3srun(&["-q", "scripts/lab.rhai", "--name", &self.name, "exec", place, command])?;
        match output.status.code() {
            Some(0) => Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned()),
            code => Err(format!("`{command}` at {place} ended with {code:?}:\n{}", said(&output))),
        }
    }

    /// A program of this machine in the network of a place, or of the `switch` that the cables are plugged into.
    pub fn inside(&self, place: &str, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/k3l-{}-{place}", self.name)).arg(program);
        command
    }

    /// Reboots a host and waits for it.
    pub fn reboot(&self, host: &str) -> Step {
        self.control(&["reboot", host])
    }

    /// What a person could find changed on a host: files with their modes and checksums, units, ruleset and sysctls. What a
    /// login itself brings (`user@0.service`) is left out.
    pub fn listing(&self, host: &str) -> Step<String> {
        const LISTING: &str = r#"
            skip='-path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp -o -path /var/tmp -o -path /var/log -o -path /var/lib/systemd -o -path /var/cache'
            find / \( $skip \) -prune -o -type f -printf '%p %m %u %g ' -exec sha256sum {} \; 2>/dev/null | sort
            find / \( $skip \) -prune -o \( -type d -o -type l \) -printf '%p %m %u %g %l\n' 2>/dev/null | sort
            systemctl list-unit-files --no-legend
            systemctl list-units --no-legend --plain --type=service,timer,socket | awk '{ print $1, $2, $3, $4 }' | grep -v '^user'
            nft list ruleset
            ip addr | grep -v valid_lft
            sysctl -a 2>/dev/null | grep -vE 'random|\.nr_|-nr|-state|ns_last_pid|uuid|dentry|inode|netdev_rss|tcp_fastopen_key|pty.nr|entropy|sched_domain|perf_event_max|kernel.tainted|quota.syncs|ip_local_port|dirty'
        "#;
        self.exec(host, LISTING)
    }
}

/// Runs the program in the project's folder.
pub fn k3srun(args: &[&str]) -> Step<Output> {
    Command::new(env!("CARGO_BIN_EXE_k3srun"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .map_err(|error| format!("can't start k3srun: {error}"))
}
