//! What `host.ensure([..])` does to a host, as a user's script sees it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::sshd::Sshd;
use support::{events_of, k3srun, said};

#[test]
fn hundred_resources_with_nothing_to_do_cost_one_connection_and_few_round_trips() {
    let sshd = Sshd::start();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("hundred.rhai");
    fs::write(&script, hundred(&sshd.connect(), &folder.path().join("box"))).unwrap();
    let first = k3srun(folder.path()).arg(&script).output().unwrap();
    assert!(first.status.success(), "{}", said(&first));
    let (connections, sessions) = (sshd.connections(), sshd.sessions());

    let second = k3srun(folder.path()).args(["--output", "json"]).arg(&script).output().unwrap();

    assert!(second.status.success(), "{}", said(&second));
    let finished = &events_of(&second, "run_finished")[0];
    assert_eq!((&finished["changed"], &finished["ok"]), (&0.into(), &100.into()), "{}", said(&second));
    let conversation = &events_of(&second, "connection")[0];
    assert!(conversation["channels"].as_u64().unwrap() <= 3, "{conversation}");
    assert!(conversation["round_trips"].as_u64().unwrap() <= 4, "{conversation}");
    assert_eq!(sshd.connections() - connections, 1, "{}", sshd.log());
    let sessions = sshd.sessions() - sessions;
    assert!((1..=3).contains(&sessions), "{sessions} sessions\n{}", sshd.log());
    assert_eq!(conversation["channels"], sessions, "the count of channels is not what sshd saw");
}

/// A script with 100 resources of all kinds that a test may put anywhere.
fn hundred(host: &str, root: &Path) -> String {
    format!(
        r#"
let host = {host};
let root = "{root}";
let wanted = [packages(["coreutils", "dpkg"]), absent(root + "/nothing"), directory("/tmp")];
for n in 0..24 {{ wanted.push(directory(`${{root}}/d${{n}}`, #{{ mode: "0750" }})) }}
for n in 0..24 {{ wanted.push(file(`${{root}}/d${{n}}/file`, #{{ content: `content of ${{n}}\n`, mode: "0640" }})) }}
for n in 0..24 {{ wanted.push(symlink(`${{root}}/d${{n}}/link`, "file")) }}
for n in 0..24 {{ wanted.push(command(`note ${{n}}`, #{{ run: `touch ${{root}}/note${{n}}`, creates: `${{root}}/note${{n}}` }})) }}
wanted.push(command("guarded", #{{ run: `echo yes >${{root}}/guarded`, unless: `grep -q yes ${{root}}/guarded` }}));
host.ensure(wanted);
"#,
        root = root.display()
    )
}

#[test]
fn what_a_step_that_was_killed_left_is_removed_by_the_next_one() {
    let folder = Folder::new();
    for name in [".file.k3srun.0123456789", ".link.k3srun.0123456789", ".other.k3srun.0123456789"] {
        fs::write(folder.path(name), "half").unwrap();
    }
    let list = "[file(\"ROOT/file\", #{ content: \"a\\n\" }), symlink(\"ROOT/link\", \"file\")]";
    let output = folder.ensure(&[], list);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(fs::read_to_string(folder.path("link")).unwrap(), "a\n");
    let mut names: Vec<_> = fs::read_dir(folder.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".other.k3srun.0123456789", "file", "link", "state"]);
}

/// A folder for a run on the local host.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `local().ensure([list])`; in the list `ROOT` stands for the folder.
    fn ensure(&self, arguments: &[&str], list: &str) -> Output {
        let list = list.replace("ROOT", &self.0.path().display().to_string());
        let script = format!("print(local().ensure([{list}]))");
        k3srun(self.0.path()).args(arguments).args(["-e", &script]).output().unwrap()
    }

    /// What the run said, with `ROOT` for the folder and without its last line, which has times in it.
    fn said(&self, output: &Output) -> String {
        let text = said(output).replace(&self.0.path().display().to_string(), "ROOT");
        let lines: Vec<&str> = text.lines().filter(|line| !line.contains("  log: ")).collect();
        lines.join("\n")
    }

    /// The names of what is in the folder, without what k3srun stores for itself.
    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != "state").collect();
        names.sort();
        names
    }
}

/// Permission bits.
fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

const FILES: &str = r#"
    directory("ROOT/a/b", #{ mode: "0750" }),
    file("ROOT/a/b/plain", #{ content: "one\ntwo\n", mode: "0640" }),
    file("ROOT/a/b/template", #{ template: "{% for n in names %}{{ n }}\n{% endfor %}", vars: #{ names: ["x", "y"] } }),
    symlink("ROOT/a/link", "b/plain"),
    line("ROOT/a/b/lines", "first"),
    line("ROOT/a/b/lines", "Port 22", #{ matching: "^#?Port" }),
    block("ROOT/a/b/lines", "in\nside"),
    command("note", #{ run: "echo noted >ROOT/a/note", creates: "ROOT/a/note" }),
    absent("ROOT/gone")"#;

#[test]
fn a_second_run_finds_nothing_to_do() {
    let folder = Folder::new();
    fs::write(folder.path("gone"), "").unwrap();
    assert!(said(&folder.ensure(&[], FILES)).starts_with("9 changed, 0 ok\n"));
    assert_eq!(fs::read_to_string(folder.path("a/b/template")).unwrap(), "x\ny\n");
    assert_eq!(
        fs::read_to_string(folder.path("a/b/lines")).unwrap(),
        "first\nPort 22\n# BEGIN k3srun\nin\nside\n# END k3srun\n"
    );
    assert_eq!((mode(&folder.path("a/b")), mode(&folder.path("a/b/plain"))), (0o750, 0o640));
    assert_eq!(fs::read_link(folder.path("a/link")).unwrap(), Path::new("b/plain"));
    assert_eq!(folder.names(), ["a"]);
    assert!(said(&folder.ensure(&[], FILES)).starts_with("0 changed, 9 ok\n"));
}

#[test]
fn a_plan_shows_the_difference_and_changes_nothing() {
    let folder = Folder::new();
    fs::write(folder.path("old"), "one\ntwo\nthree\n").unwrap();
    let list = r#"
        directory("ROOT/new", #{ mode: "0700" }),
        file("ROOT/new/file", #{ content: "hello\n" }),
        file("ROOT/old", #{ content: "one\n2\nthree\n", mode: "0600" })"#;
    let output = folder.ensure(&["--plan"], list);
    assert_eq!(
        folder.said(&output),
        "3 changed, 0 ok
local: would change directory:ROOT/new: created
local: would change file:ROOT/new/file: created
--- /dev/null
+++ ROOT/new/file
@@ -0,0 +1 @@
+hello
local: would change file:ROOT/old: content, mode 0644 -> 0600
--- ROOT/old
+++ ROOT/old
@@ -1,3 +1,3 @@
 one
-two
+2
 three"
    );
    assert_eq!(folder.names(), ["old"]);
    assert_eq!(fs::read_to_string(folder.path("old")).unwrap(), "one\ntwo\nthree\n");
}

#[test]
fn secret_content_is_never_shown() {
    let folder = Folder::new();
    fs::write(folder.path("key"), "oldsecretvalue").unwrap();
    let list = r#"
        file("ROOT/key", #{ content: "newsecretvalue", secret: true }),
        file("ROOT/template", #{ template: "key={{ key }}", vars: #{ key: secret("othersecretvalue") } })"#;
    for arguments in [["--plan", "-vv"], ["--output", "json"]] {
        let output = folder.ensure(&arguments, list);
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains("content differs, not shown"), "{}", said(&output));
        assert!(!said(&output).contains("secretvalue"), "{}", said(&output));
    }
    let found = Command::new("grep").args(["-r", "secretvalue"]).arg(folder.path("state")).output().unwrap();
    assert_eq!(said(&found), "", "the run log has the secret");
    assert_eq!(fs::read_to_string(folder.path("template")).unwrap(), "key=othersecretvalue");
    assert_eq!(mode(&folder.path("template")), 0o600);
}

#[test]
fn all_that_is_wrong_with_a_list_is_told_at_once_and_nothing_is_changed() {
    let folder = Folder::new();
    let list = r#"
        directory("/nowhere/new"),
        file("etc/motd", #{ content: "" }),
        file("/nowhere/x", #{ source: "/nowhere/missing" }),
        file("/nowhere/y", #{ template: "{{ name }}" }),
        file("/nowhere/z", #{ content: "", owner: "a b", validate: "true" }),
        file("/nowhere/w", #{ content: "" }),
        absent("/nowhere/w"),
        line("/nowhere/w", "one"),
        absent("/etc"),
        directory("/nowhere/new"),
        packages(["nginx; reboot"]),
        service("nginx&"),
        sysctl("vm swappiness", 1),
        line("/nowhere/l", "x", #{ matching: "(" }),
        user("Root"),
        authorized_key("root", "-----BEGIN OPENSSH PRIVATE KEY-----"),
        hostname("my_host"),
        hosts_entry("10.0.0.300", "x"),
        kernel_module("a b"),
        mount("/", #{ device: "/dev/sda", fstype: "ext4" })"#;
    let output = folder.ensure(&["--output", "json"], list);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert_eq!(events_of(&output, "connection").len(), 1);
    assert_eq!(events_of(&output, "connection")[0]["round_trips"], 0, "something was read");
    assert_eq!(folder.names(), Vec::<String>::new());
    let output = folder.ensure(&[], list);
    insta::assert_snapshot!(folder.said(&output));
}

#[test]
fn what_follows_a_failure_is_not_done_and_the_next_run_goes_on() {
    let folder = Folder::new();
    let list = r#"
        file("ROOT/1", #{ content: "1" }),
        command("two", #{ run: "echo looking for ROOT/ready >&2; test -e ROOT/ready; touch ROOT/2", creates: "ROOT/2" }),
        file("ROOT/3", #{ content: "3" })"#;
    let output = folder.ensure(&[], list);
    assert_eq!(output.status.code(), Some(3));
    let said = folder.said(&output);
    assert!(said.contains("command:two: could not be done (runs): exit status 1"), "{said}");
    assert!(said.contains("looking for ROOT/ready"), "{said}");
    assert!(said.contains("done before it: file:ROOT/1"), "{said}");
    assert_eq!(folder.names(), ["1"]);
    fs::write(folder.path("ready"), "").unwrap();
    assert!(folder.said(&folder.ensure(&[], list)).starts_with("2 changed, 1 ok"));
}

#[test]
fn content_that_is_not_accepted_is_not_put_in_place() {
    let folder = Folder::new();
    fs::write(folder.path("rules"), "good\n").unwrap();
    let list = r#"file("ROOT/rules", #{ content: "bad\n", validate: "grep -q good %" })"#;
    let output = folder.ensure(&[], list);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("the new content was not accepted"), "{}", said(&output));
    assert_eq!(fs::read_to_string(folder.path("rules")).unwrap(), "good\n");
    assert_eq!(folder.names(), ["rules"], "something was left behind");
}

#[test]
fn a_line_goes_into_the_file_that_a_step_before_it_brings() {
    let folder = Folder::new();
    let list = r#"
        command("package", #{ run: "printf 'shipped\\n' >ROOT/conf", creates: "ROOT/conf" }),
        line("ROOT/conf", "ours"),
        file("ROOT/after", #{ content: "" })"#;
    let output = folder.ensure(&[], list);
    assert!(folder.said(&output).starts_with("3 changed, 0 ok"), "{}", folder.said(&output));
    assert_eq!(fs::read_to_string(folder.path("conf")).unwrap(), "shipped\nours\n");
}

#[test]
fn large_files_come_from_this_machine_byte_by_byte() {
    let folder = Folder::new();
    let bytes: Vec<u8> = (0..3_000_000_u64).map(|n| ((n * n) >> 7) as u8).collect();
    fs::write(folder.path("source"), &bytes).unwrap();
    let list = r#"file("ROOT/target", #{ source: "ROOT/source", mode: "0755" })"#;
    assert!(folder.said(&folder.ensure(&[], list)).starts_with("1 changed"));
    assert_eq!(fs::read(folder.path("target")).unwrap(), bytes);
    assert!(folder.said(&folder.ensure(&[], list)).starts_with("0 changed, 1 ok"));
    assert_eq!(folder.names(), ["source", "target"]);
}

#[test]
fn what_is_in_the_way_is_not_removed_silently() {
    let folder = Folder::new();
    fs::create_dir(folder.path("folder")).unwrap();
    fs::write(folder.path("file"), "").unwrap();
    for (list, problem) in [
        (r#"file("ROOT/folder", #{ content: "" })"#, "there is a directory at this path"),
        (r#"symlink("ROOT/folder", "x")"#, "there is a directory at this path"),
        (r#"directory("ROOT/file")"#, "there is a file at this path"),
        (r#"file("ROOT/missing/file", #{ content: "" })"#, "the folder ROOT/missing does not exist"),
    ] {
        let output = folder.ensure(&[], list);
        assert_eq!(output.status.code(), Some(2), "{list}");
        assert!(folder.said(&output).contains(problem), "{list}: {}", folder.said(&output));
    }
    assert_eq!(folder.names(), ["file", "folder"]);
}

#[test]
fn wrong_options_are_named_with_the_right_ones() {
    let folder = Folder::new();
    for (list, problem) in [
        (r#"file("ROOT/x", #{ contents: "" })"#, "did you mean `content`?"),
        (r#"file("ROOT/x", #{ content: "", mode: 0o644 })"#, "a mode is text of three or four octal digits"),
        (r#"file("ROOT/x", #{ content: "", mode: "0999" })"#, "\"0999\" is not a valid mode"),
        (
            r#"file("ROOT/x", #{ content: "", source: "y" })"#,
            "give one of the options `content`, `template` and `source`",
        ),
        (r#"file("ROOT/x", #{ content: "", vars: #{} })"#, "the option `vars` goes with `template`"),
        (r#"command("x", #{ run: "true" })"#, "give one of the options `unless` and `creates`"),
        (r#"service("x", #{ state: "up" })"#, "`running`"),
        (r#"service("x", #{ restart_on: [1] })"#, "is a list of resources or their ids, not i64"),
        (r#"packages([1])"#, "a name of a package is text, not i64"),
        (r#"42"#, "the list has a value of type i64 in it, which is not a resource"),
    ] {
        let output = folder.ensure(&[], list);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{list}");
        assert!(said(&output).contains(problem), "{list}: {}", said(&output));
    }
    assert_eq!(folder.names(), Vec::<String>::new());
}
