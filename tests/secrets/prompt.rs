//! The prompt: a person's terminal, played by script(1). What is typed is on the screen, and nowhere else.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;

use super::needles::{Needles, any};
use super::sampler::Sampler;
use super::support::lab::Step;
use super::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("prompt::a_secret_that_is_typed_gets_into_no_file", typed),
        trial("prompt::a_secret_that_is_read_is_not_shown_either", read),
    ]
}

/// Types lines at the prompt, each when the one before has led to the text beside it; returns what the terminal showed.
fn converse(folder: &Path, lines: &[(&str, &str)]) -> String {
    let mut child = Command::new("timeout")
        .args(["60", "script", "-qec", concat!(env!("CARGO_BIN_EXE_k3srun"), " --yes; echo status $?"), "/dev/null"])
        .current_dir(folder)
        .env("XDG_STATE_HOME", folder.join("state"))
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut lines = lines.iter().chain(&[(":quit", "status 0")]);
    let (mut awaited, mut shown, mut seen, mut piece) = ("Ctrl-D ends", String::new(), 0, [0; 4096]);
    loop {
        match screen.read(&mut piece).unwrap() {
            0 => break,
            n => shown.push_str(&without_control(&String::from_utf8_lossy(&piece[..n]))),
        }
        let answer = shown[seen..].find(awaited).map(|at| seen + at);
        if let Some(at) = answer.filter(|at| shown[*at..].contains("APPLY> "))
            && let Some((line, answer)) = lines.next()
        {
            seen = at + awaited.len();
            awaited = answer;
            keyboard.write_all(format!("{line}\r").as_bytes()).unwrap();
            keyboard.flush().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(shown.contains("status 0"), "the conversation did not come to its end, waiting for {awaited:?}: {shown}");
    shown
}

/// What is left of a piece of output without what moves the cursor.
fn without_control(text: &str) -> String {
    regex::Regex::new("\x1b\\[[0-9;?]*[A-Za-z]|\r").unwrap().replace_all(text, "").into_owned()
}

/// No file of the session has a secret, and its folder is its owner's.
fn left_nothing(folder: &Path, needles: &Needles) -> Step {
    let found = needles.in_files(&folder.join("state"), any)?;
    if !found.is_empty() {
        return Err(found.join("\n"));
    }
    let history = folder.join("state/k3srun/history");
    let kept = fs::read_to_string(&history).map_err(|error| format!("no history: {error}"))?;
    if !kept.contains("1 + 41") {
        return Err(format!("the history does not work: {kept}"));
    }
    assert_eq!(fs::metadata(&history).unwrap().permissions().mode() & 0o777, 0o600);
    Ok(())
}

fn typed() -> Step {
    let folder = tempfile::tempdir().unwrap();
    let mut needles = Needles::default();
    needles.add("typed", "correct horse battery");
    needles.add("typed with a blank", "staple and a blank");
    needles.add("typed in an error", "a parrot and its cage");
    converse(
        folder.path(),
        &[
            ("1 + 41", "\n42"),
            ("let p = secret(\"correct horse battery\"); p", "\n***"),
            ("let q = secret (\"staple and a blank\"); q", "\n***"),
            ("local().query(\"echo correct horse battery\").stdout", "\n\"***\""),
            ("1 +)", "Syntax error"),
            ("secret(\"a parrot and its cage\").no_such_method()", "no_such_method"),
            ("p == secret(\"correct horse battery\")", "\ntrue"),
        ],
    );
    left_nothing(folder.path(), &needles)
}

fn read() -> Step {
    let folder = tempfile::tempdir().unwrap();
    let mut needles = Needles::default();
    needles.add("read", "K10-correct-horse-battery-staple");
    fs::write(folder.path().join("in"), "K10-correct-horse-battery-staple").unwrap();
    let sampler = Sampler::start(&[]);
    let path = folder.path().join("in").display().to_string();
    let line = |text: &str| text.replace("IN", &path);
    let shown = converse(
        folder.path(),
        &[
            ("1 + 41", "\n42"),
            (&line("let p = secret(local().read(\"IN\")); p"), "\n***"),
            (&line("local().read(\"IN\")"), "\n\"***\""),
            (&line("local().query(\"cat IN; sleep 0.2; echo d''one\").stdout"), "\n\"***done\""),
            ("local().run(\"cat >&2; exit 3\", #{ stdin: p })", "exit status 3"),
            ("throw p", "\n  × "),
            ("[p, #{ a: p }]", "\n[***"),
            ("p.reveal()", "reveal"),
        ],
    );
    sampler.stop().clean(&needles, "script")?;
    needles.absent("the terminal", shown)?;
    left_nothing(folder.path(), &needles)
}
