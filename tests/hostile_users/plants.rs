//! What a user plants in folders of their own.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Instant;

use libtest_mimic::Trial;

use super::scene::Scene;

pub fn trials() -> Vec<Trial> {
    super::trials(&[
        ("a_link_of_the_name_that_uploads_once_used", a_link_of_the_name_that_uploads_once_used),
        ("links_for_authorized_keys", links_for_authorized_keys),
        ("a_pipe_stops_no_plan", a_pipe_stops_no_plan),
        ("links_in_place_of_what_gets_its_attributes", links_in_place_of_what_gets_its_attributes),
        ("a_link_in_place_of_a_folder", a_link_in_place_of_a_folder),
        ("a_link_in_a_synced_folder", a_link_in_a_synced_folder),
        ("links_in_place_of_what_is_read", links_in_place_of_what_is_read),
        ("a_link_of_roots_into_a_home", a_link_of_roots_into_a_home),
        ("another_owner_is_refused", another_owner_is_refused),
        ("in_a_home_everything_is_the_users", in_a_home_everything_is_the_users),
        ("a_mount_point_of_a_user", a_mount_point_of_a_user),
    ])
}

fn a_link_of_the_name_that_uploads_once_used() {
    let scene = Scene::new();
    scene.app("echo old >conf; ln -s ROOT/rootonly/shadow .conf.k3srun");
    let finished = scene.root("local().upload(\"test.rhai\", \"HOME/conf\", #{ mode: \"0644\" })");
    assert_eq!(finished.status, Some(0), "{}", finished.stderr);
    assert!(scene.app("cat conf").contains("upload"));
    assert_eq!(fs::metadata(scene.home("conf")).unwrap().uid(), scene.uid);
    scene.untouched();
}

const KEY: &str =
    "local().ensure([authorized_key(\"APP\", \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8T ada@example.org\")])";

fn links_for_authorized_keys() {
    let scene = Scene::new();
    scene.app("mkdir .ssh; ln -s ROOT/rootonly/shadow .ssh/authorized_keys");
    scene.fails(KEY, &["authorized_key:APP:ada@example.org", "~/.ssh/authorized_keys is not a regular file"]);
    // The folder: what its owner may not change, root does not change for them.
    scene.app("rm -r .ssh; ln -s ROOT/rootonly .ssh");
    scene.fails(KEY, &["HOME/.ssh/authorized_keys was left to the user APP, who can change HOME"]);
    scene.app("rm .ssh; mkdir .ssh; echo 'ssh-rsa AAAA old' >.ssh/authorized_keys");
    let finished = scene.root(KEY);
    assert_eq!(finished.status, Some(0), "{}", finished.stderr);
    assert_eq!(
        scene.app("wc -l <.ssh/authorized_keys; stat -c '%a %U' .ssh/authorized_keys"),
        scene.words("2\n600 APP")
    );
}

fn a_pipe_stops_no_plan() {
    let scene = Scene::new();
    scene.app("mkdir .ssh; mkfifo .ssh/authorized_keys conf");
    let start = Instant::now();
    let list = format!(
        "{}; local().ensure([line(\"HOME/conf\", \"x\")])",
        KEY.replace(")])", "), file(\"HOME/conf\", #{ content: \"x\" })])")
    );
    scene.fails(
        &format!("run_plan(); {list}").replace("run_plan(); ", ""),
        &["~/.ssh/authorized_keys is not a regular file"],
    );
    scene.fails("local().ensure([line(\"HOME/conf\", \"x\")])", &["HOME/conf is a fifo"]);
    scene.fails("local().read(\"HOME/conf\")", &["HOME/conf is not a regular file", "was left to the user APP"]);
    scene.fails("local().download(\"HOME/conf\", \"here\")", &["no such file: HOME/conf"]);
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

/// The step before swaps them as the user would do it, in the time that it takes.
fn links_in_place_of_what_gets_its_attributes() {
    let scene = Scene::new();
    scene.app("mkdir data data2; chmod 700 data; echo x >conf; chmod 600 conf; cp conf secret");
    let swap = "setpriv --reuid APP --regid APP --clear-groups sh -c 'cd HOME; rm -r data conf secret; ln -s ROOT/rootonly/etc data; \
                ln -s ROOT/rootonly/shadow conf; ln -s ROOT/rootonly/shadow secret'";
    for wanted in [
        "directory(\"HOME/data\", #{ owner: \"APP\", mode: \"0755\" })",
        "file(\"HOME/conf\", #{ content: \"x\\n\", owner: \"APP\", mode: \"0644\" })",
        "file(\"HOME/secret\", #{ content: \"y\\n\", owner: \"APP\", mode: \"0644\" })",
    ] {
        scene.root(&format!(
            "local().ensure([command(\"slow\", #{{ run: `{swap}`, creates: \"ROOT/never\" }}), {wanted}])"
        ));
        scene.untouched();
        scene.app("rm -rf data conf secret; mkdir data; chmod 700 data; echo x >conf; chmod 600 conf; cp conf secret");
    }
}

fn a_link_in_place_of_a_folder() {
    let scene = Scene::new();
    scene.app("ln -s ROOT/rootonly/units conf.d; ln -s ROOT/rootonly/etc etc");
    let reason = "was left to the user APP, who can change HOME: Permission denied";
    let reason = reason.split(':').next().unwrap();
    scene.fails(
        "local().ensure([file(\"HOME/conf.d/x.service\", #{ content: \"x\", owner: \"APP\" })])",
        &["HOME/conf.d/x.service", reason],
    );
    scene.fails("local().upload(\"test.rhai\", \"HOME/etc/hosts\")", &["HOME/etc/hosts", reason]);
    scene.fails("local().ensure([directory(\"HOME/etc/new\")])", &["HOME/etc/new", reason]);
    scene.fails("local().ensure([symlink(\"HOME/etc/link\", \"x\")])", &["HOME/etc/link", reason]);
    scene.fails("local().ensure([absent(\"HOME/etc/shadow\")])", &["HOME/etc/shadow", reason]);
    scene.fails("local().ensure([line(\"HOME/etc/conf\", \"x\")])", &["HOME/etc/conf"]);
    scene.fails("local().ensure([directory(\"HOME/etc\", #{ mode: \"0755\" })])", &["there is a symlink at this path"]);
}

fn a_link_in_a_synced_folder() {
    let scene = Scene::new();
    let sync = "local().run(\"mkdir -p tree/sub; echo x >tree/sub/shadow; echo x >tree/top\", #{ cwd: FOLDER }); \
                local().sync_dir(`${FOLDER}/tree`, \"HOME/site\", #{ delete: true })";
    let sync = sync.replace("FOLDER", "\"ROOT/here\"").replace("`${\"ROOT/here\"}/tree`", "\"ROOT/here/tree\"");
    fs::create_dir(scene.path("here")).unwrap();
    scene.app("mkdir site; ln -s ROOT/rootonly site/sub; ln -s ROOT/rootonly/shadow site/top");
    let finished = scene.root(&sync);
    assert_eq!(finished.status, Some(0), "{}", finished.stderr);
    assert_eq!(scene.app("cat site/top site/sub/shadow"), "x\nx");
    scene.untouched();
    scene.app("rm -r site; ln -s ROOT/rootonly site");
    scene.fails(&sync, &["directory:HOME/site"]);
}

fn links_in_place_of_what_is_read() {
    let scene = Scene::new();
    scene.app("ln -s ROOT/rootonly/shadow log; ln -s ROOT/rootonly etc; echo mine >mine; ln -s mine link");
    let reason = "was left to the user APP, who can change HOME";
    scene.fails("local().read(\"HOME/log\")", &["HOME/log", reason]);
    scene.fails("local().read(\"HOME/etc/shadow\")", &["HOME/etc/shadow", reason]);
    scene.fails("local().download(\"HOME/etc/shadow\", \"here\")", &["HOME/etc/shadow"]);
    scene.fails("local().download(\"HOME/log\", \"here\")", &["HOME/log"]);
    assert_eq!(scene.root("print(local().read(\"HOME/link\"))").printed(), "mine\n\n");
}

/// Root's own links are followed, but only by root's eyes: what they lead to can be somebody else's.
fn a_link_of_roots_into_a_home() {
    let scene = Scene::new();
    std::os::unix::fs::symlink(scene.home("data"), scene.path("data")).unwrap();
    std::os::unix::fs::symlink("../rootonly/../data", scene.path("odd")).unwrap();
    scene.app("ln -s ROOT/rootonly/etc data");
    scene.fails(
        "local().ensure([file(\"ROOT/data/new\", #{ content: \"x\" })])",
        &["ROOT/data/new was left to the user APP"],
    );
    scene.fails(
        "local().ensure([file(\"ROOT/odd/new\", #{ content: \"x\" })])",
        &["has .. in the middle of its target"],
    );
    scene.app("rm data; mkdir data");
    let finished = scene.root("local().ensure([file(\"ROOT/data/new\", #{ content: \"x\" })])");
    assert_eq!(finished.status, Some(0), "{}", finished.stderr);
    assert_eq!(fs::metadata(scene.home("data/new")).unwrap().uid(), scene.uid);
}

fn another_owner_is_refused() {
    let scene = Scene::new();
    let reason = "HOME belongs to APP, who can change what is in it: nothing there can belong to root";
    for wanted in [
        "file(\"HOME/new\", #{ content: \"x\", owner: \"root\" })",
        "directory(\"HOME/new\", #{ owner: \"root\" })",
        "directory(\"HOME/new/deep\", #{ owner: \"0\" })",
    ] {
        scene.fails(
            &format!("local().ensure([{wanted}])"),
            &[&reason.replace("root", if wanted.contains("\"0\"") { "0" } else { "root" })],
        );
    }
    // The folder is given away by the same list.
    let list = "local().ensure([directory(\"ROOT/app\", #{ owner: \"APP\" }), file(\"ROOT/app/new\", #{ content: \"x\", owner: \"root\" })])";
    scene.fails(list, &["file:ROOT/app/new: ROOT/app belongs to APP, who can change what is in it"]);
    assert!(!scene.path("app").exists());
}

fn in_a_home_everything_is_the_users() {
    let scene = Scene::new();
    let list = r#"[directory("HOME/a/b", #{ mode: "0750" }), file("HOME/a/b/file", #{ content: "one\n", mode: "0640" }),
        symlink("HOME/a/link", "b/file"), line("HOME/a/b/lines", "first"), block("HOME/a/b/lines", "in"), absent("HOME/gone")]"#;
    scene.app("mkdir -p gone/deep; echo >gone/deep/x");
    for said in ["6 changed, 0 ok\n", "0 changed, 6 ok\n"] {
        assert_eq!(scene.root(&format!("print(local().ensure({list}))")).printed(), said);
    }
    let found = scene.app("find a -printf '%P %U %m\\n' | sort");
    let uid = scene.uid;
    assert_eq!(found, format!("{uid} 755\nb {uid} 750\nb/file {uid} 640\nb/lines {uid} 644\nlink {uid} 777"));
    // What root made there once becomes the user's with the next change, and that is said.
    fs::write(scene.home("a/old"), "old\n").unwrap();
    let finished = scene.root("local().ensure([file(\"HOME/a/old\", #{ content: \"new\\n\" })])");
    assert!(finished.stderr.contains(&scene.words("content, owner root -> APP")), "{}", finished.stderr);
    assert_eq!(scene.app("stat -c %U a/old"), scene.app.name);
}

fn a_mount_point_of_a_user() {
    let scene = Scene::new();
    scene.app("ln -s ROOT/rootonly mnt");
    scene.fails(
        "local().ensure([mount(\"HOME/mnt\", #{ device: \"tmpfs\", fstype: \"tmpfs\" })])",
        &["HOME/mnt: others can change what this path means"],
    );
    assert!(!fs::read_to_string("/etc/fstab").unwrap_or_default().contains(&scene.app.name));
}
