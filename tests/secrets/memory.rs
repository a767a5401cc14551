//! What is in the memory of k3srun doesn't get to a disk: no core dump, neither of it nor of the ssh that it starts.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};

use libtest_mimic::Trial;

use super::support::lab::Step;
use super::support::playbook::eventually;
use super::support::sshd::Sshd;
use super::support::user::User;
use super::trial;

/// Crashes of a process that may dump as much as it wants.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("memory::k3srun_leaves_no_core_dump_when_it_crashes", crash),
        trial("memory::what_k3srun_starts_leaves_none_either", children),
        trial("memory::its_memory_is_closed_to_other_processes_of_the_user", closed),
    ]
}

/// Starts `program` with arguments, in `folder`, where it may leave a core dump of any size.
fn without_limit(folder: &std::path::Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c unlimited && exec \"$0\" \"$@\"", program]).args(arguments);
    command.env("XDG_STATE_HOME", folder.join("state")).current_dir(folder).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Whether it dumps its core when it crashes. What runs in the background of a shell ignores SIGQUIT, but not this.
fn dumps(mut child: Child) -> bool {
    let process = child.id().to_string();
    assert!(Command::new("kill").args(["-ABRT", &process]).status().unwrap().success());
    child.wait().unwrap().core_dumped()
}

fn crash() -> Step {
    let folder = tempfile::tempdir().unwrap();
    let control = without_limit(folder.path(), "sleep", &["30"]).spawn().unwrap();
    eventually("sleep runs", || {
        fs::read(format!("/proc/{}/cmdline", control.id())).is_ok_and(|l| l.starts_with(b"sleep"))
    });
    assert!(dumps(control), "no process leaves a core dump on this machine: this test shows nothing");

    let ready = folder.path().join("ready");
    let script = format!("let s = secret(\"correct horse\"); local().run(\"touch {}; sleep 30\")", ready.display());
    let child = without_limit(folder.path(), env!("CARGO_BIN_EXE_k3srun"), &["-e", &script]).spawn().unwrap();
    eventually("the script runs", || ready.exists());
    assert!(!dumps(child), "k3srun leaves a core dump");
    Ok(())
}

fn children() -> Step {
    let folder = tempfile::tempdir().unwrap();
    let sshd = Sshd::start();
    let ready = folder.path().join("ready");
    let script =
        format!("{}.query(\"true\"); local().run(\"ulimit -c >{}; sleep 30\")", sshd.connect(), ready.display());
    let mut child = without_limit(folder.path(), env!("CARGO_BIN_EXE_k3srun"), &["-e", &script]).spawn().unwrap();
    eventually("the script runs", || fs::read_to_string(&ready).is_ok_and(|limit| !limit.is_empty()));
    let local = fs::read_to_string(&ready).unwrap();
    // ssh has gone to the background: it is known by the configuration that only this test uses.
    let config = sshd.ssh_config().display().to_string();
    let ssh = fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
        let arguments = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        arguments.starts_with("ssh\0") && arguments.contains(&config)
    });
    let limits: Vec<String> = ssh
        .map(|entry| fs::read_to_string(entry.path().join("limits")).unwrap_or_default())
        .flat_map(|limits| limits.lines().find(|line| line.starts_with("Max core file size")).map(str::to_owned))
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(local.trim(), "0", "a script on this machine may dump its core");
    assert!(!limits.is_empty(), "no ssh was seen");
    let soft = |line: &String| line.split_whitespace().nth(4) == Some("0");
    assert!(limits.iter().all(soft), "ssh may dump its core: {limits:?}");
    Ok(())
}

fn closed() -> Step {
    let user = User::create("correct horse battery", None);
    let home = std::path::PathBuf::from(format!("/home/{}", user.name));
    let program = home.join("k3srun");
    fs::copy(env!("CARGO_BIN_EXE_k3srun"), &program).unwrap();
    let as_user = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &user.name, "--regid", &user.name, "--clear-groups"]).args(arguments);
        command.current_dir(&home).env("HOME", &home).env_remove("XDG_STATE_HOME").stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut control = as_user(&["sleep", "30"]).spawn().unwrap();
    let script = "local().run(\"touch ready; sleep 30\")";
    let mut child = as_user(&[&program.display().to_string(), "-e", script]).spawn().unwrap();
    eventually("the script runs", || home.join("ready").exists());
    let owner = |child: &Child| fs::metadata(format!("/proc/{}/environ", child.id())).unwrap().uid();
    let uids = (owner(&control), owner(&child));
    for child in [&mut control, &mut child] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_ne!(uids.0, 0, "the control is not the user's");
    assert_eq!(uids.1, 0, "the user's other processes can read its memory and environment");
    Ok(())
}
