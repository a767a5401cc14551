//! k3s itself: what keeps it from starting and joining. These cases make the cluster step by step, in this order.

use crate::case::Case;
use crate::case::Run::{Bootstrap, Script};
use crate::case::Signs::Real;

/// The worker as an agent, as bootstrap would make it, with other options. The last ones win.
macro_rules! agent {
    ($options:literal) => {
        Script(concat!(
            "import \"cluster\" as cluster;\n",
            "let c = cluster::load();\n",
            "let nodes = parallel(c.nodes, |n| cluster::connect(n));\n",
            "let options = cluster::agent_options(c, nodes[0], nodes[1]);\n",
            $options,
            "\nk3s::agent(nodes[1].host, options);"
        ))
    };
}

pub const CASES: &[Case] = &[
    Case {
        name: "the_agent_comes_before_the_server",
        broken: &[],
        mended: &[],
        signs: Real,
        run: Bootstrap(&["--only", "agent"]),
        deadline: 30,
        status: 3,
    },
    Case {
        name: "the_server_dies_of_a_setting",
        broken: &[(
            "master",
            "mkdir -p /etc/rancher/k3s/config.yaml.d; echo 'flannel-iface: eth7' >/etc/rancher/k3s/config.yaml.d/test.yaml",
        )],
        mended: &[("master", "systemctl stop k3s; rm -r /etc/rancher/k3s/config.yaml.d")],
        signs: Real,
        run: Bootstrap(&["--only", "base,server"]),
        deadline: 60,
        status: 3,
    },
    Case {
        name: "the_server_dies_again_and_again_of_a_port",
        broken: &[("master", "(setsid nc -lk 6443 >/dev/null 2>&1 </dev/null & echo $! >/run/taken); sleep 0.2")],
        mended: &[("master", "systemctl stop k3s; kill $(cat /run/taken)")],
        signs: Real,
        run: Bootstrap(&["--only", "server"]),
        deadline: 90,
        status: 3,
    },
    Case {
        name: "the_server_starts_when_all_is_mended_though_nothing_may_run_from_tmp",
        broken: &[("master", "mount -t tmpfs -o noexec,nosuid,nodev tmpfs /tmp")],
        mended: &[("master", "umount /tmp")],
        signs: Real,
        run: Bootstrap(&["--only", "server"]),
        deadline: 120,
        status: 0,
    },
    Case {
        name: "the_server_is_down_when_the_agent_joins",
        broken: &[("master", "systemctl stop k3s")],
        mended: &[("worker", "systemctl stop k3s-agent"), ("master", "systemctl start k3s")],
        signs: Real,
        run: agent!("options.timeout = 10;"),
        deadline: 60,
        status: 3,
    },
    Case {
        name: "a_firewall_keeps_the_agent_from_the_server",
        broken: &[(
            "master",
            "nft 'add table inet test; add chain inet test in { type filter hook input priority 0; }
                  add rule inet test in iifname eth1 tcp dport 6443 drop'",
        )],
        mended: &[("worker", "systemctl stop k3s-agent"), ("master", "nft delete table inet test")],
        signs: Real,
        run: agent!("options.timeout = 25;"),
        deadline: 60,
        status: 3,
    },
    Case {
        name: "the_token_is_that_of_another_cluster",
        broken: &[],
        mended: &[("worker", "systemctl stop k3s-agent")],
        signs: Real,
        run: agent!(
            "options.remove(\"server\");\n\
             options.token = secret(\"K10aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa::server:0123456789\");"
        ),
        deadline: 60,
        status: 3,
    },
    Case {
        name: "the_token_has_another_password",
        broken: &[],
        mended: &[("worker", "systemctl stop k3s-agent")],
        signs: Real,
        run: agent!(
            "options.remove(\"server\");\n\
             let parts = nodes[0].host.query(\"cat /var/lib/rancher/k3s/server/token\").stdout.split(\"::\");\n\
             options.token = secret(`${parts[0]}::server:0123456789`);"
        ),
        deadline: 60,
        status: 3,
    },
    Case {
        name: "the_token_is_cut_off",
        broken: &[],
        mended: &[],
        signs: Real,
        run: agent!("options.remove(\"server\");\noptions.token = secret(\"K10aaaaaaaaaaaaaaaa\");"),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "the_agent_dies_of_a_key_that_it_does_not_know",
        broken: &[(
            "worker",
            "mkdir -p /etc/rancher/k3s/config.yaml.d; echo 'cluster-init: true' >/etc/rancher/k3s/config.yaml.d/test.yaml",
        )],
        mended: &[("worker", "systemctl stop k3s-agent; rm -r /etc/rancher/k3s/config.yaml.d")],
        signs: Real,
        run: Bootstrap(&["--only", "agent"]),
        deadline: 60,
        status: 3,
    },
    Case {
        name: "the_cluster_is_made_when_all_is_mended_whatever_the_shells_print",
        broken: &[
            (
                "worker",
                "cp -p /root/.bashrc /root/.kept; sed -i '1i echo \"* Welcome *\"; echo \"* be careful *\" >&2' /root/.bashrc",
            ),
            ("worker", "mount -t tmpfs -o noexec,nosuid,nodev tmpfs /tmp; mount -t tmpfs -o noexec tmpfs /var/tmp"),
        ],
        mended: &[("worker", "mv /root/.kept /root/.bashrc; umount /tmp /var/tmp")],
        signs: Real,
        run: Bootstrap(&[]),
        deadline: 240,
        status: 0,
    },
    Case {
        name: "another_machine_had_the_name_of_the_worker",
        broken: &[(
            "worker",
            "systemctl stop k3s-agent; cp -p /etc/rancher/node/password /root/password; echo 0123456789abcdef >/etc/rancher/node/password",
        )],
        mended: &[(
            "worker",
            "systemctl stop k3s-agent; mv /root/password /etc/rancher/node/password; systemctl start k3s-agent",
        )],
        signs: Real,
        run: Bootstrap(&["--only", "agent"]),
        deadline: 60,
        status: 3,
    },
    Case {
        name: "the_tunnel_to_the_api_is_forbidden",
        broken: &[(
            "master",
            "echo 'AllowTcpForwarding no' >/etc/ssh/sshd_config.d/00-test.conf; systemctl reload ssh",
        )],
        mended: &[("master", "rm /etc/ssh/sshd_config.d/00-test.conf; systemctl reload ssh")],
        signs: Real,
        run: Bootstrap(&["--only", "namespaces"]),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_server_is_stopped",
        broken: &[("master", "systemctl stop k3s")],
        mended: &[("master", "systemctl start k3s")],
        signs: Real,
        run: Bootstrap(&["--only", "namespaces"]),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "another_version_is_wanted",
        broken: &[],
        mended: &[],
        signs: Real,
        run: Bootstrap(&["--only", "server", "--set", "k3s.version=v1.35.1+k3s1"]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "the_worker_is_to_become_the_server",
        broken: &[(
            "here",
            "sed -i 's/^role = \"master\"/role = \"x\"/; s/^role = \"worker\"/role = \"master\"/; s/^role = \"x\"/role = \"worker\"/' cluster.toml",
        )],
        mended: &[],
        signs: Real,
        run: Bootstrap(&["--only", "preflight"]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "everything_is_mended",
        broken: &[],
        mended: &[],
        signs: Real,
        run: Bootstrap(&[]),
        deadline: 60,
        status: 0,
    },
];
