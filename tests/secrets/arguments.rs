//! A host whose shell has no `printf` of its own: what it prints would be in the argument list of a program.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use libtest_mimic::Trial;

use super::needles::Needles;
use super::support::lab::Step;
use super::support::playbook::Playbook;
use super::support::sshd::Sshd;
use super::trial;

pub fn trials() -> Vec<Trial> {
    vec![trial("arguments::no_program_that_the_shell_of_a_host_starts_gets_a_secret", recorded)]
}

/// The programs that scripts of k3srun start with content at hand.
const PROGRAMS: &[&str] = &[
    "printf",
    "echo",
    "cat",
    "base64",
    "head",
    "sha256sum",
    "setsid",
    "test",
    "[",
    "mktemp",
    "mv",
    "chmod",
    "chown",
    "env",
];

/// Makes a folder with a `sh` that has no `printf`, `echo` and `test` of its own, and with programs that write down their
/// arguments before they do their work.
fn trap(folder: &Path) {
    let write = |name: &str, text: String| {
        fs::write(folder.join(name), text).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    let here = folder.display();
    write("disable", "enable -n printf echo test [\n".to_owned());
    write("sh", format!("#!/bin/sh\nBASH_ENV={here}/disable exec bash \"$@\"\n"));
    for name in PROGRAMS {
        write(name, format!("#!/bin/sh\nprintf '%s ' {name} \"$@\" >>{here}/log\nexec /usr/bin/{name} \"$@\"\n"));
    }
}

fn recorded() -> Step {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    trap(folder.path());
    let sshd = Sshd::with(&format!(
        "SetEnv PATH={}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        folder.path().display()
    ));
    let mut needles = Needles::default();
    let value = "correct horse battery staple";
    needles.add("secret", value);
    let script = format!(
        "let h = {};
         let s = secret(local().read(\"in\"));
         if h.query(\"cat\", #{{ stdin: s }}).stdout != local().read(\"in\") {{ throw \"it did not arrive\" }}
         if h.query(\"printf %s \\\"${{#A}}\\\"\", #{{ env: #{{ A: s }} }}).stdout != \"{}\" {{ throw \"it did not arrive\" }}
         h.write(\"FOLDER/written\", s);
         h.ensure([file(\"FOLDER/made\", #{{ content: s }})]);
         if h.run(\"cat\", #{{ stdin: secret(h.read(\"FOLDER/made\")) }}).stdout != local().read(\"in\") {{ throw \"it did not arrive\" }}",
        sshd.connect(),
        value.len(),
    );
    let script = script.replace("FOLDER", &folder.path().display().to_string());
    let playbook = Playbook::new(&script);
    fs::write(playbook.folder().join("in"), value).unwrap();
    playbook.run().printed();
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    if !log.contains("printf %s ") || !log.contains("base64 -d") {
        return Err(format!("the trap does not work:\n{log}"));
    }
    needles.absent("the arguments of a program", log)
}
