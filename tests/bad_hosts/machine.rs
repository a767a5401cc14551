//! The machine: its system, size and disks.

use crate::case::Run::{Preflight, Script};
use crate::case::Signs::{Imitated, Real};
use crate::case::{Act, Case};

const NOTHING: &[Act] = &[];

pub const CASES: &[Case] = &[
    Case {
        name: "it_was_not_booted_with_systemd",
        broken: &[("worker", "mkdir /run/openrc; mount -t tmpfs tmpfs /run/systemd")],
        mended: &[("worker", "umount /run/systemd; rmdir /run/openrc")],
        signs: Imitated("the folder that systemd makes is hidden, and OpenRC's is there"),
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "it_is_alpine",
        broken: &[(
            "worker",
            "mkdir /run/openrc; mount -t tmpfs tmpfs /run/systemd; mv /usr/bin/apt-get /usr/bin/apt-get.kept
             printf '#!/bin/sh\\n' >/usr/local/sbin/apk; chmod 755 /usr/local/sbin/apk
             printf 'ID=alpine\\nVERSION_ID=3.20.3\\nPRETTY_NAME=\"Alpine Linux v3.20\"\\n' >/run/os-release
             mount --bind /run/os-release /etc/os-release",
        )],
        mended: &[(
            "worker",
            "umount /etc/os-release /run/systemd; rm /run/os-release /usr/local/sbin/apk; rmdir /run/openrc
             mv /usr/bin/apt-get.kept /usr/bin/apt-get",
        )],
        signs: Imitated("os-release, init and package manager are Alpine's"),
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "it_is_microos",
        broken: &[(
            "worker",
            "printf '#!/bin/sh\\n' >/usr/local/sbin/transactional-update; chmod 755 /usr/local/sbin/transactional-update
             printf 'ID=opensuse-microos\\nID_LIKE=\"suse opensuse\"\\nPRETTY_NAME=\"openSUSE MicroOS\"\\n' >/run/os-release
             mount --bind /run/os-release /etc/os-release",
        )],
        mended: &[("worker", "umount /etc/os-release; rm /run/os-release /usr/local/sbin/transactional-update")],
        signs: Imitated("os-release and the program that changes the system are those of MicroOS"),
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "it_is_a_container_that_sets_no_kernel_parameters",
        broken: &[("worker", "cd /proc/sys/vm; mount --bind overcommit_memory overcommit_memory; mount -o remount,bind,ro overcommit_memory
              >/run/kmsg; mount --bind /run/kmsg /dev/kmsg")],
        mended: &[("worker", "umount /proc/sys/vm/overcommit_memory /dev/kmsg; rm /run/kmsg")],
        signs: Imitated("what LXC hides from an unprivileged container is hidden"),
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "it_is_a_distribution_that_nobody_knows",
        broken: &[(
            "worker",
            "printf 'ID=mine\\nPRETTY_NAME=\"My Linux\"\\n' >/run/os-release; mount --bind /run/os-release /etc/os-release",
        )],
        mended: &[("worker", "umount /etc/os-release; rm /run/os-release")],
        signs: Imitated("os-release; it has apt and systemd, and so is fine"),
        run: Preflight(&[]),
        deadline: 30,
        status: 0,
    },
    Case {
        name: "it_does_not_say_what_it_is",
        broken: &[("worker", "mount --bind /dev/null /etc/os-release; mount --bind /dev/null /usr/lib/os-release")],
        mended: &[("worker", "umount /usr/lib/os-release; umount /etc/os-release 2>/dev/null || true")],
        signs: Imitated("os-release is empty; it has apt and systemd, and so is fine"),
        run: Preflight(&[]),
        deadline: 30,
        status: 0,
    },
    Case {
        name: "it_has_too_little_memory",
        broken: &[(
            "master",
            "sed -E 's/^(MemTotal|MemAvailable): .*/\\1: 524288 kB/' /proc/meminfo >/run/meminfo; mount --bind /run/meminfo /proc/meminfo",
        )],
        mended: &[("master", "umount /proc/meminfo; rm /run/meminfo")],
        signs: Imitated("the kernel's file about memory is another one"),
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "it_has_one_processor",
        broken: &[("master", "printf '#!/bin/sh\\necho 1\\n' >/usr/local/sbin/getconf; chmod 755 /usr/local/sbin/getconf")],
        mended: &[("master", "rm /usr/local/sbin/getconf")],
        signs: Imitated("the program that counts them says so"),
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "it_is_another_architecture",
        broken: &[(
            "worker",
            "printf '#!/bin/sh\\n[ \"$1\" = -m ] && echo riscv64 || exec /usr/bin/uname \"$@\"\\n' >/usr/local/sbin/uname
             chmod 755 /usr/local/sbin/uname",
        )],
        mended: &[("worker", "rm /usr/local/sbin/uname")],
        signs: Imitated("the program that tells it says so"),
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "the_disk_is_full",
        broken: &[(
            "master",
            "mkdir -p /var/lib/rancher; mount -t tmpfs -o size=20m tmpfs /var/lib/rancher
             head -c 30M /dev/zero >/var/lib/rancher/full 2>/dev/null || true",
        )],
        mended: &[("master", "umount /var/lib/rancher; rmdir /var/lib/rancher")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "there_is_no_room_for_the_executable",
        broken: &[("worker", "mount -t tmpfs -o size=20m tmpfs /usr/local/bin")],
        mended: &[("worker", "umount /usr/local/bin")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "the_disk_has_no_inodes_left",
        broken: &[("worker", "mkdir -p /var/lib/rancher; mount -t tmpfs -o size=20g,nr_inodes=100 tmpfs /var/lib/rancher")],
        mended: &[("worker", "umount /var/lib/rancher; rmdir /var/lib/rancher")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "file_systems_are_read_only",
        broken: &[("worker", "for d in /etc /usr/local/bin; do mount --bind $d $d; mount -o remount,bind,ro $d; done")],
        mended: &[("worker", "umount /etc /usr/local/bin")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "programs_may_not_run_where_k3s_would_be",
        broken: &[("master", "for d in /usr/local/bin /var/lib; do mount --bind $d $d; mount -o remount,bind,noexec $d; done")],
        mended: &[("master", "umount /usr/local/bin /var/lib")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "programs_may_not_run_from_tmp",
        broken: &[("master", "mount -t tmpfs -o noexec,nosuid,nodev tmpfs /tmp; mount -t tmpfs -o noexec tmpfs /var/tmp")],
        mended: &[("master", "umount /tmp /var/tmp")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 0,
    },
    Case {
        name: "the_disk_is_slow",
        broken: &[(
            "master",
            "printf '#!/bin/sh\\necho \"102400 bytes (102 kB, 100 KiB) copied, 5.12 s, 20.0 kB/s\" >&2\\n' >/usr/local/sbin/dd
             chmod 755 /usr/local/sbin/dd",
        )],
        mended: &[("master", "rm /usr/local/sbin/dd")],
        signs: Imitated("the program that measures it says so"),
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "a_control_group_controller_is_off",
        broken: &[(
            "worker",
            "if [ -e /sys/fs/cgroup/cgroup.controllers ]; then file=/sys/fs/cgroup/cgroup.controllers; sed 's/memory//' $file >/run/groups
             else file=/proc/cgroups; sed -E 's/^(memory.*)1$/\\10/' $file >/run/groups; fi
             echo $file >/run/groups.file; mount --bind /run/groups $file",
        )],
        mended: &[("worker", "umount $(cat /run/groups.file); rm /run/groups /run/groups.file")],
        signs: Imitated("the kernel's file about controllers is another one"),
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "the_kernel_was_updated_and_its_modules_are_gone",
        broken: &[(
            "worker",
            "mount --bind /dev/null /proc/kallsyms; mkdir /run/module; mount --bind /run/module /sys/module
             printf '#!/bin/sh\\nexit 1\\n' >/usr/local/sbin/modprobe; chmod 755 /usr/local/sbin/modprobe",
        )],
        mended: &[("worker", "umount /proc/kallsyms /sys/module; rmdir /run/module; rm /usr/local/sbin/modprobe")],
        signs: Imitated("what tells about the kernel's modules is empty"),
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "both_have_the_same_machine_id",
        broken: &[
            ("master", "cp /etc/machine-id /etc/kept; echo 0123456789abcdef0123456789abcdef >/etc/machine-id"),
            ("worker", "cp /etc/machine-id /etc/kept; echo 0123456789abcdef0123456789abcdef >/etc/machine-id"),
        ],
        mended: &[("master", "mv /etc/kept /etc/machine-id"), ("worker", "mv /etc/kept /etc/machine-id")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "one_has_no_machine_id",
        broken: &[("master", "cp /etc/machine-id /etc/kept; : >/etc/machine-id")],
        mended: &[("master", "mv /etc/kept /etc/machine-id")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "both_call_themselves_the_same",
        broken: &[("master", "hostname debian"), ("worker", "hostname debian")],
        mended: &[("master", "hostname master"), ("worker", "hostname worker")],
        signs: Real,
        run: Preflight(&[]),
        deadline: 30,
        status: 0,
    },
    Case {
        name: "one_has_capitals_in_its_name",
        broken: &[("worker", "hostname Worker-01.Example.COM")],
        mended: &[("worker", "hostname worker")],
        signs: Real,
        run: Script(
            "let h = ssh::connect(\"worker\", #{ config: \"ssh_config\" }); h.ensure([hostname(\"worker\")]); print(h.query(\"hostname\").stdout)",
        ),
        deadline: 30,
        status: 0,
    },
    Case {
        name: "the_name_in_cluster_toml_has_capitals",
        broken: NOTHING,
        mended: NOTHING,
        signs: Real,
        run: Preflight(&["--set", "nodes.worker.name=Worker-01"]),
        deadline: 30,
        status: 2,
    },
];
