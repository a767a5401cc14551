//! Connections: what works, and what a user reads where it doesn't.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::playbook::Playbook;
use support::sshd::Sshd;

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
fn a_tunnel_leads_to_a_port_behind_the_host() {
    let sshd = Sshd::start();
    let script = format!(
        "let h = {}; let t = h.tunnel(\"127.0.0.1\", {});
         let bash = |t| local().query(`bash -c 'exec 3<>/dev/tcp/${{t.address}}/${{t.port}} && head -n 1 <&3'`, #{{ check: false }});
         print(bash.call(t).stdout.contains(\"SSH-2.0\")); t.close(); print(bash.call(t).ok);",
        sshd.connect(),
        sshd.port()
    );
    assert_eq!(Playbook::new(&script).run().printed(), "true\nfalse\n");
}
