//! The private network and the addresses.

use crate::case::Case;
use crate::case::Run::{Bootstrap, Preflight};
use crate::case::Signs::{Imitated, Real};

pub const CASES: &[Case] = &[
    Case {
        name: "the_private_interface_is_missing",
        broken: &[("worker", "ip link set eth1 down; ip link set eth1 name ens10; ip link set ens10 up")],
        mended: &[(
            "worker",
            "ip link set ens10 down; ip link set ens10 name eth1; ip link set eth1 up; ip address replace fd4b:3373:77::11/64 dev eth1 nodad",
        )],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "the_private_interface_is_down",
        broken: &[("worker", "ip link set eth1 down")],
        mended: &[("worker", "ip link set eth1 up; ip address replace fd4b:3373:77::11/64 dev eth1 nodad")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "the_private_address_is_on_another_interface",
        broken: &[],
        mended: &[],
        signs: Real,
        run: Preflight(&["--set", "nodes.worker.private_interface=eth0"]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "nobody_has_the_private_address",
        broken: &[("worker", "ip address del 10.77.0.11/24 dev eth1")],
        mended: &[("worker", "ip address add 10.77.0.11/24 dev eth1")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "the_private_address_is_the_second_of_its_interface",
        broken: &[(
            "worker",
            "ip address del 10.77.0.11/24 dev eth1; ip address add 10.99.0.11/24 dev eth1; ip address add 10.77.0.11/24 dev eth1",
        )],
        mended: &[("worker", "ip address del 10.99.0.11/24 dev eth1")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "the_private_network_is_cut",
        broken: &[("lab", "cut worker.private")],
        mended: &[("lab", "restore worker.private")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "the_private_network_works_one_way_only",
        broken: &[(
            "worker",
            "nft 'add table inet test; add chain inet test in { type filter hook input priority 0; }
                  add rule inet test in iifname eth1 ct state new drop'",
        )],
        mended: &[("worker", "nft delete table inet test")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "packets_are_too_small_for_vxlan",
        broken: &[("master", "ip link set eth1 mtu 1280"), ("worker", "ip link set eth1 mtu 1280")],
        mended: &[("master", "ip link set eth1 mtu 1500"), ("worker", "ip link set eth1 mtu 1500")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "one_takes_smaller_packets_than_the_other",
        broken: &[("worker", "ip link set eth1 mtu 1400")],
        mended: &[("worker", "ip link set eth1 mtu 1500")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "large_packets_vanish_on_the_way",
        broken: &[("switch", "ip link set master.private mtu 1400; ip link set worker.private mtu 1400")],
        mended: &[("switch", "ip link set master.private mtu 1500; ip link set worker.private mtu 1500; ip link set private mtu 1500")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "the_address_of_ipv6_is_not_there",
        broken: &[],
        mended: &[],
        signs: Real,
        run: Preflight(&["--set", "nodes.master.public_ip6=2001:db8:1::99"]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "ipv6_is_switched_off",
        broken: &[("worker", "sysctl -qw net.ipv6.conf.all.disable_ipv6=1")],
        mended: &[(
            "worker",
            "sysctl -qw net.ipv6.conf.all.disable_ipv6=0
             ip address replace 2001:db8:1::11/64 dev eth0 nodad; ip address replace fd4b:3373:77::11/64 dev eth1 nodad; ip -6 route replace default via 2001:db8:1::1",
        )],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "the_kernel_has_no_ipv6",
        broken: &[("worker", "sysctl -qw net.ipv6.conf.all.disable_ipv6=1; mkdir /run/ipv6; mount --bind /run/ipv6 /proc/sys/net/ipv6")],
        mended: &[(
            "worker",
            "umount /proc/sys/net/ipv6; rmdir /run/ipv6; sysctl -qw net.ipv6.conf.all.disable_ipv6=0
             ip address replace 2001:db8:1::11/64 dev eth0 nodad; ip address replace fd4b:3373:77::11/64 dev eth1 nodad; ip -6 route replace default via 2001:db8:1::1",
        )],
        signs: Imitated("as after a boot with ipv6.disable=1: no addresses, no settings"),
        run: Bootstrap(&["--plan", "--only", "base"]),
        deadline: 30,
        status: 0,
    },
    Case {
        name: "there_is_no_ping",
        broken: &[("master", "mv /usr/bin/ping /usr/bin/ping.kept")],
        mended: &[("master", "mv /usr/bin/ping.kept /usr/bin/ping")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 0,
    },
];
