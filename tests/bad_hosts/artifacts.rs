//! The executable of k3s and the images: files here, downloads, and the room for them.

use crate::case::Run::{Bootstrap, Preflight, Script};
use crate::case::Signs::{Imitated, Real};
use crate::case::{Act, Case};

const NOTHING: &[Act] = &[];
const SERVER: &[&str] = &["--only", "server"];

/// Makes the file `k3s` what cluster.toml names, with its own checksum.
macro_rules! executable {
    ($make:literal) => {
        (
            "here",
            concat!(
                "binary=$(sed -n 's/^binary = \"\\(.*\\)\"/\\1/p' cluster.toml)\n",
                $make,
                "\nchmod 755 k3s; sed -i -e '/^sha256/d; /^sums/d; s|^binary.*|binary = \"k3s\"|' cluster.toml\n",
                "sed -i \"/^binary/a sha256 = \\\"$(sha256sum k3s | cut -c 1-64)\\\"\" cluster.toml"
            ),
        )
    };
}

/// The server's version from an address at the router, `none` being 64 digits.
macro_rules! download {
    ($source:literal) => {
        Script(concat!(
            "let master = ssh::connect(\"master\", #{ config: \"ssh_config\" });\n",
            "k3s::server(master, #{ version: \"v1.34.4+k3s1\", source: #{ ",
            $source,
            " } });"
        ))
    };
}

/// A web server at the router, with pages that are not what they should be.
const WEB: &[Act] = &[(
    "internet",
    r#"cat >/run/page <<'END'
#!/bin/sh
read -r _ path _
while read -r line && [ ${#line} -gt 1 ]; do :; done
head() { printf 'HTTP/1.0 %s\r\nContent-Length: %s\r\n\r\n' "$1" "$2"; }
case $path in
*/short) head '200 OK' 100000; echo 'only this' ;;
*/stalled) head '200 OK' 100000; echo 'only this'; sleep 100 ;;
*/login-page) head '200 OK' 30; echo '<html>Please log in here</html>' ;;
*/sha256sum-amd64.txt) head '200 OK' 71; echo '0000000000000000000000000000000000000000000000000000000000000000  other' ;;
*) head '404 Not Found' 0 ;;
esac
END
chmod 755 /run/page
(setsid socat TCP-LISTEN:8000,fork,reuseaddr EXEC:/run/page >/dev/null 2>&1 </dev/null & echo $! >/run/web); sleep 0.2"#,
)];
const NO_WEB: &[Act] = &[("internet", "kill $(cat /run/web)")];

pub const CASES: &[Case] = &[
    Case {
        name: "the_executable_is_missing_here",
        broken: NOTHING,
        mended: NOTHING,
        signs: Real,
        run: Preflight(&["--set", "k3s.binary=downloads/k3s"]),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "the_checksum_is_another_one",
        broken: &[executable!("printf '#!/bin/sh\\n' >k3s"), ("here", "echo '# changed' >>k3s")],
        mended: NOTHING,
        signs: Real,
        run: Bootstrap(SERVER),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "the_executable_is_cut_off",
        broken: &[executable!("head -c 1000000 \"$binary\" >k3s")],
        mended: NOTHING,
        signs: Real,
        run: Bootstrap(SERVER),
        deadline: 30,
        status: 3,
    },
    Case {
        name: "the_executable_is_for_another_processor",
        broken: &[executable!("head -c 1000000 \"$binary\" >k3s; printf '\\267' | dd of=k3s bs=1 seek=18 conv=notrunc status=none")],
        mended: NOTHING,
        signs: Real,
        run: Bootstrap(SERVER),
        deadline: 30,
        status: 3,
    },
    Case {
        name: "the_executable_has_another_version",
        broken: &[executable!("printf '#!/bin/sh\\necho \"k3s version v1.30.2+k3s1 (aa4794b3)\"\\n' >k3s")],
        mended: NOTHING,
        signs: Real,
        run: Bootstrap(SERVER),
        deadline: 30,
        status: 3,
    },
    Case {
        name: "the_archive_of_images_is_another_one",
        broken: &[(
            "here",
            "mkdir bundle; printf '#!/bin/sh\\n' >bundle/k3s; echo cut off >bundle/k3s-images.tar
             (cd bundle; sha256sum k3s; echo 0000000000000000000000000000000000000000000000000000000000000000 k3s-images.tar) >sums
             mv sums bundle/sha256sum-amd64.txt",
        )],
        mended: NOTHING,
        signs: Real,
        run: download!("bundle: \"bundle\""),
        deadline: 30,
        status: 2,
    },
    Case {
        name: "the_disk_fills_up_while_it_is_sent",
        broken: &[
            executable!("head -c 30000000 /dev/zero >k3s"),
            ("master", "mount -t tmpfs -o size=20m tmpfs /usr/local/bin"),
        ],
        mended: &[("master", "left=$(ls -A /usr/local/bin); umount /usr/local/bin; [ -z \"$left\" ]")],
        signs: Real,
        run: Bootstrap(SERVER),
        deadline: 30,
        status: 3,
    },
    Case {
        name: "the_server_of_downloads_refuses_connections",
        broken: NOTHING,
        mended: NOTHING,
        signs: Real,
        run: download!("url: \"http://203.0.113.1:8000/k3s\""),
        deadline: 30,
        status: 3,
    },
    Case {
        name: "the_host_can_not_resolve_names",
        broken: NOTHING,
        mended: NOTHING,
        signs: Real,
        run: download!("url: \"http://downloads.example/k3s\""),
        deadline: 40,
        status: 3,
    },
    Case {
        name: "the_download_is_not_there",
        broken: WEB,
        mended: NO_WEB,
        signs: Real,
        run: download!("url: \"http://203.0.113.1:8000/none\", sums: \"http://203.0.113.1:8000/none\""),
        deadline: 30,
        status: 3,
    },
    Case {
        name: "the_download_is_cut_off",
        broken: WEB,
        mended: NO_WEB,
        signs: Real,
        run: download!(
            "url: \"http://203.0.113.1:8000/short\", sha256: \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""
        ),
        deadline: 40,
        status: 3,
    },
    Case {
        name: "the_download_stalls",
        broken: WEB,
        mended: NO_WEB,
        signs: Real,
        run: download!(
            "url: \"http://203.0.113.1:8000/stalled\", sha256: \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""
        ),
        deadline: 30,
        status: 3,
    },
    Case {
        name: "the_download_is_a_login_page",
        broken: WEB,
        mended: NO_WEB,
        signs: Imitated("a page of the lab's router stands for that of a hotel or a proxy"),
        run: download!(
            "url: \"http://203.0.113.1:8000/login-page\", sha256: \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""
        ),
        deadline: 30,
        status: 3,
    },
    Case {
        name: "the_list_of_checksums_has_another_file",
        broken: WEB,
        mended: NO_WEB,
        signs: Real,
        run: download!("url: \"http://203.0.113.1:8000/k3s\""),
        deadline: 30,
        status: 3,
    },
    Case {
        name: "the_certificate_of_the_downloads_is_not_trusted",
        broken: &[(
            "internet",
            "cd /run; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out certificate -days 2 -subj /CN=proxy 2>/dev/null
             (setsid openssl s_server -accept 8443 -key key -cert certificate -WWW >/dev/null 2>&1 </dev/null & echo $! >/run/tls); sleep 0.3",
        )],
        mended: &[("internet", "kill $(cat /run/tls)")],
        signs: Real,
        run: download!("url: \"https://203.0.113.1:8443/k3s\""),
        deadline: 30,
        status: 3,
    },
];
