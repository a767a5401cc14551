//! A case: how something is broken, what is run, how it ends.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::support::lab::{Lab, Step};
use crate::transcript;

/// One row of a table.
pub struct Case {
    pub name: &'static str,
    /// How it is broken: places of the lab, and shell commands there. The place `here` is this machine, in the folder where
    /// k3srun runs; `switch` is what the lab's cables are plugged into; for `lab` it is a command of the lab's playbook.
    pub broken: &'static [Act],
    /// How it is mended; done however the case ends.
    pub mended: &'static [Act],
    /// Whether the lab can make it.
    pub signs: Signs,
    /// What the user runs.
    pub run: Run,
    /// Seconds until which it must have ended.
    pub deadline: u64,
    /// The exit status of k3srun.
    pub status: i32,
}

/// A place and a shell command there.
pub type Act = (&'static str, &'static str);

/// What k3srun sees.
#[derive(Clone, Copy)]
pub enum Signs {
    /// The real thing.
    Real,
    /// What one would see of it, and why it can't be had.
    Imitated(&'static str),
}

/// What the user runs.
#[derive(Clone, Copy)]
pub enum Run {
    /// bootstrap's first phase, with further options.
    Preflight(&'static [&'static str]),
    /// The bootstrap, with options.
    Bootstrap(&'static [&'static str]),
    /// `ssh::connect` to a destination with options.
    Connect(&'static str, &'static str),
    /// A script, with the modules of bootstrap.
    Script(&'static str),
}

/// The lab, and the folder in which k3srun runs as the administrator: with `ssh_config`, `known_hosts` and `cluster.toml` of
/// the lab, the keys, and `scripts`.
struct Office {
    lab: Lab,
    folder: TempDir,
}

static OFFICE: LazyLock<Step<Office>> = LazyLock::new(Office::open);

impl Office {
    fn open() -> Step<Office> {
        let office = Office { lab: Lab::shared()?, folder: tempfile::tempdir().map_err(|error| error.to_string())? };
        office.reset()?;
        // A machine that has just booted doesn't know the time yet.
        for host in ["master", "worker"] {
            office.act(host, "chronyc waitsync 100 0 0 0.2")?;
        }
        Ok(office)
    }

    /// Gives the folder its files as they were.
    fn reset(&self) -> Step {
        let reset = "rm -rf ./* && ln -s $PROJECT/scripts && cp -r $LAB/keys $LAB/known_hosts $LAB/ops-password . &&
            sed -e /ProxyCommand/d -e \"s|$LAB/||\" $LAB/ssh_config >ssh_config && cp $LAB/cluster.toml . &&
            printf 'nameserver 198.51.100.1\\noptions timeout:1 attempts:1\\n' >resolv.conf";
        self.act("here", reset)
    }

    fn act(&self, place: &str, command: &str) -> Step {
        let (lab, folder) = (self.lab.file(""), self.folder.path());
        let mut shell = match place {
            "here" => Command::new("sh"),
            "switch" => self.lab.inside("switch", "sh"),
            "lab" => return self.lab.control(&command.split(' ').collect::<Vec<_>>()),
            place => return self.lab.exec(place, command).map(drop),
        };
        shell.args(["-ec", command]).current_dir(folder).env("LAB", lab.trim_end_matches('/'));
        shell.env("PROJECT", env!("CARGO_MANIFEST_DIR"));
        let output = shell.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("`{command}` at {place} failed: {}", String::from_utf8_lossy(&output.stderr))),
        }
    }
}

impl Case {
    /// The test of this case.
    pub fn trial(&'static self, theme: &'static str) -> Trial {
        let kind = match self.signs {
            Signs::Real => "",
            Signs::Imitated(_) => "imitated",
        };
        Trial::test(format!("{theme}::{}", self.name), move || self.check(theme).map_err(Into::into)).with_kind(kind)
    }

    fn check(&self, theme: &str) -> Step {
        let office = OFFICE.as_ref().map_err(Clone::clone)?;
        let mut seen = Ok(String::new());
        for (place, command) in self.broken {
            seen = seen.and_then(|_| office.act(place, command)).map(|()| String::new());
        }
        let seen = seen.and_then(|_| self.transcript(office));
        for (place, command) in self.mended {
            office.act(place, command)?;
        }
        office.reset()?;
        let seen = seen?;
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("{theme}__{}", self.name), seen);
        });
        Ok(())
    }

    /// What the user sees, without what is another each time.
    fn transcript(&self, office: &Office) -> Step<String> {
        let folder = office.folder.path();
        let arguments = self.arguments();
        // The office has a name server of its own, too.
        const PROGRAM: &str = "mount --bind resolv.conf /etc/resolv.conf && exec \"$@\"";
        let mut command = office.lab.inside("admin", "unshare");
        command.args(["--mount", "sh", "-c", PROGRAM, "sh", env!("CARGO_BIN_EXE_k3srun")]);
        let file = |name: &str| fs::File::create(folder.join(name)).map_err(|error| error.to_string());
        let start = Instant::now();
        let child = command
            .args(&arguments)
            .current_dir(folder)
            .env_remove("SSH_AUTH_SOCK")
            .env("XDG_STATE_HOME", folder.join("state"))
            .stdin(Stdio::null())
            .stdout(file("stdout")?)
            .stderr(file("stderr")?)
            .spawn();
        let mut child = child.map_err(|error| error.to_string())?;
        let deadline = Duration::from_secs(self.deadline);
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                break Some(status);
            }
            if start.elapsed() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let read = |name: &str| fs::read_to_string(folder.join(name)).map_err(|error| error.to_string());
        let said = read("stdout")? + &read("stderr")?;
        match status.map(|status| status.code()) {
            Some(Some(code)) if code == self.status => {}
            Some(code) => return Err(format!("it ended with {code:?}, not {}:\n{said}", self.status)),
            None => return Err(format!("still running after {} s:\n{said}", self.deadline)),
        }
        let shown: Vec<String> = arguments.iter().map(|argument| transcript::argument(argument)).collect();
        let imitation = match self.signs {
            Signs::Real => String::new(),
            Signs::Imitated(why) => format!("imitated: {why}\n"),
        };
        let said = match self.run {
            Run::Bootstrap(_) if self.status == 0 => transcript::outcome(&said),
            _ => transcript::normal(&transcript::failure(&said), folder),
        };
        Ok(format!("{imitation}$ k3srun {}\n{said}exit status {}\n", shown.join(" "), self.status))
    }

    fn arguments(&self) -> Vec<String> {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        match self.run {
            Run::Preflight(options) => owned(&[&["scripts/bootstrap.rhai", "--only", "preflight"], options].concat()),
            Run::Bootstrap(options) => owned(&[&["scripts/bootstrap.rhai"], options].concat()),
            Run::Connect(destination, options) => {
                let comma = if options.is_empty() { "" } else { ", " };
                let connect = format!("ssh::connect(\"{destination}\", #{{ config: \"ssh_config\"{comma}{options} }})");
                owned(&["-e", &format!("{connect}.query(\"id -un\").stdout")])
            }
            Run::Script(text) => owned(&["-e", text]),
        }
    }
}
