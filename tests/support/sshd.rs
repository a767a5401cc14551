//! An sshd of the test's own on loopback, with keys of its own, for the user who runs the test.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running sshd. It ends with this value.
pub struct Sshd {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Sshd {
    /// Starts one that lets the user in who runs the test.
    pub fn start() -> Self {
        Self::with("")
    }

    /// Starts one with more lines in its `sshd_config`; they win over those of the fixture.
    pub fn with(settings: &str) -> Self {
        Self::create(settings, None)
    }

    /// Starts one in a mount namespace of its own, where a stand-in for `systemctl reboot` makes it look like a machine
    /// that reboots: connections are cut, nobody answers for a second, and the boot id is another one.
    pub fn that_reboots() -> Self {
        const PREPARE: &str = "cd \"$0\" && echo first >boot_id && echo $$ >pid && chmod 755 systemctl &&
            mount --bind boot_id /proc/sys/kernel/random/boot_id &&
            mount --bind systemctl \"$(command -v systemctl)\" && exec \"$@\"";
        Self::create("", Some(&["unshare", "--mount", "--propagation", "private", "sh", "-c", PREPARE]))
    }

    fn create(settings: &str, wrapper: Option<&[&str]>) -> Self {
        let folder = tempfile::Builder::new().prefix("k3srun-sshd-").tempdir().unwrap();
        // Other users may log in here, too.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        for key in ["host_key", "client_key"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", key, "-f", &path(key)])
                .status();
            assert!(made.unwrap().success(), "ssh-keygen fails");
        }
        fs::copy(path("client_key.pub"), path("authorized_keys")).unwrap();
        let user = user();
        if user == "root" {
            // Made by the init system where sshd is a service; needed by every sshd that root starts.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let port = free_port();
        let server = format!(
            "{settings}\nListenAddress 127.0.0.1:{port}\nListenAddress [::1]:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nLogLevel VERBOSE\n\
             UsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\nAcceptEnv LC_K3SRUN_TEST\nPrintMotd no\n",
            path("host_key"),
            path("authorized_keys"),
        );
        fs::write(path("sshd_config"), server).unwrap();
        let key = fs::read_to_string(path("host_key.pub")).unwrap();
        fs::write(path("known_hosts"), format!("[127.0.0.1]:{port},[::1]:{port} {key}")).unwrap();
        let reboot = format!(
            "#!/bin/sh\n[ \"$1\" = reboot ] || exit 1\ncd {}\nsshd=$(cat pid)\nkill -STOP $sshd\n\
             for child in $(cat /proc/$sshd/task/$sshd/children); do kill -KILL $child; done\n\
             echo second >boot_id\nsleep 1\nkill -CONT $sshd\n",
            folder.path().display()
        );
        fs::write(path("systemctl"), reboot).unwrap();
        let child = spawn(folder.path(), wrapper);
        let sshd = Sshd { folder, port, child };
        sshd.wait_until_it_listens();
        sshd.configure(&user, "");
        sshd
    }

    /// Writes the `ssh_config` of the client, for another user or with more settings.
    pub fn configure(&self, user: &str, settings: &str) {
        let path = |name: &str| self.path(name).display().to_string();
        let client = format!(
            "{settings}\nHost box\n  HostName 127.0.0.1\nHost *\n  Port {}\n  User {user}\n  IdentityFile {}\n  \
             IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n",
            self.port,
            path("client_key"),
            path("known_hosts"),
        );
        fs::write(path("ssh_config"), client).unwrap();
    }

    /// What to connect to: `ssh::connect("box", #{ config: .. })`.
    pub fn address(&self) -> &'static str {
        "box"
    }

    /// An expression of a script that connects.
    pub fn connect(&self) -> String {
        self.connect_to("box", "")
    }

    /// The same to another address or with more options, e.g. `sudo: true`.
    pub fn connect_to(&self, address: &str, options: &str) -> String {
        format!("ssh::connect(\"{address}\", #{{ config: \"{}\", {options} }})", self.ssh_config().display())
    }

    /// Stops listening. Connections that are open stay open.
    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Listens again at the same port.
    pub fn restart(&mut self) {
        self.child = spawn(self.folder.path(), None);
        self.wait_until_it_listens();
    }

    /// Kills the processes that serve the connections: a loss that the client notices at once.
    pub fn cut(&self) {
        self.signal("-KILL");
    }

    /// Stops the processes that serve the connections: a loss that this side does not notice. To be ended with `cut`.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Waits until no connection is open any more.
    #[track_caller]
    pub fn wait_until_nobody_is_connected(&self) {
        let end = Instant::now() + Duration::from_secs(10);
        while !self.children().is_empty() {
            assert!(Instant::now() < end, "a connection is still open");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The processes that serve the connections.
    fn children(&self) -> Vec<String> {
        let pid = self.child.id();
        let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        list.split_whitespace().map(str::to_owned).collect()
    }

    fn signal(&self, signal: &str) {
        for child in self.children() {
            // It may have ended by itself.
            let _ = Command::new("kill").args([signal, &child]).status();
        }
    }

    /// The `ssh_config` that knows the server as `box`.
    pub fn ssh_config(&self) -> PathBuf {
        self.path("ssh_config")
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder with the keys `client_key` and `host_key`, `known_hosts`, `ssh_config` and `log`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What sshd has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// How many connections were let in so far.
    pub fn connections(&self) -> usize {
        self.log().matches("Accepted publickey for").count()
    }

    /// How many channels with a command or shell were opened so far.
    pub fn sessions(&self) -> usize {
        self.log().matches("Starting session: ").count()
    }

    fn wait_until_it_listens(&self) {
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "sshd does not start:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The wrapper, if any, gets the folder and the command that it is to become.
fn spawn(folder: &Path, wrapper: Option<&[&str]>) -> Child {
    let program =
        ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"].into_iter().find(|p| Path::new(p).exists());
    let Some(program) = program else {
        panic!("this test needs an SSH server on this machine: apt-get install openssh-server");
    };
    let path = |name: &str| folder.join(name).display().to_string();
    let mut command = match wrapper {
        None => Command::new(program),
        Some(wrapper) => {
            let mut command = Command::new(wrapper[0]);
            command.args(&wrapper[1..]).arg(folder).arg(program);
            command
        }
    };
    command
        .args(["-D", "-f", &path("sshd_config"), "-E", &path("log")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // What it has to say is in its log. A connection that outlives the test must not keep the test's output open.
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The name of the user who runs the test.
pub fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
