//! Hundreds of operations of all kinds, while a process of the user's swaps, plants and races in every folder where it can write.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use libtest_mimic::Trial;

use super::attacker::Attacker;
use super::scene::{Scene, listing, mode};

pub fn trials() -> Vec<Trial> {
    super::trials(&[
        ("five_hundred_operations_under_attack", five_hundred_operations_under_attack),
        ("what_is_for_root_is_never_open_to_others", what_is_for_root_is_never_open_to_others),
    ])
}

/// One round; F is the folder. Each operation tells how it ended.
const ROUND: &str = r#"
let h = local();
let say = |what, work| try { work.call(); print(`ok ${what}`) } catch (e) {
    print(`failed ${what}: ${e.message} ${e.help ?? ""} ${e.output ?? ""}`.split("\n").reduce(|all, line| if all == () { line } else { all + " " + line }))
};
"#;

const OPERATIONS: &[(&str, &str)] = &[
    ("conf", r#"h.ensure([file("F/conf", #{ content: `n ${n}\n`, mode: "0640" })])"#),
    ("sub/conf", r#"h.ensure([file("F/sub/conf", #{ content: `n ${n}\n` })])"#),
    ("data", r#"h.ensure([directory("F/data", #{ mode: if n % 2 == 0 { "0755" } else { "0700" } })])"#),
    ("sub/deep/x", r#"h.ensure([directory("F/sub/deep/x", #{ mode: "0750" })])"#),
    ("link", r#"h.ensure([symlink("F/link", `conf${n}`)])"#),
    ("sub/shadow", r#"h.ensure([absent("F/sub/shadow")])"#),
    ("gone", r#"h.ensure([absent("F/gone")])"#),
    ("lines", r#"h.ensure([line("F/lines", `line ${n}`)])"#),
    ("sub/lines", r#"h.ensure([block("F/sub/lines", `block ${n}`)])"#),
    ("up", r#"h.upload("here/up", "F/sub/conf", #{ mode: "0600" })"#),
    ("down", r#"h.download("F/sub/conf", `down/${n}`)"#),
    ("read", r#"print(h.read("F/conf").contains("TOPSECRET"))"#),
    ("site", r#"h.sync_dir("here/tree", "F/site", #{ delete: n % 2 == 0 })"#),
];

fn five_hundred_operations_under_attack() {
    let scene = Scene::new();
    // Where root may write, and the user, too.
    for (name, bits) in [("group", 0o775), ("tmp", 0o1777)] {
        fs::create_dir(scene.path(name)).unwrap();
        std::os::unix::fs::chown(scene.path(name), Some(0), Some(scene.gid)).unwrap();
        mode(&scene.path(name), bits);
    }
    let folders = [scene.home(""), scene.path("group"), scene.path("tmp")];
    let mut script = String::from(ROUND);
    script.push_str("h.run(\"mkdir -p here/tree/a down; echo up >here/up; echo x >here/tree/a/x; echo y >here/tree/top\", #{ cwd: FOLDER });\n");
    script.push_str("for n in 0..13 {\n");
    for (name, folder) in [("HOME", &folders[0]), ("ROOT/group", &folders[1]), ("ROOT/tmp", &folders[2])] {
        for (what, operation) in OPERATIONS {
            let folder = folder.display().to_string();
            let operation = operation.replace("F/", &format!("{}/", folder.trim_end_matches('/')));
            script.push_str(&format!("say.call(\"{name}/{what}\", || {operation});\n"));
        }
    }
    script.push_str("say.call(\"HOME/.ssh\", || h.ensure([authorized_key(\"APP\", `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8T k${n}`)]));\n}\n");
    let playbook = super::support::playbook::Playbook::new("");
    let here = playbook.folder().to_owned();
    let script = scene.words(&script.replace("FOLDER", &format!("\"{}\"", here.display())));
    fs::write(here.join("test.rhai"), script).unwrap();
    let attackers = [Attacker::start(&scene, &folders), Attacker::start(&scene, &folders)];

    let finished = playbook.run();

    drop(attackers);
    let printed = &finished.stdout;
    assert_eq!(finished.status, Some(0), "{printed}{}", finished.stderr);
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for line in printed.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        *counts.entry(word).or_default() += 1;
        assert_ne!(word, "true", "root read its own secret through the user's names");
        if word == "failed" {
            let path = rest.split(": ").next().unwrap();
            let folder = path.rsplit_once('/').unwrap().0;
            assert!(
                line.len() > path.len() + 20
                    && line.contains(folder.trim_end_matches("/sub").trim_end_matches("/sub/deep")),
                "no reason: {line}"
            );
        }
    }
    assert!(counts["ok"] + counts["failed"] >= 500, "{counts:?}");
    assert!(counts["ok"] > 50 && counts["failed"] > 50, "nothing was tried: {counts:?}");
    assert!(!printed.contains("TOPSECRET") && !finished.stderr.contains("TOPSECRET"));
    for entry in fs::read_dir(here.join("down")).into_iter().flatten().flatten() {
        assert!(!fs::read_to_string(entry.path()).unwrap().contains("TOPSECRET"), "root fetched its own secret");
    }
    assert!(!scene.home("hits").exists(), "{}", fs::read_to_string(scene.home("hits")).unwrap());
    scene.untouched();
    println!("{counts:?}");
}

fn what_is_for_root_is_never_open_to_others() {
    let scene = Scene::new();
    let folders: Vec<PathBuf> = vec![scene.path("etc"), scene.path("tmp")];
    for (folder, bits) in folders.iter().zip([0o755, 0o1777]) {
        fs::create_dir(folder).unwrap();
        mode(folder, bits);
    }
    let tree = scene.path("tree");
    fs::create_dir_all(tree.join("private")).unwrap();
    mode(&tree.join("private"), 0o700);
    fs::write(tree.join("private/key"), "PRIVATEKEY").unwrap();
    mode(&tree, 0o700);
    let attackers = [Attacker::start(&scene, &folders), Attacker::start(&scene, &folders)];
    let finished = scene.root(
        r#"
for n in 0..40 {
    for folder in ["ROOT/etc", "ROOT/tmp"] {
        local().ensure([file(`${folder}/key`, #{ content: `PRIVATEKEY ${n}`, mode: "0600" }),
                        file(`${folder}/other`, #{ content: `PRIVATEKEY ${n}`, secret: true })]);
    }
    local().sync_dir("ROOT/tree", "ROOT/etc/tree", #{ delete: true });
    local().ensure([absent("ROOT/etc/tree")]);
}"#,
    );
    drop(attackers);
    assert_eq!(finished.status, Some(0), "{}", finished.stderr);
    assert!(!scene.home("hits").exists(), "{}", fs::read_to_string(scene.home("hits")).unwrap());
    assert!(listing(&scene.path("etc")).iter().any(|line| line.contains("PRIVATEKEY 39")));
}
