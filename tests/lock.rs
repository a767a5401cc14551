//! `host.lock`: a second operator is kept away as long as the first one's run lasts.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use support::playbook::{Playbook, Running, eventually};
use support::sshd::Sshd;

/// A lock that only this test knows.
struct Lock(String);

impl Lock {
    fn new(name: &str) -> Self {
        Lock(format!("test-{name}-{}", std::process::id()))
    }

    fn file(&self, ending: &str) -> PathBuf {
        PathBuf::from(format!("/run/k3srun/{}.{ending}", self.0))
    }

    /// A script that takes the lock on the host and keeps it until it is stopped.
    fn hold(&self, host: &str) -> Running {
        let running = Playbook::new(&format!("{host}.lock(\"{}\"); sleep(1000)", self.0)).start();
        let info = self.file("info");
        eventually("the lock is held", || fs::metadata(&info).is_ok_and(|info| info.len() > 0));
        running
    }

    /// A script that takes the lock, and its output.
    fn take(&self, host: &str) -> Playbook {
        Playbook::new(&format!("let h = {host}; h.lock(\"{0}\"); h.lock(\"{0}\"); print(\"taken\")", self.0))
    }
}

impl Lock {
    /// Makes it look as if the holder had given no sign of life for so many seconds.
    fn silent_for(&self, seconds: u64) {
        let then = SystemTime::now() - Duration::from_secs(seconds);
        fs::File::options().write(true).open(self.file("info")).unwrap().set_modified(then).unwrap();
    }
}

/// The processes of this machine: id, and command line.
fn processes() -> impl Iterator<Item = (String, String)> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let command = fs::read_to_string(entry.path().join("cmdline")).ok()?;
        Some((entry.file_name().into_string().ok()?, command))
    })
}

impl Drop for Lock {
    fn drop(&mut self) {
        for ending in ["lock", "info"] {
            let _ = fs::remove_file(self.file(ending));
        }
    }
}

#[test]
fn a_second_run_is_refused_and_told_who_holds_the_lock() {
    let (sshd, lock) = (Sshd::start(), Lock::new("second"));
    let running = lock.hold(&sshd.connect());
    for host in ["local()".to_owned(), sshd.connect()] {
        let finished = lock.take(&host).run();
        assert_eq!(finished.status, Some(2), "{}", finished.stderr);
        let said = finished.stderr;
        assert!(said.contains(&format!("the lock `{}` is held by another run", lock.0)), "{said}");
        assert!(said.contains(&format!("process {}", running.child.id())), "{said}");
        assert!(said.contains("since 20") && said.contains("running test.rhai"), "{said}");
        assert!(said.contains("wait until it has ended"), "{said}");
    }
    let json = lock.take("local()").option("--output=json").run();
    assert!(json.stdout.contains(&format!("process {}", running.child.id())), "{}", json.stdout);
    let plan = lock.take("local()").option("--plan").run();
    assert!(plan.stderr.contains(&format!("warning: local: the lock `{}` is held by", lock.0)), "{}", plan.stderr);
    assert_eq!(plan.printed(), "taken\n");
    running.signal("INT");
    running.finish();
    eventually("the lock is released", || !lock.file("info").exists());
    assert_eq!(lock.take(&sshd.connect()).run().printed(), "taken\n");
    eventually("the lock is released", || !lock.file("info").exists());
}

#[test]
fn the_lock_goes_with_a_run_that_is_killed() {
    let (sshd, lock) = (Sshd::start(), Lock::new("killed"));
    for host in ["local()".to_owned(), sshd.connect()] {
        let running = lock.hold(&host);
        running.signal("KILL");
        running.finish();
        eventually("the lock is released", || !lock.file("info").exists());
        assert_eq!(lock.take(&host).run().printed(), "taken\n");
    }
}

#[test]
fn a_note_that_was_left_behind_is_explained_and_taken_over() {
    let lock = Lock::new("stale");
    fs::create_dir_all("/run/k3srun").unwrap();
    fs::write(lock.file("info"), "ops@laptop, process 7\nsince yesterday\n").unwrap();
    let finished = lock.take("local()").run();
    let note = format!(
        "the lock `{}` was left behind by a run that was killed (ops@laptop, process 7, since yesterday); taken over",
        lock.0
    );
    assert!(finished.stderr.contains(&note), "{}", finished.stderr);
    assert_eq!(finished.printed(), "taken\n");
}

#[test]
fn a_run_that_is_out_of_touch_for_long_loses_the_lock_and_its_shells() {
    let (sshd, lock) = (Sshd::start(), Lock::new("lost"));
    let sign = sshd.path("sign");
    let busy = format!("touch {}; sleep 1000", sign.display());
    let script = format!("let h = {}; h.lock(\"{}\"); h.run(\"{busy}\")", sshd.connect(), lock.0);
    let running = Playbook::new(&script).start();
    eventually("the command runs on the host", || sign.exists());
    running.signal("STOP");
    lock.silent_for(60);

    let finished = lock.take("local()").run();

    let note = format!("the lock `{}` was held by a run that has lost its connection", lock.0);
    assert!(finished.stderr.contains(&note), "{}", finished.stderr);
    assert!(finished.stderr.contains(&format!("process {}", running.child.id())), "{}", finished.stderr);
    assert_eq!(finished.printed(), "taken\n");
    running.signal("CONT");
    let lost = running.finish();
    assert_eq!(lost.status, Some(4), "{}", lost.stderr);
}

#[test]
fn a_run_that_is_silent_for_a_while_is_waited_for_and_keeps_the_lock() {
    let (sshd, lock) = (Sshd::start(), Lock::new("silent"));
    let running = lock.hold(&sshd.connect());
    running.signal("STOP");
    lock.silent_for(15);
    let second = lock.take("local()").start();
    std::thread::sleep(Duration::from_secs(6));
    running.signal("CONT");
    let refused = second.finish();
    let note = format!("the lock `{}` is held by a run that is silent", lock.0);
    assert!(refused.stderr.contains(&note), "{}", refused.stderr);
    assert_eq!(refused.status, Some(2), "{}", refused.stderr);
    running.signal("INT");
    assert_eq!(running.finish().status, Some(130));
}

#[test]
fn the_lock_of_the_own_lost_connection_is_taken_again() {
    let (sshd, lock) = (Sshd::start(), Lock::new("own"));
    let sign = sshd.path("sign");
    let script = format!(
        "let h = {}; h.lock(\"{}\"); local().run(\"touch {sign}; while [ -e {sign} ]; do sleep 0.05; done\");
         print(h.query(\"echo again\").stdout)",
        sshd.connect(),
        lock.0,
        sign = sign.display()
    );
    let running = Playbook::new(&script).env("XDG_RUNTIME_DIR", &sshd.folder().display().to_string()).start();
    eventually("the script waits", || sign.exists());
    // As when the network is lost: this side has noticed, the host has not.
    sshd.freeze();
    let sockets = format!("{}/.ssh-connection", sshd.folder().display());
    let master = processes().find(|(_, command)| command.contains(&sockets)).unwrap().0;
    assert!(Command::new("kill").args(["-KILL", &master]).status().unwrap().success());
    fs::remove_file(&sign).unwrap();
    assert_eq!(running.finish().printed(), "again\n");
    sshd.cut();
}

#[test]
fn a_plan_takes_no_lock() {
    let lock = Lock::new("plan");
    assert_eq!(lock.take("local()").option("--plan").run().printed(), "taken\n");
    assert!(!lock.file("lock").exists());
}

#[test]
fn a_lock_is_held_again_after_the_connection_was_lost() {
    let (sshd, lock) = (Sshd::start(), Lock::new("again"));
    let sign = sshd.path("sign");
    let script = format!(
        "let h = {}; h.lock(\"{}\"); local().run(\"touch {sign}; while [ -e {sign} ]; do sleep 0.05; done\");
         h.query(\"true\"); local().run(\"touch {sign}; sleep 1000\")",
        sshd.connect(),
        lock.0,
        sign = sign.display()
    );
    let running = Playbook::new(&script).start();
    eventually("the script waits", || sign.exists());
    sshd.cut();
    eventually("the lock is lost", || !lock.file("info").exists());
    fs::remove_file(&sign).unwrap();
    eventually("the script goes on", || sign.exists());
    assert_eq!(lock.take("local()").run().status, Some(2));
    running.signal("INT");
    running.finish();
}
