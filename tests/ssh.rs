//! Connections: what works, and what a user reads where it doesn't.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::net::TcpListener;

use support::playbook::{Playbook, eventually};
use support::sshd::{Sshd, free_port};

/// Kind, message and help of the error that the expression ends with.
fn failure(expression: &str) -> [String; 3] {
    let script = format!(
        "try {{ {expression} }} catch (e) {{ print(e.kind); print(e.message); print(e.help); return; }} print(\"no error\")"
    );
    let printed = Playbook::new(&script).run().printed();
    let lines: Vec<String> = printed.lines().map(str::to_owned).collect();
    lines.try_into().unwrap_or_else(|lines| panic!("{lines:?}"))
}

/// Prints `user-id` as the host sees it.
fn id(connect: &str) -> String {
    Playbook::new(&format!("let h = {connect}; print(h.query(\"id -u\").stdout)")).run().printed()
}

#[test]
fn one_connection_serves_the_whole_run() {
    let sshd = Sshd::start();
    let connect = sshd.connect();
    let script = format!(
        "let all = parallel([1, 2, 3, 4, 5, 6, 7, 8], |n| {{ let h = {connect}; h.query(`echo ${{n}}`).stdout }});
         print(all); let h = {connect}; print(h.facts.root);"
    );
    let printed = Playbook::new(&script).run().printed();
    assert_eq!(printed, "[\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\"]\ntrue\n");
    assert_eq!(sshd.connections(), 1, "{}", sshd.log());
}

#[test]
fn output_comes_back_byte_for_byte_with_its_status() {
    let sshd = Sshd::start();
    for host in ["local()".to_owned(), sshd.connect()] {
        let script = format!(
            r#"let h = {host};
            let o = h.query("printf 'a\\r\\nb'; printf 'x\\n\\n' >&2; exit 3", #{{ check: false }});
            print(o.stdout == "a\r\nb"); print(o.stderr == "x"); print(o.status);
            print(h.query("head -c 3000000 /dev/zero | tr '\\0' x").stdout.len);
            print(h.query("printf '\\000\\377' | od -An -tx1").stdout);
            print(h.query("cat", #{{ stdin: "one\ntwo" }}).stdout == "one\ntwo");
            print(h.query("echo $A; pwd", #{{ env: #{{ A: "it's" }}, cwd: "/usr" }}).stdout == "it's\n/usr");
            print(h.query("kill -KILL $$", #{{ check: false }}).status);
            print(h.query("sleep 0.3 >/dev/null 2>&1 & echo fast").stdout);
            print(h.query("exec 2>&-; echo closed").stdout);"#
        );
        let printed = Playbook::new(&script).run().printed();
        assert_eq!(printed, "true\ntrue\n3\n3000000\n 00 ff\ntrue\ntrue\n137\nfast\nclosed\n", "{host}");
    }
}

#[test]
fn the_shell_of_a_host_may_be_bash_which_writes_every_line_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("/bin/bash", folder.path().join("sh")).unwrap();
    let sshd = Sshd::with(&format!("SetEnv PATH={}:/usr/sbin:/usr/bin:/sbin:/bin", folder.path().display()));
    let script = format!(
        "let h = {}; for n in 0..50 {{ if h.query(\"printf $n\", #{{ env: #{{ n: `${{n}}` }} }}).stdout != `${{n}}` {{ throw n }} }}
         print(h.query(\"echo ${{BASH_VERSION:+bash}}\").stdout)",
        sshd.connect()
    );
    assert_eq!(Playbook::new(&script).run().printed(), "bash\n");
}

#[test]
fn too_much_output_is_an_error_and_the_host_stays_usable() {
    let script = "let h = local();
        try { h.query(\"yes\") } catch (e) { print(e.message) } print(h.query(\"echo next\").stdout)";
    assert_eq!(Playbook::new(script).run().printed(), "it printed more than 64 MiB and was stopped\nnext\n");
}

#[test]
fn a_tunnel_leads_to_a_port_behind_the_host() {
    let sshd = Sshd::start();
    let script = format!(
        "let h = {}; let t = h.tunnel(\"127.0.0.1\", {});
         let ask = |t| local().query(`bash -c 'exec 3<>/dev/tcp/${{t.address}}/${{t.port}} && head -n 1 <&3'`, #{{ check: false }});
         print(ask.call(t).stdout.contains(\"SSH-2.0\")); t.close(); print(ask.call(t).ok);",
        sshd.connect(),
        sshd.port()
    );
    assert_eq!(Playbook::new(&script).run().printed(), "true\nfalse\n");
}

#[test]
fn ipv6_addresses_and_jump_hosts_lead_to_the_host() {
    let sshd = Sshd::start();
    for address in
        ["::1", "root@::1", &format!("[::1]:{}", sshd.port()), &format!("ssh://root@127.0.0.1:{}", sshd.port())]
    {
        assert_eq!(id(&sshd.connect_to(address, "")), "0\n", "{address}");
    }
    let before = sshd.connections();
    assert_eq!(id(&sshd.connect_to("127.0.0.1", "jump: [\"box\"]")), "0\n");
    assert_eq!(sshd.connections() - before, 2, "the way does not lead through the jump host");
}

#[test]
fn a_connection_that_was_lost_between_two_commands_is_made_anew_with_its_tunnels() {
    let sshd = Sshd::start();
    let sign = sshd.path("sign");
    let script = format!(
        "let h = {}; let t = h.tunnel(\"127.0.0.1\", {}); h.query(\"true\");
         local().run(\"touch {sign}; while [ -e {sign} ]; do sleep 0.05; done\");
         print(h.query(\"echo again\").stdout);
         print(local().query(`bash -c 'exec 3<>/dev/tcp/${{t.address}}/${{t.port}} && head -n 1 <&3'`).stdout.contains(\"SSH-2.0\"));",
        sshd.connect(),
        sshd.port(),
        sign = sign.display(),
    );
    let running = Playbook::new(&script).start();
    eventually("the script waits", || sign.exists());
    sshd.cut();
    fs::remove_file(&sign).unwrap();
    let finished = running.finish();
    assert!(finished.stderr.contains("box: connected again"), "{}", finished.stderr);
    assert_eq!(finished.printed(), "again\ntrue\n");
}

#[test]
fn a_connection_that_is_lost_during_a_command_is_an_error() {
    let sshd = Sshd::start();
    let sign = sshd.path("sign");
    let script = format!("{}.run(\"touch {}; sleep 1000\")", sshd.connect(), sign.display());
    let running = Playbook::new(&script).start();
    eventually("the command runs", || sign.exists());
    sshd.cut();
    let finished = running.finish();
    assert_eq!(finished.status, Some(4), "{}", finished.stderr);
    assert!(finished.stderr.contains("box: the connection was closed while a command ran"), "{}", finished.stderr);
    assert!(finished.stderr.contains("run it again: what is done stays done"), "{}", finished.stderr);
}

#[test]
fn a_host_that_is_still_starting_is_tried_again() {
    let mut sshd = Sshd::start();
    let sign = sshd.path("sign");
    sshd.stop();
    let script = format!("local().run(\"touch {}\"); print({}.name)", sign.display(), sshd.connect());
    let running = Playbook::new(&script).start();
    eventually("the script begins", || sign.exists());
    sshd.restart();
    assert_eq!(running.finish().printed(), "box\n");
}

#[test]
fn the_sockets_of_runs_that_were_killed_are_removed() {
    let sshd = Sshd::start();
    let folder = |name: &str| sshd.path(&format!(".ssh-connection-{name}"));
    for name in ["dead", "new"] {
        std::fs::create_dir(folder(name)).unwrap();
    }
    // As the kernel leaves it when its owner is killed.
    drop(std::os::unix::net::UnixListener::bind(folder("dead").join("master")).unwrap());
    let script = format!("{}.query(\"true\")", sshd.connect());
    Playbook::new(&script).env("XDG_RUNTIME_DIR", &sshd.folder().display().to_string()).run().printed();
    assert!(!folder("dead").exists() && folder("new").exists());
}

#[test]
fn a_host_behind_a_proxy_that_is_not_ready_yet_is_tried_again() {
    let sshd = Sshd::start();
    let (seen, direct) = (sshd.path("seen"), sshd.path("direct_config"));
    std::fs::copy(sshd.ssh_config(), &direct).unwrap();
    // The first connection ends before the server has said anything, as when sshd reads its settings again.
    let proxy = format!(
        "ProxyCommand sh -c '[ -e {0} ] || {{ touch {0}; exit; }}; exec ssh -F {1} -W %h:%p box'",
        seen.display(),
        direct.display()
    );
    sshd.configure(&support::sshd::user(), &proxy);
    assert_eq!(id(&sshd.connect()), "0\n");
    assert!(seen.exists());
}

#[test]
fn nobody_listens() {
    let port = free_port();
    let [kind, message, help] = failure(&format!("ssh::connect(\"root@127.0.0.1:{port}\")"));
    assert_eq!((kind.as_str(), message), ("unreachable", format!("root@127.0.0.1:{port} refuses connections")));
    assert_eq!(help, "is sshd running there, and on this port? Is the machine still booting?");
}

#[test]
fn nobody_answers() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("127.0.0.1:{}", silent.local_addr().unwrap().port());
    let [kind, message, help] = failure(&format!("ssh::connect(\"{address}\", #{{ connect_timeout: 1 }})"));
    assert_eq!(
        (kind.as_str(), message),
        ("unreachable", format!("{address} takes the connection, but no SSH server answers on it within 1 s"))
    );
    assert!(help.starts_with("is the port right?"), "{help}");
}

#[test]
fn a_name_that_nobody_knows() {
    let [kind, message, help] = failure("ssh::connect(\"root@no-such-host.invalid\")");
    assert_eq!((kind.as_str(), message.as_str()), ("unreachable", "the name no-such-host.invalid can't be resolved"));
    assert_eq!(help, "check the spelling, or use the address");
}

#[test]
fn a_key_that_is_not_known_is_refused_and_one_can_opt_in() {
    let sshd = Sshd::start();
    fs::write(sshd.path("known_hosts"), "").unwrap();
    let [kind, message, help] = failure(&sshd.connect());
    assert_eq!((kind.as_str(), message.as_str()), ("unreachable", "the host key of box is not known yet"));
    assert_eq!(
        help,
        "connect once with `ssh box` and compare the fingerprint with the one your provider shows, or set accept_new_host_keys"
    );
    assert_eq!(id(&sshd.connect_to("box", "accept_new_host_keys: true")), "0\n");
    assert_eq!(id(&sshd.connect()), "0\n", "the key was not remembered");
}

#[test]
fn another_key_than_the_known_one_is_always_refused() {
    let sshd = Sshd::start();
    let other = fs::read_to_string(sshd.path("client_key.pub")).unwrap();
    fs::write(sshd.path("known_hosts"), format!("[127.0.0.1]:{} {other}", sshd.port())).unwrap();
    for options in ["", "accept_new_host_keys: true"] {
        let [kind, message, help] = failure(&sshd.connect_to("box", options));
        assert_eq!(kind, "unreachable");
        assert_eq!(message, "the host key of box is not the one in known_hosts");
        assert!(help.contains(&format!("ssh-keygen -R '[127.0.0.1]:{}'", sshd.port())), "{help}");
    }
}

#[test]
fn a_login_that_is_not_allowed_is_tried_once() {
    let sshd = Sshd::start();
    fs::write(sshd.path("authorized_keys"), "").unwrap();
    let [kind, message, help] = failure(&sshd.connect());
    assert_eq!((kind.as_str(), message.as_str()), ("unreachable", "box does not let us in"));
    assert!(help.contains("is your key in root's authorized_keys there"), "{help}");
    let tries = || sshd.log().matches("Connection closed by authenticating user").count();
    // sshd may write its line after our ssh has ended.
    for _ in 0..50 {
        if tries() > 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(tries(), 1, "{}", sshd.log());
}

#[test]
fn files_that_are_not_there_are_named() {
    let [kind, message, _] = failure("ssh::connect(\"box\", #{ key: \"/no/key\" })");
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("refused", "can't read the key /no/key: No such file or directory (os error 2)")
    );
    let [kind, message, _] = failure("ssh::connect(\"box\", #{ config: \"/no/config\" })");
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("refused", "can't read the ssh_config /no/config: No such file or directory (os error 2)")
    );
}

#[test]
fn an_address_that_would_be_an_option_of_ssh_is_refused() {
    let [kind, message, help] = failure("ssh::connect(\"-oProxyCommand=touch /tmp/owned\")");
    assert_eq!(kind, "refused");
    assert!(message.contains("is no SSH destination: user and host can't be empty or start with a dash"), "{message}");
    assert!(help.contains("user@[2001:db8::1]:port"), "{help}");
}

#[test]
fn a_jump_host_that_leads_nowhere_is_named() {
    let sshd = Sshd::start();
    let way = format!("jump: [\"root@127.0.0.1:{}\"]", free_port());
    let [kind, message, _] = failure(&sshd.connect_to("box", &way));
    assert_eq!(kind, "unreachable");
    assert!(message.starts_with("the way leads over a jump host: root@127.0.0.1:"), "{message}");
    assert!(message.ends_with("refuses connections"), "{message}");
}
