//! One encrypted file, and the cluster that comes back from it: onto its master, and onto a fresh machine.

use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::LazyLock;

use age::secrecy::ExposeSecret as _;
use libtest_mimic::Trial;

use crate::support::lab::Step;
use crate::{lab, one_line, trial};

/// A folder for backups, with the key that opens them, whose public half is the second one.
static PLACE: LazyLock<Step<(PathBuf, String)>> = LazyLock::new(|| {
    let folder = PathBuf::from(lab()?.file("backups"));
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let identity = age::x25519::Identity::generate();
    let mut file = fs::OpenOptions::new();
    let file = file.write(true).create(true).truncate(true).mode(0o600).open(folder.join("key.txt"));
    let text = identity.to_string();
    file.and_then(|mut file| std::io::Write::write_all(&mut file, text.expose_secret().as_bytes()))
        .map_err(|error| error.to_string())?;
    Ok((folder, identity.to_public().to_string()))
});

pub fn trials() -> Vec<Trial> {
    vec![
        trial("backup::a_backup_is_one_encrypted_file_that_a_check_proves_without_a_cluster", make),
        trial("backup::older_ones_make_room_when_the_new_one_is_complete", prune),
        trial("restore::a_backup_that_can_not_be_restored_stops_nothing", refusals),
        trial("restore::what_was_deleted_is_back_and_what_came_later_is_gone", same_master),
        trial("restore::a_fresh_machine_becomes_the_lost_master", fresh_master),
    ]
}

fn place() -> Step<(PathBuf, String, String)> {
    let (folder, public) = PLACE.clone()?;
    let key = folder.join("key.txt").display().to_string();
    Ok((folder, public, key))
}

/// Makes a backup and returns its path.
fn back_up(keep: &str) -> Step<String> {
    let (folder, public, _) = place()?;
    let folder = folder.display().to_string();
    let words = ["--to", &folder, "--recipient", &public, "--keep", keep];
    let (status, said) = lab()?.with_config("backup.rhai", &[], &words)?;
    let file = said.lines().find(|line| line.starts_with(&folder) && line.ends_with(".k3sbackup"));
    match (status, file) {
        (0, Some(file)) => Ok(file.to_owned()),
        _ => Err(format!("the backup ended with {status}:\n{said}")),
    }
}

fn make() -> Step {
    let lab = lab()?;
    let (_, _, key) = place()?;
    lab.exec("master", "k3s kubectl create secret generic kept --from-literal=word=xyzzy-of-the-backup")?;
    let file = back_up("5")?;
    let mode = fs::metadata(&file).map_err(|error| error.to_string())?.permissions().mode() & 0o777;
    let content = fs::read(&file).map_err(|error| error.to_string())?;
    if mode != 0o600 || !content.starts_with(b"age-encryption.org/v1") {
        return Err(format!("{file} has mode {mode:o}, or isn't encrypted"));
    }
    let (status, said) = lab.with_config("backup.rhai", &[], &["check", &file, "--identity", &key])?;
    for text in [
        "it is whole, and its token opens it",
        "master, 10.77.0.10",
        "server/token",
        "encryption-config.json",
        "etcd 3.6",
    ] {
        if status != 0 || !said.contains(text) {
            return Err(format!("the check ended with {status} and doesn't say {text:?}:\n{said}"));
        }
    }
    Ok(())
}

fn prune() -> Step {
    let (folder, ..) = place()?;
    back_up("2")?;
    back_up("2")?;
    let names = fs::read_dir(folder).map_err(|error| error.to_string())?;
    let left = names.flatten().filter(|entry| entry.file_name().to_string_lossy().ends_with(".k3sbackup")).count();
    if left == 2 { Ok(()) } else { Err(format!("{left} backups are left, not 2")) }
}

/// Cut off, and of another address: each is told, and k3s runs on as it did.
fn refusals() -> Step {
    let lab = lab()?;
    let (folder, _, key) = place()?;
    let file = back_up("5")?;
    let cut = folder.join("cut.k3sbackup");
    let content = fs::read(&file).map_err(|error| error.to_string())?;
    fs::write(&cut, &content[..content.len() / 2]).map_err(|error| error.to_string())?;
    let run = || lab.exec("master", "systemctl show k3s -p InvocationID --value");
    let before = run()?;
    let words = |file: &str| [file.to_owned(), "--identity".into(), key.clone()];
    for (file, options, reason) in [
        (cut.display().to_string(), vec!["--yes"], "is damaged, or was cut off"),
        (file.clone(), vec!["--yes", "--set", "cluster.name=other"], "cluster.toml is of other"),
        (file.clone(), vec!["--yes", "--set", "k3s.version=v1.37.2+k3s1"], "cluster.toml says v1.37.2+k3s1"),
    ] {
        let words = words(&file);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (status, said) = lab.with_config("restore.rhai", &options, &words)?;
        if status != 2 || !one_line(&said).contains(reason) {
            return Err(format!("it ended with {status} and doesn't say {reason:?}:\n{said}"));
        }
    }
    if run()? == before { Ok(()) } else { Err("k3s was restarted".into()) }
}

fn restore(file: &str) -> Step {
    let (_, _, key) = place()?;
    let (status, said) = lab()?.with_config("restore.rhai", &["--yes"], &[file, "--identity", &key])?;
    if status == 0 { Ok(()) } else { Err(format!("the restore ended with {status}:\n{said}")) }
}

/// The Secret is readable, so its key is back, too.
fn kept() -> Step {
    let word = lab()?.exec("master", "k3s kubectl get secret kept -o jsonpath='{.data.word}' | base64 -d")?;
    if word == "xyzzy-of-the-backup" { Ok(()) } else { Err(format!("the Secret says {word:?}")) }
}

fn same_master() -> Step {
    let lab = lab()?;
    let file = back_up("5")?;
    lab.exec("master", "k3s kubectl delete secret kept && k3s kubectl create configmap later")?;
    restore(&file)?;
    kept()?;
    let later = lab.exec("master", "k3s kubectl get configmap later --ignore-not-found")?;
    if later.is_empty() { lab.bootstrap_changes_nothing() } else { Err("what came after the backup is there".into()) }
}

/// Everything of k3s is gone from the machine, as from one that was just rented.
fn fresh_master() -> Step {
    let lab = lab()?;
    let file = back_up("5")?;
    let wipe = "systemctl disable --now k3s; pkill containerd-shim; rm -f /etc/systemd/system/k3s.service*; systemctl daemon-reload
        rm -rf /etc/rancher /usr/local/bin/k3s* /usr/local/bin/kubectl /usr/local/bin/crictl /usr/local/bin/ctr /var/lib/cni
        ip link delete cni0; ip link delete flannel.1; true";
    lab.exec("master", wipe)?;
    lab.reboot("master")?;
    lab.exec("master", "rm -rf /var/lib/rancher /var/lib/kubelet")?;
    restore(&file)?;
    kept()?;
    lab.bootstrap_changes_nothing()
}
