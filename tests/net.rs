//! What answers at an address: HTTP, TLS, TCP and names, from this machine and from a host over its SSH connection.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use support::playbook::Playbook;
use support::server::{Asked, Authority, answer, http, https, listen, read};
use support::sshd::{Sshd, free_port};

/// Runs a script once with this machine as the host `h`, and once with another one.
#[track_caller]
fn from_everywhere(script: &str, expected: &str) {
    let sshd = Sshd::start();
    for host in ["local()".to_owned(), sshd.connect()] {
        let printed = Playbook::new(&format!("let h = {host};\n{script}")).run().printed();
        assert_eq!(printed, expected, "{host}");
        sshd.wait_until_nobody_is_connected();
    }
}

/// A script that prints the reason and the message of the error in which each of these expressions ends.
fn failures(expressions: &[String]) -> String {
    let one = |it: &String| {
        format!("try {{ print({it}) }} catch (e) {{ print(`${{e.kind}} ${{e.reason}}: ${{e.message}}`) }}\n")
    };
    expressions.iter().map(one).collect()
}

fn page(asked: &Asked) -> Vec<u8> {
    match asked.target() {
        "/" => answer("200 OK", "X-Two: a\r\nX-Two: b\r\n", b"hello"),
        "/echo" => answer("200 OK", "", asked.head.as_bytes()),
        "/body" => answer("200 OK", "", &asked.body),
        "/missing" => answer("404 Not Found", "", b"nothing here"),
        "/moved" => answer("302 Found", "Location: /\r\n", b""),
        "/around" => answer("302 Found", "Location: around\r\n", b""),
        other => answer("400 Bad Request", "", other.as_bytes()),
    }
}

#[test]
fn a_page_comes_with_its_status_and_headers() {
    let port = http(page);
    let script = format!(
        r#"let r = http::get("http://127.0.0.1:{port}/", #{{ from: h }});
        print([r.status, r.ok, r.body, r.headers["x-two"], r.headers["content-length"], r.certificates, r.distrust]);
        print([r.url, `${{r}}`, r.seconds > 0.0 && r.seconds < 5.0]);
        let r = http::get("http://127.0.0.1:{port}/missing", #{{ from: h }});
        print([r.status, r.ok, r.body]);
        let r = http::head("http://127.0.0.1:{port}/", #{{ from: h }});
        print([r.status, r.body, r.headers["content-length"]]);"#
    );
    let expected = format!(
        "[200, true, \"hello\", \"a, b\", \"5\", [], \"\"]\n\
         [\"http://127.0.0.1:{port}/\", 200 http://127.0.0.1:{port}/, true]\n\
         [404, false, \"nothing here\"]\n[200, \"\", \"5\"]\n"
    )
    .replace(&format!(", 200 http://127.0.0.1:{port}/,"), &format!(", \"200 http://127.0.0.1:{port}/\","));
    from_everywhere(&script, &expected);
}

#[test]
fn the_name_in_the_url_counts_wherever_one_connects_to() {
    let port = http(page);
    let script = format!(
        r#"let r = http::get("http://www.example.test:{port}/echo", #{{
            from: h, address: "127.0.0.1", headers: #{{ accept: "text/plain", "x-token": secret("correct horse") }},
        }});
        for line in r.body.split("\r\n") {{ if line.contains(":") {{ print(line.to_lower()) }} }}"#
    );
    let expected =
        format!("user-agent: k3srun\naccept: text/plain\nx-token: correct horse\nhost: www.example.test:{port}\n");
    let lines = |text: &str| -> Vec<String> {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let sshd = Sshd::start();
    for host in ["local()".to_owned(), sshd.connect()] {
        let printed = Playbook::new(&format!("let h = {host};\n{script}")).run().printed();
        // What a secret was sent for may come back; here it is hidden.
        assert_eq!(lines(&printed), lines(&expected.replace("correct horse", "***")), "{host}");
    }
}

#[test]
fn redirections_are_followed_as_far_as_wanted() {
    let port = http(page);
    let elsewhere = http(move |asked| match asked.target() {
        "/there" => answer("302 Found", &format!("Location: http://localhost:{port}/echo\r\n"), b""),
        other => answer("400 Bad Request", "", other.as_bytes()),
    });
    let script = format!(
        r#"let r = http::get("http://127.0.0.1:{port}/moved", #{{ from: h }});
        print([r.status, r.url]);
        let r = http::get("http://127.0.0.1:{port}/moved", #{{ from: h, redirects: 0 }});
        print([r.status, r.headers.location]);
        let r = http::get("http://127.0.0.1:{elsewhere}/there", #{{ from: h, headers: #{{ authorization: "Basic 0123", "x-other": "1" }} }});
        print([r.body.contains("Basic"), r.body.contains("x-other: 1")]);
        let r = http::post("http://127.0.0.1:{port}/moved", "x", #{{ from: h }});
        print(r.status);
        {}"#,
        failures(&[format!("http::get(\"http://127.0.0.1:{port}/around\", #{{ from: h, redirects: 3 }})")])
    );
    let expected = format!(
        "[200, \"http://127.0.0.1:{port}/\"]\n[302, \"/\"]\n[false, true]\n302\n\
         host bad_answer: http://127.0.0.1:{port}/around leads on and on: 3 redirections\n"
    );
    from_everywhere(&script, &expected);
}

#[test]
fn what_is_long_goes_both_ways_through_a_host_and_is_limited() {
    let port = http(page);
    let script = format!(
        r#"let text = "0123456789abcdef"; for n in 0..17 {{ text += text }}
        let r = http::post("http://127.0.0.1:{port}/body", text, #{{ from: h, max_body: 3000000 }});
        print([text.len, r.body == text]);
        print(http::post("http://127.0.0.1:{port}/body", text, #{{ from: h, max_body: 0 }}).body.len);
        {}"#,
        failures(&[format!("http::post(\"http://127.0.0.1:{port}/body\", text, #{{ from: h }})")])
    );
    let expected = format!(
        "[2097152, true]\n0\nhost bad_answer: the answer of http://127.0.0.1:{port}/body is longer than 1048576 bytes\n"
    );
    from_everywhere(&script, &expected);
}

#[test]
fn a_chain_is_shown_and_proves_who_answers() {
    let authority = Authority::new();
    let good = https(&authority.certificate("DNS:www.example.test,IP:127.0.0.1", 30), page);
    let ended = https(&authority.certificate("DNS:www.example.test", -1), page);
    let get = |port, options: &str| {
        format!("http::get(\"https://www.example.test:{port}/\", #{{ from: h, address: \"127.0.0.1\", {options} }})")
    };
    let script = format!(
        "let ca = `{}`;\nlet r = {};\nprint([r.status, r.distrust, r.certificates.map(|one| [one.subject, one.issuer, one.hosts])]);\n\
         print(r.certificates[0].not_after.len);\nlet r = {};\nprint([r.status, r.distrust.contains(\"has expired\")]);\n\
         print(tls::certificates(\"127.0.0.1\", {good}, #{{ from: h, ca: ca }}).map(|one| one.subject));\n{}",
        authority.pem(),
        get(good, "ca: ca"),
        get(ended, "ca: ca, insecure: true"),
        failures(&[
            get(good, ""),
            get(ended, "ca: ca").replace("(\"", "(`").replace("/\"", "/`"),
            format!(
                "http::get(\"https://other.example.test:{good}/\", #{{ from: h, address: \"127.0.0.1\", ca: ca }})"
            ),
            get(good, "ca: \"no certificate\""),
            format!("tls::certificates(\"127.0.0.1\", {good}, #{{ from: h }})"),
        ])
    );
    let sshd = Sshd::start();
    for host in ["local()".to_owned(), sshd.connect()] {
        let printed = Playbook::new(&format!("let h = {host};\n{script}")).run().printed();
        let lines: Vec<&str> = printed.lines().collect();
        let signed = "the certificate of www.example.test is signed by O=Authority,CN=Test, whom nobody here trusts";
        assert!(
            lines[0].starts_with(
                "[200, \"\", [[\"CN=site\", \"O=Authority,CN=Test\", [\"www.example.test\", \"127.0.0.1\"]]"
            ),
            "{printed}"
        );
        assert_eq!(lines[1..4], ["20", "[200, true]", "[\"CN=site\", \"O=Authority,CN=Test\"]"], "{printed}");
        assert_eq!(lines[4], format!("host untrusted: {signed}"), "{printed}");
        assert!(
            lines[5].starts_with("host untrusted: the certificate of www.example.test, or one that vouches"),
            "{printed}"
        );
        assert_eq!(
            lines[6],
            "host untrusted: the certificate of other.example.test is for www.example.test, 127.0.0.1"
        );
        assert_eq!(lines[7], "refused : `ca` holds no certificate of an authority in PEM");
        assert_eq!(lines[8], format!("host untrusted: {}", signed.replace("www.example.test", "127.0.0.1")));
    }
}

#[test]
fn from_https_nothing_leads_to_http() {
    let authority = Authority::new();
    let port = https(&authority.certificate("DNS:localhost", 30), |_| {
        answer("301 Moved Permanently", "Location: http://localhost/\r\n", b"")
    });
    let get = format!("http::get(\"https://localhost:{port}/\", #{{ ca: ca, from: h, address: \"127.0.0.1\" }})");
    let script = format!("let ca = `{}`;\n{}", authority.pem(), failures(&[get]));
    let expected = format!(
        "host bad_answer: https://localhost:{port}/ redirects to http://localhost/, where nothing is encrypted\n"
    );
    from_everywhere(&script, &expected);
}

#[test]
fn a_failure_has_its_reason() {
    let plain = http(page);
    let mute = listen(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let other = listen(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"500 command not understood\r\n");
    });
    let rude = listen(|mut stream| drop(read(&mut stream)));
    let nobody = free_port();
    let script = failures(&[
        format!("http::get(\"http://127.0.0.1:{nobody}/\", #{{ from: h }})"),
        "http::get(\"http://no.such.name.invalid/\", #{ from: h })".to_owned(),
        format!("http::get(\"http://127.0.0.1:{mute}/\", #{{ from: h, timeout: 3 }})"),
        format!("http::get(\"http://127.0.0.1:{other}/\", #{{ from: h }})"),
        format!("http::get(\"http://127.0.0.1:{rude}/\", #{{ from: h }})"),
        format!("http::get(\"https://127.0.0.1:{other}/\", #{{ from: h }})"),
        format!("tls::certificates(\"127.0.0.1\", {mute}, #{{ from: h, timeout: 3 }})"),
        format!("tcp::connect(\"127.0.0.1\", {nobody}, #{{ from: h }})"),
        "tcp::connect(\"no.such.name.invalid\", 80, #{ from: h, timeout: 60 })".to_owned(),
        format!("tcp::open(\"127.0.0.1\", {nobody}, #{{ from: h }})"),
        format!("tcp::open(\"127.0.0.1\", {mute}, #{{ from: h }})"),
        format!("tcp::connect(\"localhost\", {plain}, #{{ from: h }}) < 5.0"),
        "tcp::open(\"127.0.0.1\", 0, #{ from: h })".to_owned(),
        "http::get(\"www.example.test\", #{ from: h })".to_owned(),
        "http::get(\"http://127.0.0.1/\", #{ from: \"h\" })".to_owned(),
    ]);
    let expected = format!(
        "unreachable connection_refused: 127.0.0.1:{nobody} refuses connections\n\
         unreachable name_not_found: the name no.such.name.invalid can't be resolved\n\
         unreachable timeout: GET http://127.0.0.1:{mute}/ has no answer within 3 s\n\
         host bad_answer: GET http://127.0.0.1:{other}/: what answers speaks no HTTP\n\
         host bad_answer: GET http://127.0.0.1:{rude}/: the connection was closed before the answer was whole\n\
         host bad_answer: what answers at 127.0.0.1 speaks no TLS\n\
         unreachable timeout: 127.0.0.1 port {mute} does not answer over TLS within 3 s\n\
         unreachable connection_refused: 127.0.0.1:{nobody} refuses connections\n\
         unreachable name_not_found: the name no.such.name.invalid can't be resolved\n\
         false\ntrue\ntrue\n\
         script : open(): 0 is not a port from 1 to 65535\n\
         refused : \"www.example.test\" is not a URL: it must begin with http:// or https://\n\
         script : get(): option `from`: must be a host\n"
    );
    from_everywhere(&script, &expected);
}

#[test]
fn a_host_whose_sshd_forwards_nothing_says_so_and_stays_usable() {
    let sshd = Sshd::with("AllowTcpForwarding no");
    let port = http(page);
    let script = format!(
        "let h = {};\n{}print(h.query(\"echo still here\").stdout);",
        sshd.connect(),
        failures(&[
            format!("http::get(\"http://127.0.0.1:{port}/\", #{{ from: h }})"),
            format!("tcp::open(\"127.0.0.1\", {port}, #{{ from: h }})")
        ])
    );
    let line = format!("unreachable forbidden: sshd may not connect to 127.0.0.1:{port} for us\n");
    assert_eq!(Playbook::new(&script).run().printed(), format!("{line}{line}still here\n"));
}

#[test]
fn a_connection_that_nobody_waited_for_leaves_the_others_alone() {
    let sshd = Sshd::start();
    // A queue that is full lets nobody in: the host goes on connecting when our time is up.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let full = tokio::net::TcpSocket::new_v4().unwrap();
    full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = full.listen(0).unwrap();
    let at = full.local_addr().unwrap();
    let waiting: Vec<_> =
        (0..4).map(|_| TcpStream::connect_timeout(&at, std::time::Duration::from_millis(300))).collect();
    let script = format!(
        "let h = {};\n{}print(h.query(\"echo still here\").stdout); sleep(2); print(h.query(\"echo and now\").stdout);
         print(tcp::open(\"127.0.0.1\", {}, #{{ from: h }}))",
        sshd.connect(),
        failures(&[format!("tcp::connect(\"127.0.0.1\", {}, #{{ from: h, timeout: 3 }})", at.port())]),
        sshd.port()
    );
    let expected = format!("unreachable timeout: {at} does not answer within 3 s\nstill here\nand now\ntrue\n");
    assert_eq!(Playbook::new(&script).run().printed(), expected);
    assert_eq!(sshd.connections(), 1, "the connection was lost: {}", sshd.log());
    drop(waiting);
}

#[test]
fn names_are_those_of_the_host() {
    let script = "print(dns::lookup(\"localhost\", #{ from: h }).contains(\"127.0.0.1\"));
        print(dns::lookup(\"no.such.name.invalid\", #{ from: h })); print(dns::lookup(\"203.0.113.1\", #{ from: h }));";
    from_everywhere(script, "true\n[]\n[\"203.0.113.1\"]\n");
}

#[test]
fn what_is_posted_is_a_change_and_its_secrets_are_not_shown() {
    let port = http(page);
    let script = format!(
        "let r = http::post(\"http://127.0.0.1:{port}/body\", secret(\"correct horse\")); print([r.status, r.body])"
    );
    let planned = Playbook::new(&script).option("--plan").run();
    assert_eq!(planned.stdout, "[0, \"\"]\n", "{}", planned.stderr);
    assert!(planned.stderr.contains(&format!("POST http://127.0.0.1:{port}/body")), "{}", planned.stderr);
    let done = Playbook::new(&script).option("-vv").run();
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    assert!(!format!("{}{}", done.stdout, done.stderr).contains("correct horse"), "{}", done.stderr);
}

/// A proxy leads to the server that it is told, whatever its name.
fn proxy(to: u16) -> u16 {
    listen(move |mut stream| {
        let Some(asked) = read(&mut stream) else { return };
        if !asked.head.contains("Basic YWRhOmh1bnRlcjIy\r\n") {
            let _ = stream.write_all(&answer("407 Proxy Authentication Required", "", b""));
        } else if asked.head.starts_with("CONNECT secure.example.test:443 ") {
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let (mut from, mut back) = (stream.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut back));
            let _ = std::io::copy(&mut server, &mut stream);
        } else {
            let _ = stream.write_all(&answer("200 OK", "", asked.target().as_bytes()));
        }
    })
}

#[test]
fn the_proxies_of_this_machine_are_used_unless_an_address_is_given() {
    let authority = Authority::new();
    let port = https(&authority.certificate("DNS:secure.example.test", 30), page);
    let script = format!(
        "let ca = `{}`; print(http::get(\"https://secure.example.test/\", #{{ ca: ca }}).body);
         print(http::get(\"http://plain.example.test/a?b\").body);
         print(http::get(\"https://secure.example.test:{port}/\", #{{ ca: ca, address: \"127.0.0.1\" }}).body);",
        authority.pem()
    );
    let way = proxy(port);
    let ask = |login: &str| {
        let named = format!("http://{login}127.0.0.1:{way}");
        Playbook::new(&script).env("https_proxy", &named).env("http_proxy", &named).env("no_proxy", "").run()
    };
    assert_eq!(ask("ada:hunter22@").printed(), "hello\nhttp://plain.example.test/a?b\nhello\n");
    let refused = ask("");
    let why = format!("the proxy 127.0.0.1:{way} does not lead to secure.example.test: it wants a login");
    assert!(refused.stderr.contains(&why), "{}", refused.stderr);
}
