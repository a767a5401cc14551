//! Runs that die while Helm works, and the next one.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::journey::{lab, platform, trial};
use crate::support::lab::{Lab, Step};

/// In the environment of a run and of what it starts, so that its Helm is told from others.
const MARK: &str = "K3SRUN_TEST_LAB";

/// The releases, and how long after Helm's start the run dies: as it begins, in the middle of objects and hooks, late.
const MOMENTS: [(&str, Duration); 4] = [
    ("traefik", Duration::ZERO),
    ("cert-manager", Duration::from_millis(2500)),
    ("cert-manager", Duration::from_millis(400)),
    ("kps", Duration::from_millis(1200)),
];

pub fn trials() -> Vec<Trial> {
    vec![trial("a_run_that_is_killed_in_a_step_of_helm_is_finished_by_the_next", killed)]
}

fn killed() -> Step {
    let lab = lab()?;
    for (release, delay) in MOMENTS {
        let mut run = start(lab)?;
        let reached = wait_for_helm(lab, release, &mut run);
        sleep(delay);
        run.kill().and_then(|()| run.wait()).map_err(|error| error.to_string())?;
        reached?;
    }
    platform()?.bootstrap_changes_nothing()
}

fn start(lab: &Lab) -> Step<Child> {
    Command::new(env!("CARGO_BIN_EXE_k3srun"))
        .args(["--quiet", "-c", &lab.file("cluster.toml"), "scripts/bootstrap.rhai"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env(MARK, lab.name())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("can't start k3srun: {error}"))
}

/// Waits until Helm installs or upgrades a release for this run.
fn wait_for_helm(lab: &Lab, release: &str, run: &mut Child) -> Step {
    let end = Instant::now() + Duration::from_secs(400);
    while Instant::now() < end {
        if installs(lab, release) {
            return Ok(());
        }
        if let Some(status) = run.try_wait().map_err(|error| error.to_string())? {
            return Err(format!("the run was over ({status}) before Helm came to {release}"));
        }
        sleep(Duration::from_millis(20));
    }
    Err(format!("Helm never came to {release}"))
}

fn installs(lab: &Lab, release: &str) -> bool {
    let mark = format!("{MARK}={}", lab.name());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.into_iter().any(|process| {
        let read = |name: &str| fs::read(process.path().join(name)).unwrap_or_default();
        let (arguments, environment) = (read("cmdline"), read("environ"));
        let words: Vec<&[u8]> = arguments.split(|byte| *byte == 0).collect();
        words.first().is_some_and(|program| program.ends_with(b"helm"))
            && words.iter().any(|word| [b"upgrade".as_slice(), b"install"].contains(word))
            && words.contains(&release.as_bytes())
            && environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
    })
}
