//! Scripts that use secrets in every way there is, right and wrong, shown in every way there is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use libtest_mimic::Trial;

use super::needles::{Needles, any, open};
use super::sampler::Sampler;
use super::support;
use super::support::lab::Step;
use super::support::sshd::Sshd;
use super::trial;

/// One test for each way to show a run, with everything tried on this machine and on a remote one.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("scripts::what_is_shown_on_a_terminal_has_no_secret", || show(&["-vv", "-o", "pretty"])),
        trial("scripts::what_is_shown_as_plain_lines_has_no_secret", || show(&["-vv", "-o", "plain"])),
        trial("scripts::what_is_shown_as_json_has_no_secret", || show(&["-vv", "-o", "json"])),
        trial("scripts::a_plan_has_no_secret", || show(&["-vv", "--plan"])),
        trial("scripts::every_way_to_end_with_an_error_has_no_secret", errors),
        trial("scripts::a_file_with_a_secret_is_for_its_owner_only", modes),
    ]
}

/// A password as people make them, one that no line has room for, and one of several lines.
const PASSWORD: &str = "correct \"horse\" \\battery' $staple";
const LONG: &str = "K10a81f0c5dd0b8f0f6b7b9a36ee9a2dd3d8b8a2e8f5d1c6f0f3c7d2b1a09f8e7d6c::server:8d1f3bd0a4e95b0c7ad2f4b6c8e0a1357f9bdb2468ace013579bdf02468ace13";
const LINES: &str = "first line of three\nsecond line of three\nthird line of three";

/// Everything that a script can do with a secret. `w` is the folder, `h` the host.
const USES: &str = r##"
let h = HOST;
let w = "FOLDER";
let here = local();
let secrets = ["password", "long", "lines"].map(|name| secret(here.read(`${w}/in/${name}`)));
let tried = |name, use_it| { try { use_it.call() } catch (e) { log(`${name}: ${e}`); print(e); try { print(e.output) } catch { } } };
for s in secrets {
    print(s); print(`${s}`); print([s]); print(#{ a: s, b: [s] }); debug(s); log(`it is ${s}`); warn(`it is ${s}`);
    h.run("sleep 0.05; cat", #{ stdin: s });
    h.run("sleep 0.05; cat >&2", #{ stdin: s, progress: true });
    h.run("sleep 0.05; printf '%s\\n' \"$A\"", #{ env: #{ A: s } });
    h.run("base64; sleep 0.05", #{ stdin: s });
    h.run("base64 -w 0", #{ stdin: s });
    h.run("{ printf user:; cat; echo; } | base64 -w 0", #{ stdin: s });
    h.run("{ echo; cat; } | base64 -w 0", #{ stdin: s });
    print(h.query("cat", #{ stdin: s }).stdout);
    debug(h.query("cat", #{ stdin: s }).stdout);
    print([h.query("cat", #{ stdin: s }).stdout]);
    print(#{ a: h.query("cat", #{ stdin: s }).stdout });
    print(#{ a: h.query("cat", #{ stdin: s }).stdout }.to_json());
    tried.call("fails", || h.run("cat; exit 3", #{ stdin: s }));
    tried.call("complains", || h.query("cat >&2; exit 3", #{ stdin: s }));
    tried.call("traces", || h.query("set -x; : \"$A\"; exit 3", #{ env: #{ A: s } }));
    tried.call("hangs", || h.query("cat; sleep 5", #{ stdin: s, timeout: 0.3 }));
    tried.call("again", || retry(#{ attempts: 2, delay: 0.01 }, || h.query("cat; exit 3", #{ stdin: s })));
    tried.call("wrong option", || h.run("true", #{ cwd: s }));
    tried.call("no text", || h.run(s));
    tried.call("thrown", || { throw h.query("cat", #{ stdin: s }).stdout });
    tried.call("failed", || fail(`no ${h.query("cat", #{ stdin: s }).stdout}`, h.query("cat", #{ stdin: s }).stdout));
    tried.call("both", || parallel([1, 2], |n| h.query("cat; exit 3", #{ stdin: s })));
    h.write(`${w}/out/written`, s);
    h.write(`${w}/out/large`, secret(text_of(h, s)));
    h.ensure([
        file(`${w}/out/content`, #{ content: s }),
        file(`${w}/out/template`, #{ template: "password = {{ p }}\n", vars: #{ p: s } }),
    ]);
    h.ensure([file(`${w}/out/content`, #{ content: "other\n" }), file(`${w}/out/line`, #{ content: "", mode: "0600" })]);
    h.ensure([line(`${w}/out/line`, "a = 1"), block(`${w}/out/template`, "b = 2")]);
    tried.call("refused", || h.ensure([file(`${w}/out/bad`, #{ content: s, validate: "cat %; exit 1; #%" })]));
    tried.call("strict", || h.ensure([file(`${w}/out/bad`, #{ template: "{{ p }} {{ q }}", vars: #{ p: s } })]));
    tried.call("command", || h.ensure([command("c", #{ run: `cat ${w}/out/written; exit 1`, unless: "false" })]));
}

/// More than fits into a script.
fn text_of(h, s) { h.query("cat; head -c 100000 /dev/zero | tr '\\0' x", #{ stdin: s }).stdout }
"##;

/// What a script ends with.
const ENDS: &[&str] = &[
    "throw s",
    "throw text",
    "throw #{ message: text, help: text }",
    "throw [s, text]",
    "fail(text, text)",
    "h.run(\"cat; exit 3\", #{ stdin: s })",
    "h.run(\"cat >&2; exit 3\", #{ stdin: s })",
    "h.query(\"cat; exit 3\", #{ stdin: s })",
    "phase(text, || fail(text))",
    "parallel([text], |n| h.run(\"cat >&2; exit 3\", #{ stdin: s }))",
    "h.run(\"true\", #{ cwd: text })",
    "h.ensure([file(\"/none/\" + text, #{ content: s })])",
    "config::load(text)",
    "let x = #{ a: text }; x.a.b",
    "print(text.no_such_function(s))",
    "ssh::connect(\"nobody@127.0.0.1\", #{ port: 1, sudo: true, sudo_password: s })",
];

/// The secrets, in files of `folder`.
fn prepare(folder: &Path) -> Needles {
    let mut needles = Needles::default();
    fs::create_dir_all(folder.join("in")).unwrap();
    for (name, value) in [("password", PASSWORD), ("long", LONG), ("lines", LINES)] {
        fs::write(folder.join("in").join(name), value).unwrap();
        needles.add(name, value);
    }
    needles
}

/// Runs a script and looks for secrets in all that it leaves behind, but for the folders `in` and `out`. Returns what it
/// said.
fn run(needles: &Needles, folder: &Path, script: &str, options: &[&str]) -> Result<String, String> {
    let path = folder.join("test.rhai");
    fs::write(&path, script).unwrap();
    let temporary = folder.join("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let mut command = support::k3srun(folder);
    let output = command.args(options).arg("test.rhai").env("TMPDIR", &temporary).output().unwrap();
    fs::remove_file(path).unwrap();
    for (place, content) in [("standard output", &output.stdout), ("standard error", &output.stderr)] {
        needles.absent(&format!("{place} of {options:?}"), content)?;
    }
    let mut left = needles.in_files(&folder.join("state"), any)?;
    left.extend(needles.in_files(&temporary, any).unwrap_or_default());
    if left.is_empty() { Ok(support::said(&output)) } else { Err(left.join("\n")) }
}

fn show(options: &[&str]) -> Step {
    let sshd = Sshd::start();
    for host in ["local()".to_owned(), sshd.connect()] {
        let folder = tempfile::tempdir().unwrap();
        let needles = prepare(folder.path());
        fs::create_dir(folder.path().join("out")).unwrap();
        let script = USES.replace("HOST", &host).replace("FOLDER", &folder.path().display().to_string());
        let sampler = Sampler::start(&[]);
        let said = run(&needles, folder.path(), &script, options)?;
        let seen = sampler.stop();
        if !seen.arguments(&needles).is_empty() {
            return Err(seen.arguments(&needles).join("\n"));
        }
        if !said.contains("it is ***") || !said.contains("strict: ") {
            return Err(format!("the script did not do what it should:\n{said}"));
        }
        let readable = needles.in_files(&folder.path().join("out"), open).unwrap_or_default();
        if !readable.is_empty() {
            return Err(readable.join("\n"));
        }
    }
    Ok(())
}

fn errors() -> Step {
    let folder = tempfile::tempdir().unwrap();
    let needles = prepare(folder.path());
    for secret in ["password", "long", "lines"] {
        for end in ENDS {
            for options in [&["-o", "pretty"][..], &["-vv", "-o", "plain"], &["-o", "json"]] {
                let script = format!(
                    "let h = local();\nlet text = h.read(\"{}/in/{secret}\");\nlet s = secret(text);\n{end};\n",
                    folder.path().display()
                );
                let said = run(&needles, folder.path(), &script, options)?;
                if !said.contains("failed") && !said.contains("error") {
                    return Err(format!("{end} does not fail: {said}"));
                }
            }
        }
    }
    Ok(())
}

/// Whatever was there before.
fn modes() -> Step {
    let folder = tempfile::tempdir().unwrap();
    let needles = prepare(folder.path());
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    let script = format!(
        "let h = local();\nlet s = secret(h.read(\"{0}/in/password\"));\nh.write(\"{0}/out/a\", s);\n\
         h.ensure([file(\"{0}/out/b\", #{{ content: s }}), file(\"{0}/out/c\", #{{ template: \"{{{{ s }}}}\", vars: #{{ s: s }} }})]);",
        folder.path().display()
    );
    for before in [None, Some(0o644), Some(0o664)] {
        for name in ["a", "b", "c"] {
            if let Some(mode) = before {
                fs::write(out.join(name), "nothing secret").unwrap();
                fs::set_permissions(out.join(name), fs::Permissions::from_mode(mode)).unwrap();
            }
        }
        run(&needles, folder.path(), &script, &[])?;
        let all = needles.in_files(&out, any)?;
        let readable = needles.in_files(&out, open)?;
        if all.len() != 3 || !readable.is_empty() {
            return Err(format!("before: {before:?}; all: {all:?}; readable by others: {readable:?}"));
        }
    }
    // What the script says itself holds.
    let script = script.replace("\", s);", "\", s, #{ mode: \"0640\" });");
    run(&needles, folder.path(), &script, &[])?;
    let mode = |name: &str| fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("a"), mode("b")), (0o640, 0o600));
    Ok(())
}
