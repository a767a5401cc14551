//! The login: users, sudo, shells and what they print.

use crate::case::Run::{Connect, Preflight};
use crate::case::Signs::{Imitated, Real};
use crate::case::{Act, Case};

const NOTHING: &[Act] = &[];
const OPS: &str = "user: \"ops\"";
const OPS_SUDO: &str = "user: \"ops\", sudo: true";
const OPS_PASSWORD: &str = "user: \"ops\", sudo: true, sudo_password: secret(local().read(\"ops-password\"))";

pub const CASES: &[Case] = &[
    Case {
        name: "the_login_is_not_root",
        broken: NOTHING,
        mended: NOTHING,
        signs: Real,
        run: Preflight(&["--set", "ssh.user=ops"]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "sudo_asks_for_a_password_and_none_is_given",
        broken: NOTHING,
        mended: NOTHING,
        signs: Real,
        run: Preflight(&["--set", "ssh.user=ops", "--set", "ssh.sudo=true"]),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_password_of_sudo_is_wrong",
        broken: &[("here", "echo wrong >ops-password")],
        mended: NOTHING,
        signs: Real,
        run: Preflight(&["--set", "ssh.user=ops", "--set", "ssh.sudo=true", "--set", "ssh.sudo_password_file=ops-password"]),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_user_may_not_use_sudo",
        broken: &[("master", "gpasswd -d ops sudo")],
        mended: &[("master", "gpasswd -a ops sudo")],
        signs: Real,
        run: Connect("master", OPS_PASSWORD),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "there_is_no_sudo",
        broken: &[("master", "mv /usr/bin/sudo /usr/bin/sudo.kept")],
        mended: &[("master", "mv /usr/bin/sudo.kept /usr/bin/sudo")],
        signs: Real,
        run: Connect("master", OPS_SUDO),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "sudo_wants_a_terminal",
        broken: &[("master", "echo 'Defaults requiretty' >/etc/sudoers.d/test")],
        mended: &[("master", "rm /etc/sudoers.d/test")],
        signs: Real,
        run: Connect("master", OPS_PASSWORD),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_password_has_expired",
        broken: &[("master", "chage -d 0 root")],
        mended: &[("master", "chage -d -1 root")],
        signs: Real,
        run: Connect("master", ""),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_machine_lets_nobody_in_yet",
        broken: &[("master", "echo 'System is booting up. Unprivileged users are not permitted to log in yet.' >/run/nologin")],
        mended: &[("master", "rm /run/nologin")],
        signs: Real,
        run: Connect("master", OPS),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_provider_wants_another_user",
        broken: &[(
            "master",
            "cp -p /root/.ssh/authorized_keys /root/.ssh/kept
             sed -i 's/^/command=\"echo Please login as the user \\\\\"ops\\\\\" rather than the user \\\\\"root\\\\\".; exit 142\" /' /root/.ssh/authorized_keys",
        )],
        mended: &[("master", "mv /root/.ssh/kept /root/.ssh/authorized_keys")],
        signs: Real,
        run: Connect("master", ""),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_user_has_no_login_shell",
        broken: &[("master", "usermod -s /usr/sbin/nologin root")],
        mended: &[("master", "usermod -s /bin/bash root")],
        signs: Real,
        run: Connect("master", ""),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_login_shell_is_not_there",
        broken: &[("master", "sed -i '/^root:/s|/bin/bash|/usr/bin/zsh|' /etc/passwd")],
        mended: &[("master", "sed -i '/^root:/s|/usr/bin/zsh|/bin/bash|' /etc/passwd")],
        signs: Real,
        run: Connect("master", ""),
        deadline: 30,
        status: 4,
    },
    Case {
        name: "the_login_shell_is_no_posix_shell",
        broken: &[(
            "master",
            "cat >/usr/local/bin/fish <<'END'
#!/bin/sh
[ \"$1\" = -c ] || exit 127
case $2 in *'$('* | *'${'* | *'`'* | *';;'* | *'{'* | *'<<'* | *=*) echo 'fish: Expected a string, but found something else' >&2; exit 127 ;; esac
exec sh -c \"$2\"
END
             chmod 755 /usr/local/bin/fish; sed -i -E '/^(root|ops):/s|/bin/bash|/usr/local/bin/fish|' /etc/passwd",
        )],
        mended: &[(
            "master",
            "sed -i -E '/^(root|ops):/s|/usr/local/bin/fish|/bin/bash|' /etc/passwd; rm /usr/local/bin/fish",
        )],
        signs: Imitated("a shell that takes simple commands only, as fish and csh would take ours"),
        run: Connect("master", OPS_PASSWORD),
        deadline: 30,
        status: 0,
    },
    Case {
        name: "banner_and_profile_print",
        broken: &[(
            "master",
            "cp -p /root/.bashrc /root/.kept; sed -i '1i echo \"* Welcome *\"; echo \"* be careful *\" >&2; printf \"no line end\"' /root/.bashrc
             echo 'echo $RANDOM' >/etc/profile.d/test.sh; printf 'Authorised use only\\n' >/etc/issue.net
             echo 'Banner /etc/issue.net' >/etc/ssh/sshd_config.d/00-test.conf; systemctl reload ssh",
        )],
        mended: &[(
            "master",
            "mv /root/.kept /root/.bashrc; rm /etc/profile.d/test.sh /etc/ssh/sshd_config.d/00-test.conf; systemctl reload ssh",
        )],
        signs: Real,
        run: Connect("master", ""),
        deadline: 30,
        status: 0,
    },
    Case {
        name: "the_profile_hangs",
        broken: &[("master", "cp -p /root/.bashrc /root/.kept; sed -i '1i echo one moment; sleep 1000' /root/.bashrc")],
        mended: &[("master", "mv /root/.kept /root/.bashrc; pkill -x sleep")],
        signs: Real,
        run: Connect("master", "connect_timeout: 3"),
        deadline: 30,
        status: 4,
    },
];
