//! The way to the host: network, names, keys, sshd.

use crate::case::Run::{Connect, Preflight};
use crate::case::Signs::Real;
use crate::case::{Act, Case};

const NOTHING: &[Act] = &[];
const REMOVE_SETTINGS: &[Act] = &[("master", "rm /etc/ssh/sshd_config.d/00-test.conf; systemctl reload ssh")];

pub const CASES: &[Case] = &[
    Case {
        name: "nobody_has_the_address",
        broken: NOTHING,
        mended: NOTHING,
        signs: Real,
        run: Connect("203.0.113.99", "connect_timeout: 4"),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "both_hosts_are_silent",
        broken: &[("lab", "cut master.public"), ("lab", "cut worker.public")],
        mended: &[("lab", "restore master.public"), ("lab", "restore worker.public")],
        signs: Real,
        run: Preflight(&["--set", "ssh.connect_timeout=2"]),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_connection_is_refused",
        broken: NOTHING,
        mended: NOTHING,
        signs: Real,
        run: Connect("master", "port: 2222"),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "there_is_no_route",
        broken: &[("admin", "ip route del default")],
        mended: &[("admin", "ip route add default via 198.51.100.1")],
        signs: Real,
        run: Connect("master", ""),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "there_is_no_ipv6_on_this_side",
        broken: &[("admin", "ip -6 route del default")],
        mended: &[("admin", "ip -6 route add default via 2001:db8:2::1")],
        signs: Real,
        run: Connect("master-ipv6", ""),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "it_is_no_ssh_server",
        broken: &[(
            "master",
            "(setsid socat TCP-LISTEN:2525,fork,reuseaddr SYSTEM:'echo 220 mail ESMTP; echo hello; cat >/dev/null' \
             >/dev/null 2>&1 </dev/null & echo $! >/run/mail)",
        )],
        mended: &[("master", "kill $(cat /run/mail)")],
        signs: Real,
        run: Connect("master", "port: 2525, connect_timeout: 2"),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_server_is_full_and_closes_the_connection",
        broken: &[(
            "master",
            "echo 'MaxStartups 1:100:1' >/etc/ssh/sshd_config.d/00-test.conf; systemctl reload ssh; sleep 0.2
             (setsid sh -c 'sleep 60 | nc 127.0.0.1 22' >/dev/null 2>&1 </dev/null & echo $! >/run/first); sleep 0.2",
        )],
        mended: &[
            ("master", "kill -- -$(cat /run/first)"),
            ("master", "rm /etc/ssh/sshd_config.d/00-test.conf; systemctl reload ssh"),
        ],
        signs: Real,
        run: Connect("master", "connect_timeout: 2"),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_name_is_unknown",
        broken: &[(
            "internet",
            "cat >/run/nxdomain <<'END'
#!/bin/sh
{ head -c 2; printf '\\201\\203'; tail -c +3; } | dd obs=512 2>/dev/null
END
             chmod 755 /run/nxdomain
             (setsid socat UDP-RECVFROM:53,bind=198.51.100.1,fork EXEC:/run/nxdomain >/dev/null 2>&1 </dev/null & echo $! >/run/dns)
             sleep 0.2",
        )],
        mended: &[("internet", "kill $(cat /run/dns)")],
        signs: Real,
        run: Connect("root@no-such-host.example", ""),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "no_name_server_answers",
        broken: NOTHING,
        mended: NOTHING,
        signs: Real,
        run: Connect("root@no-such-host.example", "connect_timeout: 3"),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_key_is_another_one",
        broken: &[("here", "ssh-keygen -q -t ed25519 -N '' -f other; sed -i 's|keys/user|other|' ssh_config")],
        mended: NOTHING,
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_key_has_a_passphrase_and_no_agent",
        broken: &[("here", "ssh-keygen -q -p -P '' -N secret -f keys/user")],
        mended: NOTHING,
        signs: Real,
        run: Connect("master", ""),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "others_can_read_the_key",
        broken: &[("here", "chmod 644 keys/user")],
        mended: NOTHING,
        signs: Real,
        run: Connect("master", ""),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "too_many_keys_are_offered",
        broken: &[
            (
                "here",
                "for n in 1 2 3; do ssh-keygen -q -t ed25519 -N '' -f other$n; sed -i \"1i IdentityFile other$n\" ssh_config; done",
            ),
            ("master", "echo 'MaxAuthTries 2' >/etc/ssh/sshd_config.d/00-test.conf; systemctl reload ssh"),
        ],
        mended: REMOVE_SETTINGS,
        signs: Real,
        run: Connect("master", ""),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_host_key_is_not_known",
        broken: &[("here", ": >known_hosts")],
        mended: NOTHING,
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_host_key_has_changed",
        broken: &[(
            "worker",
            "cd /etc/ssh; mkdir kept; mv ssh_host_* kept; ssh-keygen -q -t ed25519 -N '' -f ssh_host_ed25519_key; systemctl restart ssh",
        )],
        mended: &[("worker", "cd /etc/ssh; mv kept/* .; rmdir kept; systemctl restart ssh")],
        signs: Real,
        run: Preflight(&["--set", "ssh.accept_new_host_keys=true"]),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "root_may_not_log_in",
        broken: &[("master", "echo 'PermitRootLogin no' >/etc/ssh/sshd_config.d/00-test.conf; systemctl reload ssh")],
        mended: REMOVE_SETTINGS,
        signs: Real,
        run: Connect("master", ""),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_connection_takes_one_session_only",
        broken: &[("master", "echo 'MaxSessions 1' >/etc/ssh/sshd_config.d/00-test.conf; systemctl reload ssh")],
        mended: REMOVE_SETTINGS,
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_server_forwards_no_ports",
        broken: &[("master", "echo 'AllowTcpForwarding no' >/etc/ssh/sshd_config.d/00-test.conf; systemctl reload ssh")],
        mended: REMOVE_SETTINGS,
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "the_jump_host_is_silent",
        broken: &[("here", "sed -i '1i Host bastion\\n  HostName 198.51.100.77\\n' ssh_config")],
        mended: NOTHING,
        signs: Real,
        // Longer than the kernel takes to find that nobody has the address.
        run: Connect("master", "jump: [\"bastion\"], connect_timeout: 10"),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_jump_host_does_not_let_us_in",
        broken: &[(
            "here",
            "ssh-keygen -q -t ed25519 -N '' -f other; sed -i 's|^Host admin|&\\n  IdentityFile other|; /^Host \\*/,$s|IdentityFile.*||' ssh_config
             printf '\\nHost master\\n  IdentityFile keys/user\\n' >>ssh_config",
        )],
        mended: NOTHING,
        signs: Real,
        run: Connect("master", "jump: [\"admin\"], connect_timeout: 3"),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_jump_host_does_not_reach_the_host",
        broken: &[("lab", "cut master.public")],
        mended: &[("lab", "restore master.public")],
        signs: Real,
        run: Connect("master", "jump: [\"admin\"], connect_timeout: 10"),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_ssh_config_has_a_mistake",
        broken: &[("here", "sed -i '1i StrictHostKeyCheking yes' ssh_config")],
        mended: NOTHING,
        signs: Real,
        run: Connect("master", ""),
        deadline: 30,
        status: 4,
    },
];
