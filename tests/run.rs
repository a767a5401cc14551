//! What a user sees of commands that scripts run.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

/// What k3srun reports on standard error about an expression.
fn report(arguments: &[&str], expression: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut k3srun = Command::new(env!("CARGO_BIN_EXE_k3srun"));
    k3srun.args(["--output", "plain"]).args(arguments).args(["-e", expression]);
    let output = k3srun.env("XDG_STATE_HOME", folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn output_is_shown_with_v() {
    let script = r#"local().run("echo step one"); ()"#;
    assert!(!report(&[], script).contains("\nlocal| step one"));
    assert!(report(&["-v"], script).contains("\nlocal| step one"));
}

#[test]
fn progress_is_shown_to_everybody_once_and_is_output_all_the_same() {
    let script = r#"
        let output = local().run("echo step one; echo step two >&2", #{ progress: true });
        if output.stdout != "step one" || output.stderr != "step two" { throw output.stdout }"#;
    for arguments in [&[][..], &["-v"]] {
        let report = report(arguments, script);
        assert_eq!(report.matches("local: step one\n").count(), 1, "{report}");
        assert_eq!(report.matches("local: step two\n").count(), 1, "{report}");
        assert!(!report.contains("local| "), "{report}");
    }
    assert!(!report(&["-q"], script).contains("step one"));
}
