//! `k3srun check` finds mistakes in scripts without running them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::process::Command;

use tempfile::TempDir;

/// Checks scripts, given as pairs of name and text, in a folder of their own. Returns the exit status and what is shown.
fn check(scripts: &[(&str, &str)], arguments: &[&str]) -> (i32, String) {
    let folder = folder(scripts);
    let output = Command::new(env!("CARGO_BIN_EXE_k3srun"))
        .arg("check")
        .args(arguments)
        .current_dir(&folder)
        .env("XDG_STATE_HOME", folder.path().join("state"))
        .output()
        .unwrap();
    assert!(!folder.path().join("state").exists(), "a check is no run: it leaves no log");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

fn folder(scripts: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in scripts {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// What is wrong with one script.
fn mistakes(script: &str) -> String {
    let (status, text) = check(&[("play.rhai", script)], &["play.rhai"]);
    assert_eq!(status, 1, "{text}");
    text
}

#[test]
fn unknown_functions_and_methods() {
    insta::assert_snapshot!(mistakes(
        r#"let nodes = paralel([1], |n| n);
local().rnu("id");
ssh::conect("master");
shh::connect("master");
connect("master");
frobnicate();
"#
    ));
}

#[test]
fn wrong_numbers_of_arguments() {
    insta::assert_snapshot!(mistakes(
        r#"phase("base");
local().run();
ssh::connect();
fn greet(name, greeting) { `${greeting}, ${name}` }
print(`${greet("you")}`);
"#
    ));
}

#[test]
fn undefined_variables_all_of_them() {
    insta::assert_snapshot!(mistakes(
        r#"const LIMIT = 3;
let nodes = [1, 2];
fn check(node) { node > LIMIT && nodes.len() > 1 && node < noed }
parallel(nodes, |n| n + offset);
for node in nodes { let last = node; }
print(last);
try { check(later) } catch (error) { print(eror) }
let later = global::LIMITS;
"#
    ));
}

#[test]
fn unknown_options() {
    insta::assert_snapshot!(mistakes(
        r#"local().run("id", #{ timout: 5, cwd: "/" });
ssh::connect("master", #{ colour: "blue" });
retry(#{ attempt: 3 }, || 1);
"#
    ));
}

#[test]
fn imports_and_what_modules_have() {
    let scripts = [
        (
            "play.rhai",
            "import \"./libary\" as a;\nimport \"./library\" as b;\nb::hidden();\nb::greet();\nb::grete(\"you\");\nprint(b::NAME + b::NAMES);\n",
        ),
        (
            "library.rhai",
            "import \"./circle\" as c;\nexport const NAME = \"x\";\nprivate fn hidden() {}\nfn greet(name) { oops(name) }\n",
        ),
        ("circle.rhai", "import \"./library\" as library;\n"),
    ];
    let (status, text) = check(&scripts, &["play.rhai"]);
    assert_eq!(status, 1, "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn syntax_errors() {
    insta::assert_snapshot!(mistakes("phase(\"base\", || {\n    log(\"hello\";\n});\n"));
}

#[test]
fn a_comment_without_an_end_hides_nothing() {
    insta::assert_snapshot!(mistakes(
        "/* the first */ print(1);\nprint(\"/* text */\");\nprint(2); /* was cut off\nprint(3);\n"
    ));
    let (status, _) = check(&[("play.rhai", "/* a /* in a */ comment */ print(\"/*\");\n// not one: /*\n")], &["."]);
    assert_eq!(status, 0);
}

#[test]
fn good_scripts_have_no_mistakes() {
    let script = r#"
        import "./library" as library;
        const LIMIT = 3;
        fn small(n) { n < global::LIMIT }
        fn twice() { this *= 2; }
        let numbers = [1, 2, 3].filter(small).map(|n| library::double(n) + 1);
        let tools = #{ add: |a, b| a + b, settings: #{ timeout: 5 } };
        tools.add(1, 2);
        tools.add.call(1, 2);
        numbers.for_each(twice);
        let x = 1; x.twice();
        let outer = |n| { let inner = |m| m + n + x; inner.call(1) };
        for (number, index) in numbers { if number in [1, 2] { continue } else { print(`${index}: ${outer.call(number)}`) } }
        switch x { 1 => (), 2 if x > 1 => print(x), 3..5 => log("some"), _ => warn("many") }
        let text = x.to_string().len.max(3) ?? 4;
        local().run("id", tools.settings);
        do { x -= 1 } while x > 0;
        try { throw #{ code: 1 } } catch (problem) { print(problem.code) }
        let f = Fn("small"); f.call(1);
        let g = library::ADD; let s = text?.foo; s[0].bar = x;
    "#;
    let library = "export const ADD = 1;\nfn double(n) { n * 2 }\n";
    let (status, text) = check(&[("play.rhai", script), ("library.rhai", library)], &["."]);
    assert_eq!((status, text.as_str()), (0, "checked 2 scripts: no mistakes\n"));
}

#[test]
fn nothing_to_check_is_bad_input() {
    let (status, text) = check(&[("notes.txt", "")], &["."]);
    assert_eq!((status, text.lines().next()), (2, Some("error: no scripts in .")));
    let (status, text) = check(&[], &["missing.rhai"]);
    assert_eq!((status, text.trim()), (2, "error: script not found: missing.rhai"));
    let (status, text) = check(&[], &[]);
    assert_eq!(status, 2, "{text}");
}
