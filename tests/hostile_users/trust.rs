//! What is not taken from others: modes, times, names, locks; and what is not shown to them, not even for a moment.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;
use std::time::{Duration, SystemTime};

use libtest_mimic::Trial;

use super::scene::{Scene, mode};
use super::support::user::User;

pub fn trials() -> Vec<Trial> {
    super::trials(&[
        ("a_download_has_no_set_user_id_bit", a_download_has_no_set_user_id_bit),
        ("a_synced_file_keeps_its_time", a_synced_file_keeps_its_time),
        ("an_upload_keeps_an_owner_without_a_name", an_upload_keeps_an_owner_without_a_name),
        ("the_lock_of_a_user_is_where_nobody_else_can_make_one", the_lock_of_a_user_is_where_nobody_else_can_make_one),
        ("a_nul_is_refused", a_nul_is_refused),
        ("the_mark_of_an_answer_is_in_no_argument_list", the_mark_of_an_answer_is_in_no_argument_list),
    ])
}

fn a_download_has_no_set_user_id_bit() {
    let scene = Scene::new();
    fs::write(scene.path("log"), "x\n").unwrap();
    mode(&scene.path("log"), 0o6777);
    let script = "local().download(\"ROOT/log\", \"ROOT/here\")";
    assert_eq!(scene.root(script).status, Some(0));
    let bits = fs::metadata(scene.path("here")).unwrap().permissions().mode() & 0o7777;
    assert_eq!(bits & !0o755, 0, "{bits:o}");
}

fn a_synced_file_keeps_its_time() {
    let scene = Scene::new();
    fs::create_dir(scene.path("tree")).unwrap();
    fs::write(scene.path("tree/index.html"), "x\n").unwrap();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    fs::File::options().write(true).open(scene.path("tree/index.html")).unwrap().set_modified(then).unwrap();
    assert_eq!(scene.root("local().sync_dir(\"ROOT/tree\", \"ROOT/site\")").status, Some(0));
    assert_eq!(fs::metadata(scene.path("site/index.html")).unwrap().modified().unwrap(), then);
}

fn an_upload_keeps_an_owner_without_a_name() {
    let scene = Scene::new();
    fs::write(scene.path("conf"), "old\n").unwrap();
    std::os::unix::fs::chown(scene.path("conf"), Some(54321), Some(54321)).unwrap();
    let finished = scene.root("local().upload(\"test.rhai\", \"ROOT/conf\")");
    assert_eq!(finished.status, Some(0), "{}", finished.stderr);
    let is = fs::metadata(scene.path("conf")).unwrap();
    assert_eq!((is.uid(), is.gid()), (54321, 54321));
}

fn the_lock_of_a_user_is_where_nobody_else_can_make_one() {
    let (scene, other) = (Scene::new(), User::create("other", None));
    let uid = fs::metadata(format!("/home/{}", other.name)).unwrap().uid();
    let planted = format!("/tmp/k3srun-{uid}");
    scene.app(&format!("mkdir {planted}; chmod 777 {planted}; ln -s /home/{}/.bashrc {planted}/x.info", other.name));
    // The program may be where only root can go.
    let program = scene.path("k3srun");
    fs::copy(env!("CARGO_BIN_EXE_k3srun"), &program).unwrap();
    mode(&program, 0o755);
    let before = fs::read(format!("/home/{}/.bashrc", other.name)).unwrap();
    let lock = |home: &str| {
        Command::new("setpriv")
            .args([
                "--reuid",
                &other.name,
                "--regid",
                &other.name,
                "--clear-groups",
                "env",
                "-i",
                &format!("HOME={home}"),
            ])
            .args([
                "PATH=/usr/bin:/bin",
                program.to_str().unwrap(),
                "-e",
                "local().lock(\"x\"); print(local().query(\"ls -d ~/.local/state/k3srun/locks/*\").stdout)",
            ])
            .current_dir("/")
            .output()
            .unwrap()
    };
    let output = lock(&format!("/home/{}", other.name));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("locks/x.lock"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read(format!("/home/{}/.bashrc", other.name)).unwrap(), before);
    // Somebody else's folder at this place is refused.
    let home = scene.path("home");
    fs::create_dir_all(home.join(".local/state/k3srun/locks")).unwrap();
    let output = lock(home.to_str().unwrap());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("is somebody else's"), "{said}");
    fs::remove_dir_all(planted).unwrap();
}

fn a_nul_is_refused() {
    let scene = Scene::new();
    for script in ["local().run(\"echo a\\x00b\")", "local().read(\"/etc/host\\x00name\")"] {
        scene.fails(script, &["NUL"]);
    }
}

fn the_mark_of_an_answer_is_in_no_argument_list() {
    let scene = Scene::new();
    // The parent of a script is the shell that ends its answer.
    let script = "for process in $PPID $(cat /proc/$PPID/task/$PPID/children); do \
                  cat /proc/$process/cmdline /proc/$process/environ; done | tr '\\0' '\\n' | \
                  grep -cE '^[0-9a-f]{32}-[0-9]+$' || :";
    assert_eq!(scene.root(&format!("print(local().query(`{script}`).stdout)")).printed(), "0\n");
}
