//! Logins that are not root's: real users of this machine, made for the test and removed after it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::playbook::Playbook;
use support::sshd::Sshd;
use support::user::User;

const PASSWORD: &str = "correct horse 'battery' $staple";

/// What the script prints about the host that it connects to as `user`.
fn login(sshd: &Sshd, user: &User, options: &str) -> String {
    sshd.configure(&user.name, "");
    let script = format!(
        "try {{ let h = {}; print(h.query(\"id -un\").stdout); print(h.facts.user); print(h.facts.root) }}
         catch (e) {{ print(e.kind); print(e.message); print(e.help) }}",
        sshd.connect_to("box", options)
    );
    let finished = Playbook::new(&script).env("OF_SUDO", PASSWORD).run();
    let all = format!("{}{}", finished.stdout, finished.stderr);
    assert!(!all.contains("staple"), "the password is shown: {all}");
    finished.printed()
}

#[test]
fn sudo_takes_the_password_on_standard_input() {
    let (sshd, user) = (Sshd::start(), User::create(PASSWORD, Some("ALL=(ALL) ALL")));
    let printed = login(&sshd, &user, "sudo: true, sudo_password: secret(env(\"OF_SUDO\"))");
    assert_eq!(printed, format!("root\n{}\ntrue\n", user.name));
}

#[test]
fn sudo_without_a_password_needs_none_and_takes_one_all_the_same() {
    let (sshd, user) = (Sshd::start(), User::create(PASSWORD, Some("ALL=(ALL) NOPASSWD: ALL")));
    for options in ["sudo: true", "sudo: true, sudo_password: secret(env(\"OF_SUDO\"))"] {
        assert_eq!(login(&sshd, &user, options), format!("root\n{}\ntrue\n", user.name));
    }
}

#[test]
fn a_wrong_password_is_told() {
    let (sshd, user) = (Sshd::start(), User::create(PASSWORD, Some("ALL=(ALL) ALL")));
    let printed = login(&sshd, &user, "sudo: true, sudo_password: secret(\"wrong one\")");
    assert_eq!(printed, "unreachable\nsudo does not accept the password\ncheck the sudo password\n");
}

#[test]
fn a_missing_password_is_told() {
    let (sshd, user) = (Sshd::start(), User::create(PASSWORD, Some("ALL=(ALL) ALL")));
    let printed = login(&sshd, &user, "sudo: true");
    assert!(
        printed.starts_with("unreachable\nsudo asks for a password and none is configured\ngive one ("),
        "{printed}"
    );
}

#[test]
fn a_user_who_may_not_use_sudo_is_told() {
    let (sshd, user) = (Sshd::start(), User::create(PASSWORD, None));
    let printed = login(&sshd, &user, "sudo: true, sudo_password: secret(env(\"OF_SUDO\"))");
    assert!(printed.starts_with("unreachable\nthe user may not use sudo\nadd the user to the group sudo"), "{printed}");
}

#[test]
fn a_host_without_sudo_is_told() {
    let empty = tempfile::tempdir_in("/tmp").unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(empty.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (sshd, user) = (Sshd::with(&format!("SetEnv PATH={}", empty.path().display())), User::create(PASSWORD, None));
    let printed = login(&sshd, &user, "sudo: true");
    assert!(printed.starts_with("unreachable\nsudo is not installed on the host\ninstall sudo there"), "{printed}");
}

#[test]
fn a_login_that_is_not_roots_is_refused_without_sudo() {
    let (sshd, user) = (Sshd::start(), User::create(PASSWORD, None));
    assert_eq!(
        login(&sshd, &user, ""),
        "refused\nbox lets us in, but not as root\npass `sudo: true` (and sudo_password where sudo asks for one), or log in as root\n"
    );
}

#[test]
fn what_runs_under_sudo_is_killed_with_k3srun() {
    let (sshd, user) = (Sshd::start(), User::create(PASSWORD, Some("ALL=(ALL) ALL")));
    sshd.configure(&user.name, "");
    let connect = sshd.connect_to("box", "sudo: true, sudo_password: secret(env(\"OF_SUDO\"))");
    for signal in ["INT", "KILL"] {
        let sign = sshd.path(signal);
        let script = format!("{connect}.run(\"echo $$ >{}; exec sleep 1000\")", sign.display());
        let running = Playbook::new(&script).env("OF_SUDO", PASSWORD).start();
        let pid = || std::fs::read_to_string(&sign).unwrap_or_default().trim().to_owned();
        support::playbook::eventually("the command runs", || !pid().is_empty());
        let process = std::path::PathBuf::from(format!("/proc/{}", pid()));
        running.signal(signal);
        running.finish();
        support::playbook::eventually("the command is killed", || !process.exists());
    }
}
