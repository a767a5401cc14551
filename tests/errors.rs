//! What a person sees when a script fails: the place, the call stack, the cause and the remedy.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::process::Command;

/// Runs `play.rhai` beside a module `steps.rhai`; returns the exit status and standard error without the run's last lines.
fn run(play: &str, module: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("play.rhai"), play).unwrap();
    fs::write(folder.path().join("steps.rhai"), module).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_k3srun"))
        .args(["play.rhai", "--color", "never", "-o", "plain"])
        .current_dir(&folder)
        .env("XDG_STATE_HOME", folder.path().join("state"))
        .output()
        .unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let shown = text.lines().filter(|line| !line.contains("log:") && !line.starts_with("failed in"));
    let shown: Vec<&str> = shown.map(str::trim_end).collect();
    format!("exit status {}\n{}", output.status.code().unwrap(), shown.join("\n"))
}

/// The error of a script on its own.
fn error(play: &str) -> String {
    run(play, "")
}

#[test]
fn unknown_function() {
    insta::assert_snapshot!(error("let nodes = [1, 2];\nlet done = paralel(nodes, |n| n);\n"));
}

#[test]
fn wrong_number_of_arguments() {
    insta::assert_snapshot!(error("local().query();\n"));
}

#[test]
fn wrong_types_of_arguments() {
    insta::assert_snapshot!(error("local().query(5);\n"));
}

#[test]
fn secret_where_text_is_needed() {
    insta::assert_snapshot!(error("let password = secret(\"correct horse\");\nlocal().query(password);\n"));
}

#[test]
fn undefined_variable() {
    insta::assert_snapshot!(error("let worker = 1;\nprint(wroker);\n"));
}

#[test]
fn missing_module() {
    insta::assert_snapshot!(error("import \"clutser\" as cluster;\n"));
}

#[test]
fn circular_import() {
    insta::assert_snapshot!(run("import \"./steps\" as steps;\n", "import \"./steps\" as steps;\n"));
}

#[test]
fn syntax_error_in_a_module() {
    insta::assert_snapshot!(run("import \"./steps\" as steps;\n", "fn step( {\n}\n"));
}

#[test]
fn failure_in_a_module_shows_who_called() {
    let module = "fn outer(n) {\n    inner(n)\n}\n\nprivate fn inner(n) {\n    fail(`no ${n}`, \"try another\")\n}\n";
    insta::assert_snapshot!(run(
        "import \"./steps\" as steps;\nphase(\"base\", || {\n    steps::outer(3);\n});\n",
        module
    ));
}

#[test]
fn failure_in_parallel() {
    insta::assert_snapshot!(error("parallel([1], |n| {\n    fail(`no ${n}`)\n});\n"));
}

#[test]
fn several_failures_in_parallel() {
    insta::assert_snapshot!(error("parallel([1, 2], |n| fail(`no ${n}`, `ask ${n}`));\n"));
}

#[test]
fn value_that_is_too_large() {
    insta::assert_snapshot!(error(
        "let list = \"[\";\nlist.pad(250000, \"0,\");\nlet all = parse_yaml(list + \"0]\");\n"
    ));
}

#[test]
fn thrown_map() {
    insta::assert_snapshot!(error("throw #{ message: \"the disk is full\", disk: \"sda\" };\n"));
}

#[test]
fn thrown_text_in_a_function() {
    insta::assert_snapshot!(error("fn check(n) {\n    if n > 1 { throw \"too many\" }\n}\ncheck(2);\n"));
}

#[test]
fn error_caught_and_thrown_again_knows_where_it_came_from() {
    insta::assert_snapshot!(error(
        "try {\n    fail(\"no\", \"try yes\")\n} catch (e) {\n    print(e.at);\n    throw e;\n}\n"
    ));
}

#[test]
fn unknown_option() {
    insta::assert_snapshot!(error("let options = #{ timout: 3 };\nlocal().query(\"true\", options);\n"));
}

#[test]
fn command_that_fails() {
    insta::assert_snapshot!(error("local().query(\"echo broken >&2; exit 3\");\n"));
}

#[test]
fn value_of_the_wrong_kind() {
    insta::assert_snapshot!(error("let settings = #{};\nif settings.missing { print(1) }\n"));
}

#[test]
fn exit_ends_the_script_with_its_status_and_runs_the_handlers() {
    let play =
        "on_exit(\"bye\", || print(\"bye\"));\nphase(\"base\", || { if true { exit(7) } });\nprint(\"never\");\n";
    let shown = error(play);
    assert!(shown.starts_with("exit status 7\n"), "{shown}");
    assert!(shown.contains("bye") && !shown.contains("never"), "{shown}");
}

#[test]
fn what_parallel_says_begins_with_the_item() {
    let shown = error("parallel([#{ name: \"worker\" }], |n| { print(\"hello\"); log(\"there\"); });\n");
    assert!(shown.contains("worker: hello") && shown.contains("worker: there"), "{shown}");
}

#[test]
fn without_a_script_and_a_terminal_there_is_nothing_to_run() {
    let output = Command::new(env!("CARGO_BIN_EXE_k3srun")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("nothing to run"));
}
