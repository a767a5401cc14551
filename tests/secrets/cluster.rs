//! The main job on two machines, by a user with sudo and a password through a jump host, in good runs and bad ones. All that
//! is secret in it is looked for in all that it leaves behind, on the hosts and here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libtest_mimic::Trial;

use super::needles::{Needles, any, open};
use super::sampler::{Sampler, Seen};
use super::support;
use super::support::lab::{Lab, Step};
use super::trial;

/// The runs come first, then one test for each place to look at.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("cluster::the_runs_end_as_they_should", || evidence().map(drop)),
        trial("cluster::no_argument_list_and_no_environment_has_a_secret", arguments),
        trial("cluster::nothing_that_is_shown_has_a_secret", shown),
        trial("cluster::no_journal_has_a_secret", journals),
        trial("cluster::no_file_of_the_hosts_with_a_secret_is_open_to_others", files_of_hosts),
        trial("cluster::no_log_history_or_temporary_file_here_has_a_secret", files_here),
        trial("cluster::what_is_planted_on_a_host_is_found", control),
    ]
}

/// What the runs have left.
struct Evidence {
    lab: Lab,
    /// What they kept: in the lab's folder, so that it goes with the lab.
    folder: PathBuf,
    /// Where their control sockets were: a short path.
    sockets: PathBuf,
    /// Files with secrets that were left there.
    beside_sockets: Vec<String>,
    needles: Needles,
    seen: Seen,
    shown: Vec<(String, Output)>,
}

static EVIDENCE: LazyLock<Step<Evidence>> = LazyLock::new(collect);

fn evidence() -> Result<&'static Evidence, String> {
    EVIDENCE.as_ref().map_err(Clone::clone)
}

/// Joins the worker with a token of the right form and the wrong password.
const WRONG_TOKEN: &str = r#"
import "cluster" as cluster;
let c = cluster::load();
let nodes = parallel(c.nodes, |n| cluster::connect(n));
let worker = cluster::workers(nodes)[0];
let options = cluster::agent_options(c, cluster::master(nodes), worker);
options.remove("server");
options.token = secret(local().read("WRONG"));
options.timeout = 60;
k3s::agent(worker.host, options);
"#;

/// What would be changed on hosts that somebody else has set up.
const ADOPTION: &str = r#"
import "cluster" as cluster;
let c = cluster::load();
let nodes = parallel(c.nodes, |n| cluster::connect(n));
let master = cluster::master(nodes);
let worker = cluster::workers(nodes)[0];
k3s::server(master.host, cluster::server_options(c, master));
k3s::agent(worker.host, cluster::agent_options(c, master, worker));
"#;

/// The settings of such hosts, with secrets at all places where k3s takes them.
const ADOPTED: &[(&str, &str, &str)] = &[
    (
        "master",
        "etc/rancher/k3s/config.yaml",
        "datastore-endpoint: postgres://me:PASSWORD-1@db/k3s\netcd-s3-secret-key: PASSWORD-2\ntls-san: [a]\n",
    ),
    (
        "master",
        "etc/systemd/system/k3s.service",
        "[Service]\nExecStart=/usr/local/bin/k3s server --token=PASSWORD-3 --agent-token PASSWORD-4\n",
    ),
    ("master", "etc/systemd/system/k3s.service.env", "K3S_TOKEN=PASSWORD-5\n"),
    ("worker", "etc/rancher/k3s/config.yaml", "token: PASSWORD-6\nserver: https://10.0.0.1:6443\n"),
];

/// Shows the cluster's secrets in every way, once it is known that they are.
const CURIOUS: &str = r#"
import "cluster" as cluster;
let c = cluster::load();
let master = cluster::connect(cluster::master(c.nodes)).host;
let token = k3s::token(master);
let admin = k3s::kubeconfig(master);
print(token); print(admin); print(`${token} ${admin}`);
local().write("KUBECONFIG", admin);
for look in ["cat /var/lib/rancher/k3s/server/token", "cat /var/lib/rancher/k3s/server/agent-token", "cat /etc/rancher/k3s/agent-token",
    "cat /etc/rancher/k3s/k3s.yaml", "base64 -w 0 /var/lib/rancher/k3s/server/token",
    "sed -n 's/ *client-key-data: //p' /etc/rancher/k3s/k3s.yaml | base64 -d"] {
    print(master.query(look).stdout);
    master.run(look);
    try { master.run(`${look}; exit 3`) } catch (e) { print(e.output) }
    try { master.run(`${look} >&2; exit 3`) } catch (e) { print(e.output) }
}
"#;

impl Evidence {
    fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// A run with folders of its own for all that it keeps.
    fn command(&self, options: &[&str], script: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_k3srun"));
        command.args(options).args(["-c", &self.lab.file("cluster.toml"), script]);
        command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).env("XDG_STATE_HOME", self.state());
        command.env("TMPDIR", self.folder.join("tmp")).env("XDG_RUNTIME_DIR", &self.sockets);
        command
    }

    fn run(&mut self, title: &str, options: &[&str], script: &str, status: i32) -> Step {
        let output = self.command(options, script).output().unwrap();
        self.keep(title, output, Some(status))
    }

    fn keep(&mut self, title: &str, output: Output, status: Option<i32>) -> Step {
        let ended = output.status.code();
        let said = support::said(&output);
        self.shown.push((title.to_owned(), output));
        if ended == status { Ok(()) } else { Err(format!("{title} ended with {ended:?}:\n{said}")) }
    }

    fn script(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// A file in the root file system of a host.
    fn on(&self, host: &str, path: &str) -> PathBuf {
        PathBuf::from(self.lab.file("roots")).join(host).join(path)
    }

    /// The files of a host as its own processes see them.
    fn root(&self, host: &str) -> PathBuf {
        let state = PathBuf::from(self.lab.file(""));
        let name = state.file_name().unwrap().to_str().unwrap();
        let output = Command::new(self.lab.file("machine")).args([name, "leader", host]).output().unwrap();
        Path::new("/proc").join(String::from_utf8(output.stdout).unwrap().trim()).join("root")
    }
}

fn collect() -> Step<Evidence> {
    let sockets = tempfile::tempdir_in("/tmp").unwrap();
    let lab = Lab::up("secrets")?;
    let folder = PathBuf::from(lab.file("evidence"));
    fs::create_dir_all(folder.join("tmp")).unwrap();
    let config = fs::read_to_string(lab.file("cluster.toml")).unwrap();
    let sudo = "[ssh]\nuser = \"ops\"\nsudo = true\nsudo_password_file = \"ops-password\"\njump = \"admin\"";
    fs::write(lab.file("cluster.toml"), config.replace("[ssh]", sudo)).unwrap();
    let sampler = Sampler::start(&[sockets.path().to_owned()]);
    let mut evidence = Evidence {
        lab,
        folder,
        sockets: sockets.path().to_owned(),
        beside_sockets: Vec::new(),
        needles: Needles::default(),
        seen: Seen::default(),
        shown: Vec::new(),
    };
    let outcome = runs(&mut evidence);
    evidence.seen = sampler.stop();
    outcome?;
    evidence.needles = needles_of(&evidence)?;
    evidence.beside_sockets = evidence.needles.in_files(sockets.path(), any).unwrap_or_default();
    Ok(evidence)
}

/// A plan, a run that is killed when the worker has the token, one with a wrong token, and then what leads to the cluster.
fn runs(it: &mut Evidence) -> Step {
    let bootstrap = "scripts/bootstrap.rhai";
    let adoption = it.script("adoption.rhai", ADOPTION);
    for (host, path, text) in ADOPTED {
        let path = it.on(host, path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text.replace("PASSWORD", OLD_PASSWORD)).unwrap();
    }
    for format in ["plain", "json"] {
        let title = format!("a plan to adopt hosts, {format}");
        it.run(&title, &["-vv", "-o", format, "--plan"], &adoption, 0)?;
    }
    for (host, path, _) in ADOPTED {
        fs::remove_file(it.on(host, path)).unwrap();
    }
    it.run("a plan", &["-vv", "-o", "json", "--plan"], bootstrap, 0)?;

    let token = it.on("worker", "etc/rancher/k3s/token");
    let mut command = it.command(&["-vv", "-o", "plain"], bootstrap);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while !token.exists() && child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(400) {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    it.keep("a run that is killed", child.wait_with_output().unwrap(), None)?;

    let right = fs::read_to_string(it.on("master", "var/lib/rancher/k3s/server/token")).unwrap();
    let (hash, _) = right.trim().rsplit_once(':').unwrap();
    let wrong = it.script("wrong-token", &format!("{hash}:{WRONG_PASSWORD}"));
    let script = it.script("wrong.rhai", &WRONG_TOKEN.replace("WRONG", &wrong));
    it.run("a run with a wrong token", &["-vv", "-o", "plain"], &script, 3)?;

    it.run("a run to the end", &["-vv", "-o", "json"], bootstrap, 0)?;
    it.run("a run with nothing to do", &["-vv", "-o", "pretty"], bootstrap, 0)?;
    let kubeconfig = it.folder.join("kubeconfig").display().to_string();
    let script = it.script("curious.rhai", &CURIOUS.replace("KUBECONFIG", &kubeconfig));
    for format in ["pretty", "plain", "json"] {
        it.run(&format!("a curious script, {format}"), &["-vv", "-o", format], &script, 0)?;
    }
    it.run("verify", &["-vv", "-o", "plain"], "scripts/verify.rhai", 0)
}

/// What is secret on hosts that somebody else has set up begins so.
const OLD_PASSWORD: &str = "old-and-still-secret";

/// Anybody can see that it is no token of a cluster.
const WRONG_PASSWORD: &str = "00112233445566778899wrong";

/// All that is secret, as it is on the hosts and in the lab's folder.
fn needles_of(it: &Evidence) -> Step<Needles> {
    let read = |path: PathBuf| fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()));
    let mut needles = Needles::default();
    let token = read(it.on("master", "var/lib/rancher/k3s/server/token"))?;
    needles.add("the join token", &token);
    needles.add("the password in the join token", token.trim().rsplit_once(':').unwrap().1);
    let token = read(it.on("worker", "etc/rancher/k3s/token"))?;
    needles.add("the token of agents", &token);
    needles.add("the password in the token of agents", &read(it.on("master", "etc/rancher/k3s/agent-token"))?);
    needles.add("the wrong token", WRONG_PASSWORD);
    needles.add("a secret of a host that is adopted", OLD_PASSWORD);
    for host in ["master", "worker"] {
        needles.add(&format!("the node password of {host}"), &read(it.on(host, "etc/rancher/node/password"))?);
    }
    needles.add("the password for sudo", &read(it.lab.file("ops-password").into())?);
    needles.add_pem("the key of the lab's user", &read(it.lab.file("keys/user").into())?);
    let kubeconfig = read(it.on("master", "etc/rancher/k3s/k3s.yaml"))?;
    let key = kubeconfig.lines().find_map(|line| line.trim().strip_prefix("client-key-data: ")).unwrap();
    needles.add("the key of the kubeconfig", key);
    let pem = String::from_utf8(STANDARD.decode(key).unwrap()).unwrap();
    needles.add_pem("the key of the kubeconfig, decoded", &pem);
    let encryption = read(it.on("master", "var/lib/rancher/k3s/server/cred/encryption-config.json"))?;
    let encryption: serde_json::Value = serde_json::from_str(&encryption).unwrap();
    let keys = encryption.pointer("/resources/0/providers/0/aescbc/keys/0/secret").and_then(serde_json::Value::as_str);
    needles.add("the key that encrypts Secrets", keys.unwrap());
    Ok(needles)
}

fn arguments() -> Step {
    let it = evidence()?;
    assert!(it.seen.has_read("log"), "no file beside a control socket was seen");
    for witness in ["sudo\0-S\0-p", "k3s\0server", "ssh\0", "setsid\0"] {
        it.seen.clean(&it.needles, witness)?;
    }
    Ok(())
}

fn shown() -> Step {
    let it = evidence()?;
    for (title, output) in &it.shown {
        it.needles.absent(&format!("what is shown of {title}"), [&output.stdout[..], &output.stderr].concat())?;
    }
    let curious = it.shown.iter().filter(|(title, _)| title.starts_with("a curious script"));
    let adopted = |(title, output): &(String, Output)| {
        title.contains("adopt") && support::said(output).contains("--agent-token ***")
    };
    assert!(it.shown.iter().any(adopted), "the plan to adopt hosts has not shown the unit");
    let masked = curious.filter(|(_, output)| support::said(output).matches("***").count() > 20).count();
    if masked == 3 { Ok(()) } else { Err("the curious scripts have not shown any secret that had to be masked".into()) }
}

/// The journal of a host with all its fields.
fn journal(it: &Evidence, host: &str) -> Vec<u8> {
    let folder = it.on(host, "var/log/journal");
    let output =
        Command::new("journalctl").arg("-D").arg(folder).args(["-o", "export", "--no-pager"]).output().unwrap();
    assert!(output.status.success(), "{}", support::said(&output));
    output.stdout
}

fn journals() -> Step {
    let it = evidence()?;
    for (host, unit) in [("master", "k3s.service"), ("worker", "k3s-agent.service")] {
        let journal = journal(it, host);
        if memchr::memmem::find(&journal, unit.as_bytes()).is_none() {
            return Err(format!("the journal of {host} has nothing of {unit}"));
        }
        let found = it.needles.in_bytes(&journal);
        if !found.is_empty() {
            return Err(format!("{found:?} in the journal of {host}"));
        }
    }
    Ok(())
}

/// Where a host keeps things that may be secret; programs and kernel interfaces are left out.
const FOLDERS: &[&str] = &[
    "etc",
    "root",
    "home",
    "opt",
    "srv",
    "tmp",
    "run",
    "dev/shm",
    "usr/local",
    "var/backups",
    "var/cache",
    "var/lib",
    "var/log",
    "var/tmp",
];

fn open_files(it: &Evidence, host: &str, needles: &Needles) -> Vec<String> {
    let root = it.root(host);
    let found = |folder: &&str| needles.in_files(&root.join(folder), open).unwrap_or_default();
    FOLDERS.iter().flat_map(found).collect()
}

fn files_of_hosts() -> Step {
    let it = evidence()?;
    for (host, token) in [("master", "var/lib/rancher/k3s/server"), ("worker", "etc/rancher/k3s")] {
        // The search does see the files where the token belongs.
        if it.needles.in_files(&it.root(host).join(token), any)?.is_empty() {
            return Err(format!("the token is not found on {host}"));
        }
        let found = open_files(it, host, &it.needles);
        if !found.is_empty() {
            return Err(format!("on {host}:\n{}", found.join("\n")));
        }
    }
    Ok(())
}

fn files_here() -> Step {
    let it = evidence()?;
    let runs = it.state().join("k3srun/runs");
    let logs = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().is_file()).count()
    };
    assert_eq!(logs(&runs) + logs(&runs.join("ad-hoc")), it.shown.len(), "each run has a log");
    let mut found = it.needles.in_files(&it.state(), any)?;
    found.extend(it.needles.in_files(&it.folder.join("tmp"), any).unwrap_or_default());
    found.extend_from_slice(&it.beside_sockets);
    // The script has written the kubeconfig there.
    let own = it.needles.in_files(&it.folder, any)?;
    assert!(own.iter().any(|file| file.contains("/kubeconfig (600)")), "{own:?}");
    for place in ["keys", "places", "cluster.toml", "ssh_config", "known_hosts", "ops-password", "machine"] {
        found.extend(it.needles.in_files(Path::new(&it.lab.file(place)), open)?);
    }
    if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
}

/// The same search as above, for what is put there on purpose.
fn control() -> Step {
    let it = evidence()?;
    let mut needles = Needles::default();
    needles.add("planted", "planted-on-a-host-1");
    let plant =
        "logger 'it is planted-on-a-host-1' && echo planted-on-a-host-1 >/tmp/planted && chmod 644 /tmp/planted &&
                 sh -c 'sleep 0.2; :' planted-on-a-host-1 && journalctl --sync";
    let sampler = Sampler::start(&[]);
    it.lab.exec("worker", plant)?;
    let seen = sampler.stop();
    assert!(!seen.arguments(&needles).is_empty(), "no argument list");
    assert_eq!(needles.in_bytes(&journal(it, "worker")), ["planted"], "no journal");
    let found = open_files(it, "worker", &needles);
    assert!(found.iter().any(|file| file.contains("/tmp/planted (644)")), "no file: {found:?}");
    Ok(())
}
