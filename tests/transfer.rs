//! Files between this machine and a host: read, upload, download, folders.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use support::playbook::Playbook;
use support::sshd::Sshd;

/// Bytes of every value, line ends of every kind, no line end at the end.
fn awkward(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n * 7 + n / 251) as u8).collect()
}

#[test]
fn an_uploaded_file_is_the_same_and_the_second_time_nothing_is_done() {
    let sshd = Sshd::start();
    let there = tempfile::tempdir().unwrap();
    let target = there.path().join("a b.bin");
    for size in [0, 1, 9_000_001] {
        let playbook = Playbook::new(&format!(
            "let h = {}; let to = \"{}\"; print(h.upload(\"local\", to, #{{ mode: \"0751\" }})); print(h.upload(\"local\", to));",
            sshd.connect(),
            target.display()
        ));
        fs::write(playbook.folder().join("local"), awkward(size)).unwrap();
        assert_eq!(playbook.run().printed(), "true\nfalse\n");
        assert_eq!(fs::read(&target).unwrap(), awkward(size));
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o7777, 0o751);
    }
    assert_eq!(fs::read_dir(&there).unwrap().count(), 1, "a temporary file was left behind");
}

#[test]
fn a_plan_uploads_nothing_and_says_what_it_would() {
    let there = tempfile::tempdir().unwrap();
    let target = there.path().join("new");
    let script = format!("print(local().upload(\"test.rhai\", \"{}\"))", target.display());
    let finished = Playbook::new(&script).option("--plan").run();
    assert!(
        finished.stderr.contains(&format!("would change file:{}: created", target.display())),
        "{}",
        finished.stderr
    );
    assert_eq!(finished.printed(), "true\n");
    assert!(!target.exists());
}

#[test]
fn a_file_with_another_sum_is_refused() {
    let script = "local().upload(\"test.rhai\", \"/tmp/never\", #{ sha256: \"00\" })";
    let finished = Playbook::new(script).run();
    assert_eq!(finished.status, Some(2));
    assert!(finished.stderr.contains("this is not the expected content"), "{}", finished.stderr);
}

#[test]
fn an_upload_into_a_missing_folder_names_it() {
    let finished = Playbook::new("local().upload(\"test.rhai\", \"/no/such/folder/file\")").run();
    assert_eq!(finished.status, Some(2));
    assert!(finished.stderr.contains("the folder /no/such/folder does not exist"), "{}", finished.stderr);
    assert!(finished.stderr.contains("directory(\"/no/such/folder\")"), "{}", finished.stderr);
}

#[test]
fn a_downloaded_file_is_the_same_with_its_mode() {
    let sshd = Sshd::start();
    let there = tempfile::tempdir().unwrap();
    let source = there.path().join("it's");
    fs::write(&source, awkward(20_000_001)).unwrap();
    fs::set_permissions(&source, fs::Permissions::from_mode(0o640)).unwrap();
    let copy = there.path().join("copy");
    let script = format!(
        "let h = {}; let from = \"{}\"; let to = \"{}\"; print(h.download(from, to)); print(h.download(from, to));",
        sshd.connect(),
        source.display(),
        copy.display()
    );
    assert_eq!(Playbook::new(&script).run().printed(), "true\nfalse\n");
    assert_eq!(fs::read(&copy).unwrap(), awkward(20_000_001));
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn read_and_exists_tell_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "one\r\ntwo\n").unwrap();
    let script = format!(
        "let h = local(); print(h.read(\"{0}\") == \"one\\r\\ntwo\\n\"); print(h.exists(\"{0}\")); print(h.exists(\"{0}.not\"));",
        file.display()
    );
    assert_eq!(Playbook::new(&script).run().printed(), "true\ntrue\nfalse\n");
    fs::write(&file, [0xff, 0xfe]).unwrap();
    let finished = Playbook::new(&format!("local().read(\"{}\")", file.display())).run();
    assert!(finished.stderr.contains("is not valid UTF-8"), "{}", finished.stderr);
}

/// A folder with files, folders, links, awkward names and modes.
fn tree(root: &std::path::Path) {
    for folder in ["a/b c", "empty", "logs"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    for (name, content) in
        [("top", "1"), ("a/b c/it's", "2"), ("a/-rf", "3"), ("logs/x.log", "4"), ("a/big", &"5".repeat(300_000))]
    {
        fs::write(root.join(name), content).unwrap();
    }
    fs::set_permissions(root.join("top"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(root.join("empty"), fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::symlink("../top", root.join("a/link")).unwrap();
}

/// Every path below a folder with its mode, and content or target.
fn listing(root: &std::path::Path) -> Vec<String> {
    let script = "find . -mindepth 1 -printf '%P %y %m %l ' \\( -type f -exec sh -c 'sha256sum <\"$1\"' - {} \\; -o -printf '\\n' \\) | sort";
    let output = std::process::Command::new("sh").args(["-c", script]).current_dir(root).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_synced_folder_is_the_same_and_the_second_time_nothing_is_done() {
    let sshd = Sshd::start();
    let there = tempfile::tempdir().unwrap();
    let target = there.path().join("target");
    let sync = |options: &str, here: &dyn Fn(&std::path::Path), flag: &[&str]| {
        let playbook = Playbook::new(&format!(
            "print({}.sync_dir(\"tree\", \"{}\", #{{ {options} }}))",
            sshd.connect(),
            target.display()
        ));
        let root = playbook.folder().join("tree");
        tree(&root);
        here(&root);
        let wanted = listing(&root);
        let finished = flag.iter().fold(playbook, |playbook, flag| playbook.option(flag)).run();
        (wanted, finished)
    };
    let same = |_: &std::path::Path| {};

    let (_, plan) = sync("", &same, &["--plan"]);
    assert!(plan.stderr.contains("+ a/b c/it's"), "{}", plan.stderr);
    assert_eq!(plan.printed(), "true\n");
    assert!(!target.exists(), "a plan changed something");

    let (wanted, first) = sync("", &same, &[]);
    assert_eq!(first.printed(), "true\n");
    assert_eq!(listing(&target), wanted);
    assert_eq!(sync("", &same, &[]).1.printed(), "false\n");

    // Another content, another mode, a file where a link was, something more and something less.
    fs::write(target.join("only there"), "").unwrap();
    fs::create_dir_all(target.join("gone/deep")).unwrap();
    let changed = |root: &std::path::Path| {
        fs::write(root.join("a/-rf"), "new").unwrap();
        fs::set_permissions(root.join("top"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::remove_file(root.join("a/link")).unwrap();
        fs::write(root.join("a/link"), "no link").unwrap();
    };
    let (_, second) = sync("", &changed, &[]);
    assert_eq!(second.printed(), "true\n");
    assert!(target.join("only there").exists(), "deleted without being asked");
    let (wanted, third) = sync("delete: true", &changed, &[]);
    assert_eq!(third.printed(), "true\n");
    assert_eq!(listing(&target), wanted);

    // What is excluded is neither sent nor deleted.
    fs::write(target.join("keep.log"), "").unwrap();
    let (_, fourth) = sync("delete: true, exclude: [\"*.log\"]", &changed, &[]);
    assert_eq!(fourth.printed(), "false\n");
    assert!(target.join("keep.log").exists());
}

#[test]
fn a_folder_on_the_host_gives_way_to_a_file_only_if_asked() {
    let there = tempfile::tempdir().unwrap();
    fs::create_dir_all(there.path().join("name/inside")).unwrap();
    let run = |options: &str| {
        let playbook = Playbook::new(&format!(
            "print(local().sync_dir(\"tree\", \"{}\", #{{ {options} }}))",
            there.path().display()
        ));
        fs::create_dir(playbook.folder().join("tree")).unwrap();
        fs::write(playbook.folder().join("tree/name"), "file").unwrap();
        playbook.run()
    };
    let finished = run("");
    assert_eq!(finished.status, Some(2));
    assert!(finished.stderr.contains("name is a folder there and none here"), "{}", finished.stderr);
    assert_eq!(run("delete: true").printed(), "true\n");
    assert_eq!(fs::read_to_string(there.path().join("name")).unwrap(), "file");
}

#[test]
fn a_pattern_that_is_none_is_refused() {
    let finished = Playbook::new("local().sync_dir(\".\", \"/tmp/never\", #{ exclude: [\"[\"] })").run();
    assert_eq!(finished.status, Some(2));
    assert!(finished.stderr.contains("`[` is not a valid pattern"), "{}", finished.stderr);
}
