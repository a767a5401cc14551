//! What runs on the host, and what was left there.

use crate::case::Case;
use crate::case::Run::{Preflight, Script};
use crate::case::Signs::{Imitated, Real};

/// A program that says that the clock is so much ahead.
macro_rules! clock_ahead {
    ($by:literal) => {
        concat!(
            "cat >/usr/local/sbin/date <<'END'\n#!/bin/sh\nnow=$(/usr/bin/date +%s.%N)\n",
            "[ \"$1\" = +%s.%N ] && echo $((${now%.*} + ",
            $by,
            ")).${now#*.} || exec /usr/bin/date \"$@\"\nEND\nchmod 755 /usr/local/sbin/date"
        )
    };
}

pub const CASES: &[Case] = &[
    Case {
        name: "a_clock_is_an_hour_ahead",
        broken: &[("worker", clock_ahead!("3600"))],
        mended: &[("worker", "rm /usr/local/sbin/date")],
        signs: Imitated("the hosts of the lab share one clock; the program that tells it adds an hour"),
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "both_clocks_are_an_hour_ahead",
        broken: &[("master", clock_ahead!("3600")), ("worker", clock_ahead!("3600"))],
        mended: &[("master", "rm /usr/local/sbin/date"), ("worker", "rm /usr/local/sbin/date")],
        signs: Imitated("the hosts of the lab share one clock; the program that tells it adds an hour"),
        run: Preflight(&[]),
        deadline: 30,
        status: 0,
    },
    Case {
        name: "the_clock_gets_no_time",
        broken: &[(
            "master",
            "cp -p /etc/chrony/chrony.conf /etc/chrony/kept; sed -i 's/203.0.113.1/203.0.113.99/' /etc/chrony/chrony.conf; systemctl restart chrony",
        )],
        mended: &[(
            "master",
            "mv /etc/chrony/kept /etc/chrony/chrony.conf; systemctl restart chrony; chronyc waitsync 100 0 0 0.2",
        )],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 0,
    },
    Case {
        name: "nothing_keeps_the_clock",
        broken: &[(
            "worker",
            "systemctl disable --now chrony; printf '#!/bin/sh\\nexit 1\\n' >/usr/local/sbin/systemd-detect-virt; chmod 755 /usr/local/sbin/systemd-detect-virt",
        )],
        mended: &[(
            "worker",
            "systemctl enable --now chrony; rm /usr/local/sbin/systemd-detect-virt; chronyc waitsync 100 0 0 0.2",
        )],
        signs: Imitated(
            "no time service runs; that the host is a container, whose clock another machine keeps, is hidden",
        ),
        run: Script("ssh::connect(\"worker\", #{ config: \"ssh_config\" }).ensure([time_sync()]);"),
        deadline: 30,
        status: 0,
    },
    Case {
        name: "cloud_init_is_running",
        broken: &[(
            "worker",
            "printf '#!/bin/sh\\necho status: running\\n' >/usr/local/bin/cloud-init; chmod 755 /usr/local/bin/cloud-init",
        )],
        mended: &[("worker", "rm /usr/local/bin/cloud-init")],
        signs: Imitated("the lab's hosts have no cloud-init; the program says so"),
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "cloud_init_has_failed",
        broken: &[(
            "worker",
            "printf '#!/bin/sh\\necho status: error\\nexit 1\\n' >/usr/local/bin/cloud-init; chmod 755 /usr/local/bin/cloud-init",
        )],
        mended: &[("worker", "rm /usr/local/bin/cloud-init")],
        signs: Imitated("the lab's hosts have no cloud-init; the program says so"),
        run: Preflight(&[]),
        deadline: 30,
        status: 0,
    },
    Case {
        name: "packages_are_being_installed",
        broken: &[(
            "master",
            "(setsid perl -e 'open F, \">>/var/lib/dpkg/lock-frontend\"; my $lock = pack \"ssx4qql\", 1, 0, 0, 0, 0; fcntl(F, 6, $lock) or die; sleep 100' \
             >/dev/null 2>&1 </dev/null & echo $! >/run/apt); sleep 0.3",
        )],
        mended: &[("master", "kill $(cat /run/apt)")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "units_have_failed",
        broken: &[(
            "worker",
            "systemd-run --quiet --unit=backup sh -c 'exit 3'; systemd-run --quiet --unit=mail false; sleep 0.3",
        )],
        mended: &[("worker", "systemctl reset-failed")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 0,
    },
    Case {
        name: "swap_is_on",
        broken: &[(
            "worker",
            "printf 'Filename Type Size Used Priority\\n/swapfile file 1048572 0 -2\\n' >/run/swaps; mount --bind /run/swaps /proc/swaps",
        )],
        mended: &[("worker", "umount /proc/swaps; rm /run/swaps")],
        signs: Imitated("swap would be the box's; the kernel's file about it is another one"),
        run: Preflight(&[]),
        deadline: 30,
        status: 0,
    },
    Case {
        name: "ports_are_taken",
        broken: &[
            (
                "master",
                "for port in 6443 2379; do (setsid nc -lk $port >/dev/null 2>&1 </dev/null & echo $! >>/run/taken); done; sleep 0.2",
            ),
            (
                "worker",
                "systemd-run --quiet --unit=web socat TCP-LISTEN:80,fork PIPE; systemd-run --quiet --unit=node_exporter socat TCP-LISTEN:9100,fork PIPE; systemd-run --quiet --unit=vpn socat UDP-LISTEN:8472 PIPE; sleep 0.2",
            ),
        ],
        mended: &[
            ("master", "kill $(cat /run/taken); rm /run/taken"),
            ("worker", "systemctl stop web vpn node_exporter; systemctl reset-failed"),
        ],
        signs: Real,
        run: Preflight(&[
            "--set",
            "ingress.enabled=true",
            "--set",
            "certificates.enabled=true",
            "--set",
            "certificates.email=ops@example.test",
            "--set",
            "monitoring.enabled=true",
        ]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "k3s_was_here_before",
        broken: &[(
            "worker",
            "mkdir -p /var/lib/rancher/k3s/agent /etc/rancher/node; touch /var/lib/rancher/k3s/agent/client-kubelet.crt /etc/rancher/node/password",
        )],
        mended: &[("worker", "rm -r /var/lib/rancher /etc/rancher")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "the_worker_is_a_server_already",
        broken: &[("worker", "touch /etc/systemd/system/k3s.service")],
        mended: &[("worker", "rm /etc/systemd/system/k3s.service")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "kubeadm_was_here_before",
        broken: &[(
            "master",
            "mkdir -p /etc/kubernetes; touch /etc/kubernetes/admin.conf /etc/kubernetes/kubelet.conf",
        )],
        mended: &[("master", "rm -r /etc/kubernetes")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "rke2_k0s_and_microk8s_were_here_before",
        broken: &[
            ("master", "mkdir -p /etc/rancher/rke2 /var/lib/rancher/rke2"),
            ("worker", "mkdir -p /var/lib/k0s /var/snap/microk8s"),
        ],
        mended: &[("master", "rm -r /etc/rancher /var/lib/rancher"), ("worker", "rm -r /var/lib/k0s /var/snap")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
];
