//! Folders of root's in which others can write, too.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use libtest_mimic::Trial;

use super::scene::{Scene, mode};

pub fn trials() -> Vec<Trial> {
    super::trials(&[
        ("in_a_folder_of_a_group_root_makes_its_own", in_a_folder_of_a_group_root_makes_its_own),
        ("what_others_could_rename_is_no_way", what_others_could_rename_is_no_way),
        ("in_a_folder_for_all_a_planted_file_decides_nothing", in_a_folder_for_all_a_planted_file_decides_nothing),
        ("large_content_has_no_name_that_one_could_know", large_content_has_no_name_that_one_could_know),
    ])
}

/// A folder like Ubuntu's /var/log.
fn group_folder(scene: &Scene) {
    fs::create_dir(scene.path("log")).unwrap();
    std::os::unix::fs::chown(scene.path("log"), Some(0), Some(scene.gid)).unwrap();
    mode(&scene.path("log"), 0o775);
}

fn in_a_folder_of_a_group_root_makes_its_own() {
    let scene = Scene::new();
    group_folder(&scene);
    let list = r#"[directory("ROOT/log/app", #{ owner: "APP", mode: "0750" }), file("ROOT/log/file", #{ content: "x\n" }),
        symlink("ROOT/log/link", "file"), file("ROOT/log/app/x", #{ content: "x\n" })]"#;
    for said in ["4 changed, 0 ok\n", "0 changed, 4 ok\n"] {
        assert_eq!(scene.root(&format!("print(local().ensure({list}))")).printed(), said);
    }
    assert_eq!(fs::metadata(scene.path("log/app/x")).unwrap().uid(), scene.uid);
    assert_eq!(fs::metadata(scene.path("log/file")).unwrap().uid(), 0);
    assert_eq!(scene.root("print(local().read(\"ROOT/log/file\"))").printed(), "x\n\n");
    let gone = "local().ensure([absent(\"ROOT/log/app\"), absent(\"ROOT/log/file\"), absent(\"ROOT/log/link\")])";
    assert_eq!(scene.root(&format!("print({gone})")).printed(), "3 changed, 0 ok\n");
    assert_eq!(fs::read_dir(scene.path("log")).unwrap().count(), 0);
}

fn what_others_could_rename_is_no_way() {
    let scene = Scene::new();
    group_folder(&scene);
    fs::create_dir(scene.path("log/private")).unwrap();
    fs::write(scene.path("log/file"), "x\n").unwrap();
    mode(&scene.path("log/file"), 0o600);
    let reason = "others than root can write in ROOT/log and rename ROOT/log/private";
    scene.fails("local().ensure([file(\"ROOT/log/private/x\", #{ content: \"x\" })])", &[reason, "chmod +t"]);
    let reason = "others than root can put something else in its place";
    scene.fails("local().ensure([directory(\"ROOT/log/private\", #{ mode: \"0700\" })])", &[reason]);
    scene.app("ln -s ROOT/rootonly/shadow ROOT/log/log");
    scene.fails("local().read(\"ROOT/log/log\")", &["ROOT/log/log was left to the user"]);
    scene.fails("local().read(\"ROOT/log/file\")", &["ROOT/log/file was left to the user nobody"]);
}

fn in_a_folder_for_all_a_planted_file_decides_nothing() {
    let scene = Scene::new();
    fs::create_dir(scene.path("tmp")).unwrap();
    mode(&scene.path("tmp"), 0o1777);
    scene.app("echo >ROOT/tmp/key; chmod 666 ROOT/tmp/key; ln -s ROOT/rootonly/shadow ROOT/tmp/link; ln -s ROOT/rootonly ROOT/tmp/way");
    for name in ["key", "link"] {
        let script = format!("local().ensure([file(\"ROOT/tmp/{name}\", #{{ content: \"mine\", secret: true }})])");
        assert_eq!(scene.root(&script).status, Some(0));
        let made = fs::symlink_metadata(scene.path(&format!("tmp/{name}"))).unwrap();
        assert_eq!((made.uid(), made.mode() & 0o7777, made.is_file()), (0, 0o600, true));
    }
    scene.fails(
        "local().ensure([file(\"ROOT/tmp/way/x\", #{ content: \"x\" })])",
        &["ROOT/tmp/way/x", "left to the user APP"],
    );
    // What is root's there stays where it is.
    let deep = "local().ensure([directory(\"ROOT/tmp/a/b\"), file(\"ROOT/tmp/a/b/x\", #{ content: \"x\" })])";
    assert_eq!(scene.root(deep).status, Some(0));
    assert_eq!(fs::metadata(scene.path("tmp/a/b/x")).unwrap().uid(), 0);
    scene.untouched();
}

fn large_content_has_no_name_that_one_could_know() {
    let scene = Scene::new();
    let text = "0123456789abcdef".repeat(70_000);
    let sum = scene.root(&format!("print(local().query(\"printf '{text}' | sha256sum\").stdout)")).printed();
    let planted = format!("/var/tmp/.k3srun.{}", sum.split(' ').next().unwrap());
    std::os::unix::fs::symlink(scene.path("rootonly/shadow"), &planted).unwrap();
    std::os::unix::fs::lchown(&planted, Some(scene.uid), Some(scene.gid)).unwrap();
    let finished = scene.root(&format!("local().ensure([file(\"ROOT/large\", #{{ content: \"{text}\" }})])"));
    fs::remove_file(&planted).unwrap();
    assert_eq!(finished.status, Some(0), "{}", finished.stderr);
    assert_eq!(fs::read_to_string(scene.path("large")).unwrap(), text);
    scene.untouched();
}
