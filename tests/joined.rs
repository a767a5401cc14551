//! Texts that a script joins with a secret: they carry it to where secrets go, and are refused anywhere else.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;

use support::playbook::{Finished, Playbook};

/// Runs a script in which `s` is a secret and `ROOT` a folder; also what came of it in that folder.
fn with_secret(options: &[&str], script: &str) -> (Finished, tempfile::TempDir) {
    let root = tempfile::tempdir().unwrap();
    let script = format!("let s = secret(`pa\"ss<w>&rd`);\n{script}");
    let playbook = Playbook::new(&script.replace("ROOT", &root.path().display().to_string()));
    let playbook = options.iter().fold(playbook, |playbook, option| playbook.option(option));
    (playbook.run(), root)
}

#[track_caller]
fn is_not_shown(finished: &Finished) {
    for text in [&finished.stdout, &finished.stderr] {
        assert!(!text.contains("ss<w>") && !text.contains('\u{10fffd}'), "{text}");
    }
}

#[test]
fn they_carry_it_to_where_secrets_go() {
    let script = r##"
        let h = local();
        h.ensure([
            file("ROOT/interpolated", #{ content: `password=${s}` }),
            file("ROOT/added", #{ content: "password=" + s + ";" }),
            file("ROOT/template", #{ template: "{{ line }}", vars: #{ line: `password=${s}` } }),
        ]);
        h.write("ROOT/written", `password=${s}`);
        h.run("cat >ROOT/stdin", #{ stdin: `password=${s}` });
        h.run("printf %s \"$P\" >ROOT/env", #{ env: #{ P: `password=${s}` } });
        h.write("ROOT/twice", secret(`${s}${s}`) + s);
        h.write("ROOT/list", `${[s]}`);
        print(`it is ${s}, ${"it is " + s}, ${[s]}`);
        log(`it is ${s}`);"##;
    let (finished, root) = with_secret(&["-v"], script);
    is_not_shown(&finished);
    assert_eq!(finished.printed(), "it is ***, it is ***, [***]\n");
    for name in ["interpolated", "template", "written", "stdin", "env"] {
        assert_eq!(fs::read_to_string(root.path().join(name)).unwrap(), "password=pa\"ss<w>&rd", "{name}");
    }
    assert_eq!(fs::read_to_string(root.path().join("added")).unwrap(), "password=pa\"ss<w>&rd;");
    assert_eq!(fs::read_to_string(root.path().join("twice")).unwrap(), "pa\"ss<w>&rd".repeat(3));
    assert_eq!(fs::read_to_string(root.path().join("list")).unwrap(), "[pa\"ss<w>&rd]");
}

#[test]
fn anywhere_else_they_are_refused_and_nothing_is_written() {
    const CASES: &[(&str, &str)] = &[
        ("local().run(`echo ${s} >ROOT/x`)", "was joined with a secret"),
        ("local().query(\"echo \" + s + \" >ROOT/x\")", "was joined with a secret"),
        ("local().ensure([line(\"ROOT/f\", `password=${s}`)])", "was joined with a secret"),
        ("local().ensure([block(\"ROOT/f\", `password=${s}`)])", "was joined with a secret"),
        ("local().ensure([file(`ROOT/${s}`, #{ content: \"x\" })])", "was joined with a secret"),
        ("local().ensure([file(\"ROOT/x\", #{ template: `${s}` })])", "option `template` takes no secret"),
        ("local().ensure([file(\"ROOT/x\", #{ content: \"x\", owner: `${s}` })])", "option `owner` takes no secret"),
        ("local().write(\"ROOT/x\", #{ password: s }.to_json())", "to_json() takes no secret"),
        ("local().write(\"ROOT/x\", #{ a: [`password=${s}`] }.to_json())", "to_json() takes no secret"),
        ("ssh::connect(\"x\", #{ jump: [`${s}`] })", "takes no secret"),
    ];
    for (script, message) in CASES {
        let (finished, root) = with_secret(&[], &format!("local().write(\"ROOT/f\", \"as it was\"); {script}"));
        is_not_shown(&finished);
        assert!(finished.status != Some(0) && finished.stderr.contains(message), "{script}: {}", finished.stderr);
        let left = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        assert_eq!(left, ["f"], "{script}");
        assert_eq!(fs::read_to_string(root.path().join("f")).unwrap(), "as it was", "{script}");
    }
}

#[test]
fn a_plan_refuses_them_too() {
    let (finished, _root) = with_secret(&["--plan"], "local().run(`echo ${s}`)");
    is_not_shown(&finished);
    assert!(finished.status != Some(0) && finished.stderr.contains("was joined with a secret"), "{}", finished.stderr);
}

#[test]
fn json_without_a_secret_is_as_before() {
    let (finished, _root) = with_secret(&[], "print(#{ a: [1, \"x\"] }.to_json())");
    assert_eq!(finished.printed(), "{\"a\":[1,\"x\"]}\n");
}

#[test]
fn a_variable_has_a_name_that_a_shell_takes_for_one() {
    for name in ["A=1; touch ROOT/x; B", "FOO-BAR", "", "1A", "A\\nB"] {
        let (finished, root) =
            with_secret(&[], &format!("local().run(\"true\", #{{ env: #{{ \"{name}\": \"v\" }} }})"));
        let said = finished.stderr.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        assert!(said.contains("is not a name of a variable"), "{name}: {}", finished.stderr);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}

#[test]
fn the_mark_of_an_answers_end_is_in_no_argument_list_and_a_nul_is_refused() {
    let script = r#"
        let seen = local().query(`pid=$$; while [ $pid -gt 1 ]; do
            tr '\0' ' ' </proc/$pid/cmdline; echo
            pid=$(sed -n 's/^PPid:[[:space:]]*//p' /proc/$pid/status); [ "$(cat /proc/$pid/comm)" != k3srun ] || break
        done`).stdout;
        print(seen);"#;
    let (finished, _root) = with_secret(&[], script);
    let seen = finished.printed();
    assert!(seen.contains("read -r mark"), "{seen}");
    let marks = seen.split(|c: char| !c.is_ascii_hexdigit()).filter(|word| word.len() == 32);
    assert_eq!(marks.count(), 0, "{seen}");
    let (finished, _root) = with_secret(&[], "local().run(\"echo a\\x00b\")");
    assert!(finished.status == Some(2) && finished.stderr.contains("can't have a NUL"), "{}", finished.stderr);
}
