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
        finished.stderr.contains(&format!("would change file:{}: uploaded", target.display())),
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
    assert!(finished.stderr.contains("test.rhai is not the expected file"), "{}", finished.stderr);
}

#[test]
fn an_upload_into_a_missing_folder_names_it() {
    let finished = Playbook::new("local().upload(\"test.rhai\", \"/no/such/folder/file\")").run();
    assert_eq!(finished.status, Some(3));
    assert!(finished.stderr.contains("can't write /no/such/folder/"), "{}", finished.stderr);
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
    assert!(finished.stderr.contains("is no text in UTF-8"), "{}", finished.stderr);
}
