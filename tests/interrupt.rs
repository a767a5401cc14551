//! Ctrl-C and the end of k3srun: what runs on a host ends with it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::playbook::{Playbook, Running, eventually};
use support::sshd::{Sshd, free_port};

/// A process on the host that can be told from all others.
struct Marker(String);

impl Marker {
    fn new() -> Self {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Marker(format!("{}.{}", 10_000 + std::process::id(), number))
    }

    /// The command that becomes the process.
    fn command(&self) -> String {
        format!("sleep {}", self.0)
    }

    fn runs(&self) -> bool {
        let wanted = format!("sleep\0{}\0", self.0);
        fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .any(|entry| fs::read_to_string(entry.path().join("cmdline")).is_ok_and(|command| command == wanted))
    }

    /// Starts the script and waits until the process is there.
    fn start(&self, script: &str) -> Running {
        let running = Playbook::new(script).start();
        eventually("the command runs on the host", || self.runs());
        running
    }

    fn ends(&self) {
        eventually("the command on the host is killed", || !self.runs());
    }
}

/// The script's hosts: this machine, and one over SSH.
fn hosts(sshd: &Sshd) -> [String; 2] {
    ["local()".to_owned(), sshd.connect()]
}

/// Far more than the second that it may take, far less than what it waits for.
fn soon(start: Instant) {
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

#[test]
fn ctrl_c_kills_what_runs_on_the_host_and_runs_the_exit_handlers() {
    let sshd = Sshd::start();
    for host in hosts(&sshd) {
        let marker = Marker::new();
        let script = format!(
            "let h = {host}; on_exit(\"bye\", || print(h.query(\"echo handled\").stdout)); h.run(\"{}\"); print(\"not here\")",
            marker.command()
        );
        let running = marker.start(&script);
        let start = Instant::now();
        running.signal("INT");
        let finished = running.finish();
        soon(start);
        assert_eq!((finished.status, finished.stdout.as_str()), (Some(130), "handled\n"), "{}", finished.stderr);
        assert!(finished.stderr.contains("stopping; once more to quit at once"), "{}", finished.stderr);
        marker.ends();
    }
}

#[test]
fn ctrl_c_is_nothing_that_a_script_can_catch() {
    let marker = Marker::new();
    let script =
        format!("try {{ local().run(\"{}\") }} catch (e) {{ print(\"caught\") }} print(\"on\")", marker.command());
    let running = marker.start(&script);
    running.signal("INT");
    let finished = running.finish();
    assert_eq!((finished.status, finished.stdout.as_str()), (Some(130), ""), "{}", finished.stderr);
}

#[test]
fn ctrl_c_reaches_every_host_of_parallel_work() {
    let sshd = Sshd::start();
    let (one, two) = (Marker::new(), Marker::new());
    let script = format!(
        "parallel([local(), {}], |h| h.run(if h.name == \"local\" {{ \"{}\" }} else {{ \"{}\" }}))",
        sshd.connect(),
        one.command(),
        two.command()
    );
    let running = one.start(&script);
    eventually("the other runs, too", || two.runs());
    running.signal("INT");
    assert_eq!(running.finish().status, Some(130));
    one.ends();
    two.ends();
}

#[test]
fn a_second_ctrl_c_quits_at_once() {
    let (first, second) = (Marker::new(), Marker::new());
    let script =
        format!("on_exit(\"slow\", || local().run(\"{}\")); local().run(\"{}\")", second.command(), first.command());
    let running = first.start(&script);
    running.signal("INT");
    eventually("the exit handler runs", || second.runs());
    // Two within a moment would be one.
    std::thread::sleep(Duration::from_millis(400));
    let start = Instant::now();
    running.signal("INT");
    assert_eq!(running.finish().status, Some(130));
    soon(start);
    second.ends();
}

#[test]
fn sigterm_and_a_closed_terminal_end_a_run_like_ctrl_c() {
    for signals in [["TERM"].as_slice(), &["HUP"], &["HUP", "TERM"], &["INT", "INT"], &["TERM", "HUP", "INT"]] {
        let marker = Marker::new();
        let script = format!("on_exit(\"bye\", || print(\"handled\")); local().run(\"{}\")", marker.command());
        let running = marker.start(&script);
        signals.iter().for_each(|signal| running.signal(signal));
        let finished = running.finish();
        assert_eq!(
            (finished.status, finished.stdout.as_str()),
            (Some(130), "handled\n"),
            "{signals:?} {}",
            finished.stderr
        );
        marker.ends();
    }
}

#[test]
fn a_closed_terminal_is_nothing_to_who_was_started_with_nohup() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new("sh")
        .args([
            "-c",
            "trap '' HUP; exec \"$0\" -e 'local().query(\"sleep 2; echo on\").stdout'",
            env!("CARGO_BIN_EXE_k3srun"),
        ])
        .env("XDG_STATE_HOME", folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert!(Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap().success());
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), "on\n"));
}

#[test]
fn nothing_on_the_host_survives_when_k3srun_is_killed() {
    let sshd = Sshd::start();
    for host in hosts(&sshd) {
        let marker = Marker::new();
        let running = marker.start(&format!("{host}.run(\"{}\")", marker.command()));
        running.signal("KILL");
        assert_eq!(running.finish().status, None);
        marker.ends();
    }
}

#[test]
fn what_ignores_sigterm_or_has_a_group_of_its_own_is_killed_too() {
    let sshd = Sshd::start();
    for host in hosts(&sshd) {
        for wrapper in ["trap '' TERM; exec", "timeout 5000", "setpriv --reset-env"] {
            let marker = Marker::new();
            let running = marker.start(&format!("{host}.run(\"{wrapper} {}\")", marker.command()));
            running.signal("INT");
            assert_eq!(running.finish().status, Some(130));
            marker.ends();
        }
    }
}

#[test]
fn a_time_limit_ends_the_command_and_the_host_stays_usable() {
    let sshd = Sshd::start();
    for host in hosts(&sshd) {
        let marker = Marker::new();
        let script = format!(
            "let h = {host};
             try {{ h.run(\"echo begun; {}\", #{{ timeout: 0.5 }}) }} catch (e) {{ print(e.kind); print(e.message); print(e.output) }}
             print(h.query(\"echo next\").stdout)",
            marker.command()
        );
        let printed = Playbook::new(&script).run().printed();
        let message = format!("`echo begun; {}` was still running after 0.5 s and was stopped", marker.command());
        assert_eq!(printed, format!("host\n{message}\nbegun\nnext\n"));
        marker.ends();
    }
}

/// What sshd leaves of a connection that breaks: the agent reads half of a request, then the end.
#[test]
fn a_request_that_came_only_in_part_is_not_begun_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mark, file) = (folder.path().join("mark"), folder.path().join("file"));
    let requests = [
        format!("run x 1000\ntouch {}\n", mark.display()),
        format!("hold x 1000\ntouch {}\n", mark.display()),
        format!("put x 1000\n{}\nhalf", file.display()),
    ];
    for request in requests {
        let program = format!("{{\necho ready\n{}\n}}\n", include_str!("../src/host/agent.sh"));
        let mut agent = Command::new("sh").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut input, mut output) = (agent.stdin.take().unwrap(), agent.stdout.take().unwrap());
        input.write_all(program.as_bytes()).unwrap();
        output.read_exact(&mut [0; 6]).unwrap();
        input.write_all(request.as_bytes()).unwrap();
        drop(input);
        agent.wait().unwrap();
        assert!(fs::read_dir(&folder).unwrap().next().is_none(), "{request}");
    }
}

#[test]
fn ctrl_c_ends_waiting() {
    let signs: PathBuf = tempfile::tempdir().unwrap().keep();
    let sign = signs.join("waits");
    // The listener takes connections and never answers.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let connect = format!("ssh::connect(\"root@127.0.0.1:{port}\", #{{ connect_timeout: 1000 }})");
    let retry =
        format!("retry(#{{ attempts: 1000, delay: 1000 }}, || ssh::connect(\"root@127.0.0.1:{}\"))", free_port());
    for wait in ["sleep(1000)", &connect, &retry] {
        let _ = fs::remove_file(&sign);
        let running = Playbook::new(&format!("local().run(\"touch {}\"); {wait}", sign.display())).start();
        eventually("the script waits", || sign.exists());
        let start = Instant::now();
        running.signal("INT");
        let finished = running.finish();
        soon(start);
        assert_eq!(finished.status, Some(130), "{wait}: {}", finished.stderr);
    }
    fs::remove_dir_all(signs).unwrap();
}
