//! The command line as a user meets it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder with playbooks.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("play.rhai", "// Greets.\n//\n//   k3srun play.rhai\n\nphase(\"greet\", || print(\"hello\"));\n"),
        ("words.rhai", "print(args());\n"),
        ("change.rhai", "local().run(\"touch changed\"); local().run(\"exit 7\");\n"),
        ("many.rhai", "for n in 0..20000 { print(n); log(n.to_string()); }\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn command(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_k3srun"));
    command.args(arguments).current_dir(folder).env("HOME", folder.path()).env_remove("XDG_STATE_HOME");
    command.stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> (Output, TempDir) {
    let folder = folder();
    (command(&folder, arguments).output().unwrap(), folder)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn options_stand_before_or_after_the_script_and_other_words_are_the_scripts() {
    for line in [["--plan", "words.rhai", "up", "--name=a"], ["words.rhai", "up", "--plan", "--name=a"]] {
        let (output, _folder) = run(&line);
        assert_eq!(text(&output.stdout), "[\"up\", \"--name=a\"]\n");
        assert!(text(&output.stderr).starts_with("planned in"), "{}", text(&output.stderr));
    }
    let (output, _folder) = run(&["words.rhai", "exec", "--", "ls", "-q", "--plan"]);
    assert_eq!(text(&output.stdout), "[\"exec\", \"ls\", \"-q\", \"--plan\"]\n");
    assert!(text(&output.stderr).starts_with("done in"));
}

#[test]
fn the_value_of_an_expression_is_shown_as_a_person_reads_it() {
    for (expression, shown) in [
        ("1 + 2", "3"),
        ("local()", "local"),
        ("local().query(\"echo hi\")", "hi"),
        ("file(\"/nowhere/x\", #{ content: \"a\" })", "file:/nowhere/x"),
        ("local().ensure([])", "0 changed, 0 ok"),
        ("secret(\"correct horse\")", "***"),
    ] {
        let (output, _folder) = run(&["-e", expression]);
        assert_eq!(text(&output.stdout), format!("{shown}\n"), "{expression}");
    }
}

#[test]
fn help_teaches_and_a_script_introduces_itself() {
    let (output, _folder) = run(&["--help"]);
    let help = text(&output.stdout);
    for part in ["Which words are whose", "Exit status", "130  interrupted", "scripts/bootstrap.rhai --plan"] {
        assert!(help.contains(part), "{part}");
    }
    let examples = help.split("Examples:").nth(1).unwrap();
    assert!(examples.lines().all(|line| line.chars().count() <= 80), "too wide for a terminal");
    let (output, _folder) = run(&["play.rhai", "--help"]);
    insta::assert_snapshot!(text(&output.stdout), @"
    Greets.

      k3srun play.rhai

    Phases: greet

    k3srun's own options: k3srun --help
    ");
    let (output, _folder) = run(&["words.rhai", "--help"]);
    assert_eq!(text(&output.stdout), "[\"--help\"]\n");
}

#[test]
fn shells_can_complete_the_command_line() {
    for shell in ["bash", "zsh", "fish"] {
        let (output, _folder) = run(&["completions", shell]);
        assert!(text(&output.stdout).contains("stdlib") && output.status.success(), "{shell}");
    }
}

#[test]
fn a_failed_run_says_what_to_do_and_where_its_log_is() {
    let (output, folder) = run(&["change.rhai"]);
    assert_eq!(output.status.code(), Some(3));
    let shown = text(&output.stderr);
    let (error, summary) = shown.split_once("failed after").unwrap();
    assert!(error.contains("exit status 7"), "the error comes before the summary: {shown}");
    assert!(summary.contains("run it again when the cause is gone: what is done stays done"), "{shown}");
    let log = summary.split("log: ~/").nth(1).unwrap().lines().next().unwrap();
    assert!(fs::read_to_string(folder.path().join(log)).unwrap().contains("run_finished"));
}

#[test]
fn programs_get_every_error_as_an_event() {
    for arguments in [&["missing.rhai", "--output", "json"][..], &["change.rhai", "--output", "json"]] {
        let (output, _folder) = run(arguments);
        let failed = text(&output.stdout).lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        assert!(failed.into_iter().any(|event| event["event"] == "failed"), "{arguments:?}");
        assert_eq!(text(&output.stderr), "");
    }
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_run() {
    let folder = folder();
    let mut command = command(&folder, &["many.rhai"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    drop(child.stderr.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn output_that_can_not_be_written_is_an_error() {
    for arguments in [
        &["-e", "1 + 1"][..],
        &["--output", "json", "-e", "1"],
        &["help", "file"],
        &["help", "--markdown"],
        &["completions", "bash"],
        &["--version"],
        &["--help"],
        &["scripts/outdated.rhai", "--help"],
    ] {
        let folder = folder();
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = command(&folder, arguments);
        let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
    }
    let folder = folder();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = command(&folder, &["-e", "1 + 1"]).stdout(full).output().unwrap();
    assert!(text(&output.stderr).contains("can't write to standard output: No space left on device"));
}

#[test]
fn a_log_that_can_not_be_written_is_one_warning() {
    let folder = folder();
    fs::write(folder.path().join("file"), "").unwrap();
    let output = command(&folder, &["play.rhai"]).env("XDG_STATE_HOME", folder.path().join("file")).output().unwrap();
    assert!(output.status.success());
    assert_eq!(text(&output.stderr).matches("warning: this run has no log").count(), 1, "{}", text(&output.stderr));
}

#[test]
fn colours_are_for_terminals() {
    let (output, _folder) = run(&["change.rhai"]);
    assert!(!text(&output.stderr).contains('\x1b'));
    let (output, _folder) = run(&["change.rhai", "--color", "always"]);
    assert!(text(&output.stderr).contains("\x1b["));
}

/// The lab and the tests need root; whoever isn't root is told so, before anything else.
#[test]
fn the_playbooks_that_need_root_say_so() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let program = folder.path().join("k3srun");
    fs::copy(env!("CARGO_BIN_EXE_k3srun"), &program).unwrap();
    fs::create_dir(folder.path().join("scripts")).unwrap();
    for name in ["setup.rhai", "try.rhai", "lab.rhai", "bootstrap.rhai"] {
        fs::copy(format!("scripts/{name}"), folder.path().join("scripts").join(name)).unwrap();
    }
    let root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    for name in ["scripts/setup.rhai", "scripts/try.rhai"] {
        let mut command = Command::new("sh");
        command.args(["-c", "exec ./k3srun \"$1\" --yes", "sh", name]);
        command.current_dir(&folder).env("HOME", folder.path()).env_remove("XDG_STATE_HOME").stdin(Stdio::null());
        if root {
            command.uid(65534).gid(65534);
        }
        let output = command.output().unwrap();
        let shown = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {shown}");
        assert!(shown.contains("root") && shown.contains("sudo"), "{name}: {shown}");
        assert!(shown.contains(" 0 changed"), "{name}: {shown}");
    }
}

#[test]
fn the_playbooks_come_with_the_program_and_a_file_of_that_name_is_used_instead() {
    for name in ["verify", "verify.rhai", "scripts/verify.rhai"] {
        let (output, _folder) = run(&[name]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(text(&output.stderr).contains("cluster.toml does not exist"), "{}", text(&output.stderr));
    }
    let folder = folder();
    fs::write(folder.path().join("verify"), "print(\"mine\")").unwrap();
    let output = command(&folder, &["verify"]).output().unwrap();
    assert_eq!(text(&output.stdout), "mine\n");
    let (output, _folder) = run(&["verifi"]);
    assert!(text(&output.stderr).contains("did you mean verify?"), "{}", text(&output.stderr));
}

#[test]
fn the_playbooks_can_be_written_out_once_and_are_without_mistakes() {
    let folder = folder();
    let write = |folder: &TempDir| command(folder, &["playbooks", "mine"]).output().unwrap();
    assert!(write(&folder).status.success());
    let output = command(&folder, &["check", "mine/scripts", "mine/stdlib"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        folder.path().join("mine/cluster.toml.example").is_file()
            && !folder.path().join("mine/scripts/lab.rhai").exists()
    );
    let again = write(&folder);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("mine/scripts is there already"), "{}", text(&again.stderr));
}

#[test]
fn init_says_what_it_wants() {
    for (arguments, expected) in [
        (&["init"][..], "a cluster takes a master and at least one worker"),
        (&["init", "root@203.0.113.1"], "a cluster takes a master and at least one worker"),
        (&["init", "a", "b", "--to"], "--to wants a file"),
        (&["init", "a", "b", "--what"], "--what is not an option of init"),
    ] {
        let (output, folder) = run(arguments);
        assert!(!output.status.success() && text(&output.stderr).contains(expected), "{}", text(&output.stderr));
        assert!(!folder.path().join("cluster.toml").exists());
    }
}
