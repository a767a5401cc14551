//! `host.interactive` and `host.shell`: a person's terminal, played by script(1).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use support::playbook::Playbook;
use support::sshd::Sshd;

/// Runs a script at a terminal, types `input` when `prompt` is shown, and returns all that the terminal showed and the exit
/// status.
fn at_terminal(script: &str, prompt: &str, input: &[u8]) -> (String, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("test.rhai"), script).unwrap();
    let mut child = Command::new("script")
        // No shell stays in between: Ctrl-C would reach it, too.
        .args(["-qec", concat!("exec ", env!("CARGO_BIN_EXE_k3srun"), " test.rhai"), "/dev/null"])
        .current_dir(&folder)
        .env("XDG_STATE_HOME", folder.path().join("state"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut shown, mut typed, mut piece) = (String::new(), false, [0; 4096]);
    loop {
        match screen.read(&mut piece).unwrap() {
            0 => break,
            n => shown.push_str(&String::from_utf8_lossy(&piece[..n])),
        }
        if !typed && shown.contains(prompt) {
            keyboard.write_all(input).unwrap();
            keyboard.flush().unwrap();
            typed = true;
        }
    }
    let status = child.wait().unwrap().code();
    assert!(typed, "`{prompt}` was never shown: {shown}");
    (shown, status)
}

#[test]
fn a_command_has_the_terminal_and_its_status_comes_back() {
    let sshd = Sshd::start();
    for host in ["local()".to_owned(), sshd.connect()] {
        let script = format!(
            "print(`ended with ${{{host}.interactive(\"tty -s && printf 'name? ' && read name && echo hello-$name; exit 5\")}}`)"
        );
        let (shown, status) = at_terminal(&script, "name? ", b"ada\n");
        assert!(shown.contains("hello-ada") && shown.contains("ended with 5"), "{shown}");
        assert_eq!(status, Some(0), "{shown}");
    }
}

#[test]
fn ctrl_c_belongs_to_the_command_that_has_the_terminal() {
    let sshd = Sshd::start();
    for host in ["local()".to_owned(), sshd.connect()] {
        let command = "trap 'echo cau''ght; exit 0' INT; echo rea''dy; while :; do sleep 0.1; done";
        let script = format!("{host}.interactive(\"{command}\"); print(\"the script goes on\")");
        let (shown, status) = at_terminal(&script, "ready", b"\x03");
        assert!(shown.contains("caught") && shown.contains("the script goes on"), "{shown}");
        assert_eq!(status, Some(0), "{shown}");
    }
}

#[test]
fn without_a_terminal_it_is_refused() {
    let finished = Playbook::new("local().shell()").run();
    assert_eq!(finished.status, Some(2));
    assert!(finished.stderr.contains("this needs a person at a terminal, and there is none"), "{}", finished.stderr);
    assert!(finished.stderr.contains("for programs there is host.run()"), "{}", finished.stderr);
}

/// Sets the clipboard, clears the screen, turns letters round.
const TRICKS: &str = "\\u001b]52;c;cHduZWQ=\\u0007\\u001b[2J\\u202e";

#[test]
fn no_text_drives_the_terminal() {
    let host = "local().run(\"printf '\\\\033]52;c;cHduZWQ=\\\\007\\\\033[2J\\\\342\\\\200\\\\256' >&2; exit 1\", #{ progress: true })";
    let scripts = [
        format!("confirm(\"sure{TRICKS}?\"); {host}"),
        format!(
            "confirm(\"sure?\"); phase(\"p{TRICKS}\", || print(\"x{TRICKS}\")); warn(\"w{TRICKS}\"); throw \"t{TRICKS}\""
        ),
        format!("confirm(\"sure?\"); fail(\"f{TRICKS}\", \"h{TRICKS}\")"),
    ];
    for script in scripts {
        let (shown, _) = at_terminal(&script, "[y/N]", b"y\n");
        for trick in ["\u{1b}]", "\u{1b}[2J", "\u{202e}", "\u{7}"] {
            assert!(!shown.contains(trick), "{trick:?} of {script}: {shown:?}");
        }
    }
}
