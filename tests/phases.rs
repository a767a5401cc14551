//! `--only`, `--skip` and `--from` select phases, and a misspelt phase is found before anything runs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::process::Command;

const PLAYBOOK: &str = r#"
    import "./more" as more;
    phase("base", || print("base"));
    phase("server", || print("server"));
    more::verify();
    play("other.rhai", #{});
"#;

/// Runs the playbook and returns the exit status, standard output and the first line of the error.
fn run(playbook: &str, arguments: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("play.rhai"), playbook).unwrap();
    fs::write(folder.path().join("more.rhai"), "fn verify() { phase(\"verify\", || print(\"verify\")); }").unwrap();
    fs::write(folder.path().join("other.rhai"), "phase(\"other\", || print(\"other\"));").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_k3srun"))
        .arg("play.rhai")
        .args(arguments)
        .current_dir(&folder)
        .env("XDG_STATE_HOME", folder.path().join("state"))
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    let error = error.lines().filter(|line| line.contains("error:") || line.contains("help:")).collect::<Vec<_>>();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap().replace('\n', " "), error.join("\n"))
}

#[test]
fn selected_phases_run_also_those_of_modules_and_of_played_playbooks() {
    assert_eq!(run(PLAYBOOK, &[]).1, "base server verify other ");
    assert_eq!(run(PLAYBOOK, &["--only", "server,other"]).1, "server other ");
    assert_eq!(run(PLAYBOOK, &["--from", "server", "--skip", "verify"]).1, "server other ");
}

#[test]
fn an_unknown_phase_is_refused_before_anything_runs() {
    for option in ["--only", "--skip", "--from"] {
        let (status, output, error) = run(PLAYBOOK, &[option, "servr"]);
        assert_eq!((status, output.as_str()), (2, ""));
        let help = "  help: did you mean `server`? the phases are: base, server, verify, other";
        assert_eq!(error, format!("error: unknown phase `servr`\n{help}"));
    }
    let (status, _, error) = run("print(1)", &["--only", "base"]);
    assert_eq!(status, 2);
    assert!(error.starts_with("error: the script has no phases to select from"), "{error}");
}

#[test]
fn a_playbook_that_computes_names_of_phases_may_have_any() {
    let playbook = r#"for n in 1..3 { phase(`step-${n}`, || print(n)) }"#;
    assert_eq!(run(playbook, &["--only", "step-2"]), (0, "2 ".to_owned(), String::new()));
}
