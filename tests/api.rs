//! Every function that scripts can call is explained, its example works, and the reference is up to date.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use k3srun::bindings;
use k3srun::script::{Catalog, Function, check, markdown};

/// The functions that k3srun adds to the language, without operators and conversions to text.
fn own(catalog: &Catalog) -> Vec<&Function> {
    let own = catalog.functions().filter(|function| !function.standard && function.is_named());
    own.filter(|function| !matches!(function.name.as_str(), "to_string" | "to_debug")).collect()
}

/// The example in a doc comment, and whether it may be run.
fn example(function: &Function) -> Option<(&str, bool)> {
    let start = function.doc.find("```rhai")?;
    let (tag, rest) = function.doc[start + 3..].split_once('\n')?;
    let (code, _) = rest.split_once("```")?;
    Some((code, tag == "rhai"))
}

#[test]
fn every_function_is_explained_and_has_an_example() {
    let (catalog, library) = (bindings::catalog(), Catalog::of_library());
    let mut missing = Vec::new();
    for function in own(&catalog) {
        if function.doc.is_empty() || !function.property && example(function).is_none() {
            missing.push(function.signature());
        }
    }
    missing.extend(library.functions().filter(|function| function.doc.is_empty()).map(Function::path));
    assert!(missing.is_empty(), "without explanation or example: {missing:#?}");
}

#[test]
fn every_option_is_known_to_the_check_and_explained() {
    let catalog = bindings::catalog();
    let mut wrong = Vec::new();
    for function in own(&catalog) {
        let settings = function.parameters.iter().any(|parameter| parameter.name == "settings");
        match function.options {
            None if settings => wrong.push(format!("{} has no OptionSet in bindings::options()", function.path())),
            Some([]) => wrong.push(format!("the options of {} have no names", function.path())),
            _ => {}
        }
        for name in function.options.unwrap_or_default() {
            // Functions that stand together refer to each other.
            let mut near = catalog.functions().filter(|other| other.namespace == function.namespace);
            if !near.any(|other| other.doc.contains(&format!("`{name}`"))) {
                wrong.push(format!("{}: the option `{name}` is not explained", function.path()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_example_works() {
    let catalog = bindings::catalog();
    let folder = tempfile::tempdir().unwrap();
    let mut failed = Vec::new();
    for function in own(&catalog) {
        let Some((code, runs)) = example(function) else { continue };
        let file = folder.path().join("example.rhai");
        std::fs::write(&file, code).unwrap();
        let checked = check(&[file], &[], &catalog).unwrap();
        failed.extend(checked.mistakes.iter().map(|mistake| format!("{}: {}", function.signature(), mistake.message)));
        if runs {
            let mut run = Command::new(env!("CARGO_BIN_EXE_k3srun"))
                .args(["--plan", "-"])
                .current_dir(&folder)
                .env("XDG_STATE_HOME", folder.path().join("state"))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            run.stdin.take().unwrap().write_all(code.as_bytes()).unwrap();
            let output = run.wait_with_output().unwrap();
            if !output.status.success() {
                failed.push(format!("{}: {}", function.signature(), String::from_utf8_lossy(&output.stderr)));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn the_reference_is_up_to_date() {
    let page = markdown(&bindings::catalog(), &Catalog::of_library());
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md")).unwrap_or_default();
    assert!(page == committed, "docs/api.md is old: k3srun help --markdown > docs/api.md");
}

#[test]
fn help_explains_names_and_suggests_near_ones() {
    let help = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_k3srun")).arg("help").args(words).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    };
    let (_, all) = help(&[]);
    assert!(all.contains("ssh::") && all.contains("parallel") && all.contains("import \"cluster\""), "{all}");
    let (_, one) = help(&["ssh::connect"]);
    assert!(one.contains("ssh::connect(destination: string, settings: map) -> Host"), "{one}");
    assert_eq!(help(&["run"]).1, help(&["Host.run"]).1);
    let (status, unknown) = help(&["paralel"]);
    assert_eq!(status, 2);
    assert!(unknown.contains("did you mean `parallel`?"), "{unknown}");
}
