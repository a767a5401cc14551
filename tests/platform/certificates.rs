//! Certificates: every step of an order can be seen, and each way in which one fails ends with its true reason and a remedy,
//! within its deadline.

use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use regex::Regex;

use crate::journey::{platform, trial};
use crate::support::lab::{Lab, Step, k3srun};
use crate::support::said;

/// What every script below begins with.
const BEGIN: &str = r#"
    import "certificates" as certificates;
    import "cluster" as cluster;
    let c = cluster::load();
    let k = kube::connect(cluster::connect(cluster::master(c.nodes)).host);
    let home = "certificates";
    k.apply(#{ apiVersion: "v1", kind: "Namespace", metadata: #{ name: home } });
    // An issuer like the one in use, but for what is different.
    let like_ours = |different| certificates::issuer(c, "acme") + different;
"#;

/// A way to fail.
struct Case {
    name: &'static str,
    /// A shell command at a place that breaks something, and one that mends it.
    broken: (&'static str, &'static str),
    mended: (&'static str, &'static str),
    /// Ends with an error.
    script: &'static str,
    /// Within so many seconds.
    deadline: u64,
}

const NOTHING: (&str, &str) = ("master", "true");

const CASES: &[Case] = &[
    Case {
        name: "the_name_points_elsewhere",
        broken: NOTHING,
        mended: NOTHING,
        script: r#"certificates::order(c, k, "elsewhere", #{ namespace: home, hosts: ["elsewhere.example.test"] });"#,
        deadline: 20,
    },
    Case {
        name: "there_is_no_such_name",
        broken: NOTHING,
        mended: NOTHING,
        script: r#"certificates::order(c, k, "nowhere", #{ namespace: home, hosts: ["nowhere.example.test"] });"#,
        deadline: 20,
    },
    Case {
        name: "the_aaaa_record_is_wrong",
        broken: NOTHING,
        mended: NOTHING,
        script: r#"certificates::order(c, k, "wrong6", #{ namespace: home, hosts: ["wrong6.example.test"] });"#,
        deadline: 20,
    },
    Case {
        name: "port_80_is_closed",
        broken: ("worker", SHUT),
        mended: ("worker", "nft delete table inet shut"),
        script: r#"certificates::order(c, k, "shut", #{ namespace: home, hosts: ["shut.example.test"] });"#,
        deadline: 40,
    },
    Case {
        name: "a_name_that_points_elsewhere_was_ordered_unchecked",
        broken: NOTHING,
        mended: NOTHING,
        script: r#"
            cert::certificate(k, "unchecked", #{ namespace: home, hosts: ["elsewhere.example.test"], issuer: "acme" });
            cert::wait(k, "unchecked", #{ namespace: home, patience: 10 });"#,
        deadline: 60,
    },
    Case {
        name: "there_is_no_such_issuer",
        broken: NOTHING,
        mended: NOTHING,
        script: r#"
            cert::certificate(k, "orphan", #{ namespace: home, hosts: ["orphan.example.test"], issuer: "acmee" });
            cert::wait(k, "orphan", #{ namespace: home, patience: 5 });"#,
        deadline: 20,
    },
    Case {
        name: "the_acme_server_is_down",
        broken: NOTHING,
        mended: NOTHING,
        script: r#"cert::issuer(k, "down", like_ours.call(#{ server: "https://acme.example.test:14009/dir", timeout: 5 }));"#,
        deadline: 20,
    },
    Case {
        name: "the_authority_of_the_acme_server_is_another_one",
        broken: NOTHING,
        mended: NOTHING,
        script: r#"
            let settings = like_ours.call(#{ timeout: 5 });
            settings.remove("ca");
            cert::issuer(k, "strange", settings);"#,
        deadline: 20,
    },
    Case {
        name: "the_challenge_stays_pending_for_ever",
        broken: NOTHING,
        mended: NOTHING,
        script: r#"
            cert::issuer(k, "homeless", like_ours.call(#{ node_selector: #{ "node-role": "nobody" } }));
            cert::certificate(k, "pending", #{ namespace: home, hosts: ["pending.example.test"], issuer: "homeless" });
            cert::wait(k, "pending", #{ namespace: home, patience: 8 });"#,
        deadline: 40,
    },
    Case {
        name: "the_webhook_is_not_ready",
        broken: (
            "master",
            "k3s kubectl -n cert-manager scale deployment cert-manager-webhook --replicas=0 --timeout=30s",
        ),
        mended: (
            "master",
            "k3s kubectl -n cert-manager scale deployment cert-manager-webhook --replicas=1 &&
             k3s kubectl -n cert-manager rollout status deployment cert-manager-webhook --timeout=90s",
        ),
        script: r#"
            retry(#{ attempts: 20, delay: 0.5 }, || {
                let pods = k.get("pods", #{ namespace: "cert-manager", selector: "app.kubernetes.io/name=webhook" });
                if !pods.is_empty() { throw "not gone yet" }
            });
            cert::ready(k, #{ timeout: 3 });"#,
        deadline: 40,
    },
    Case {
        name: "the_controller_does_not_run",
        broken: ("master", "k3s kubectl -n cert-manager scale deployment cert-manager --replicas=0 --timeout=30s"),
        mended: (
            "master",
            "k3s kubectl -n cert-manager scale deployment cert-manager --replicas=1 &&
             k3s kubectl -n cert-manager rollout status deployment cert-manager --timeout=90s",
        ),
        script: r#"
            retry(#{ attempts: 20, delay: 0.5 }, || {
                let pods = k.get("pods", #{ namespace: "cert-manager", selector: "app.kubernetes.io/component=controller" });
                if !pods.is_empty() { throw "not gone yet" }
            });
            cert::certificate(k, "idle", #{ namespace: home, hosts: ["idle.example.test"], issuer: "acme" });
            cert::wait(k, "idle", #{ namespace: home, patience: 5 });"#,
        deadline: 40,
    },
];

/// Loses what comes for port 80, before anybody else sees it.
const SHUT: &str = "nft add table inet shut &&
    nft add chain inet shut first '{ type filter hook prerouting priority -300; }' && nft add rule inet shut first tcp dport 80 drop";

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("certificates::every_step_of_an_order_can_be_seen", every_step),
        trial("certificates::all_are_listed", listed),
        trial("certificates::one_is_ordered_anew_when_asked_for", renewed),
        trial("certificates::a_name_may_lead_to_what_stands_in_front_of_the_worker", fronted),
        trial("certificates::fails::the_rate_limit_is_reached", rate_limited),
    ];
    trials.extend(
        CASES.iter().map(|case| {
            Trial::test(format!("certificates::fails::{}", case.name), move || run(case).map_err(Into::into))
        }),
    );
    trials.push(trial("certificates::what_these_tests_made_is_gone", clean));
    trials
}

fn clean() -> Step {
    let script = r#"
        for name in ["down", "strange", "homeless", "limited"] { k.delete("clusterissuers.cert-manager.io", name) }
        k.delete("namespace", home);"#;
    match script_says(platform()?, &[], script)? {
        (0, _) => Ok(()),
        (_, said) => Err(said),
    }
}

fn run(case: &Case) -> Step {
    let lab = platform()?;
    lab.exec(case.broken.0, case.broken.1)?;
    let failed = fails(lab, case.name, case.script, case.deadline);
    let mended = lab.exec(case.mended.0, case.mended.1);
    failed?;
    mended.map(drop)
}

/// A script must fail in time, with words that a snapshot knows.
fn fails(lab: &Lab, name: &str, script: &str, deadline: u64) -> Step {
    let begin = Instant::now();
    let (status, said) = script_says(lab, &["--output", "json"], script)?;
    let taken = begin.elapsed();
    if taken > Duration::from_secs(deadline) {
        return Err(format!("it takes {} s, more than {deadline} s:\n{said}", taken.as_secs()));
    }
    let events = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let failed = events.into_iter().find(|event| event["event"] == "failed");
    let failed = failed.ok_or_else(|| format!("it ends with {status} and no error:\n{said}"))?;
    let word = |name: &str| failed[name].as_str().unwrap_or_default().to_owned();
    let text = timeless(&format!("{}\n-> {}", word("message"), word("help")));
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        std::panic::catch_unwind(|| insta::assert_snapshot!(format!("certificates__{name}"), text))
            .map_err(|_| format!("it says something else:\n{text}"))
    })
}

/// Runs a script; its status, and what it says.
fn script_says(lab: &Lab, options: &[&str], script: &str) -> Step<(i32, String)> {
    let text = format!("{BEGIN}\n{script}");
    let config = lab.file("cluster.toml");
    let output = k3srun(&[options, &["-c", &config, "-e", &text]].concat())?;
    Ok((output.status.code().unwrap_or(-1), said(&output)))
}

/// Without what is different each time.
fn timeless(said: &str) -> String {
    let rules = [
        (r"after \d+ milliseconds", "after some milliseconds"),
        (r"10\.4[23]\.\d+\.\d+(:\d+)?", "ADDRESS"),
        (r"(cert-manager-webhook)-[0-9a-z]+-[0-9a-z]+", "$1-POD"),
    ];
    let mut text = said.to_owned();
    for (pattern, with) in rules {
        text = Regex::new(pattern).map_or(text.clone(), |rule| rule.replace_all(&text, with).into_owned());
    }
    text
}

/// From nothing to a certificate that the site is served with: what `-v` and `cert::status` show of it.
fn every_step() -> Step {
    let lab = platform()?;
    let script = r#"
        certificates::order(c, k, "steps", #{ namespace: home, hosts: ["steps.example.test"] });
        let state = cert::status(k, "steps", #{ namespace: home });
        for link in state.chain { print(`${link.kind} ${link.state}`) }
        for one in state.served { print(`served ${one.hosts} by ${one.issuer}`) }
        print(`ready ${state.ready}, revision ${state.revision}, by ${state.issuer}, problem "${state.problem}"`);"#;
    let (status, said) = script_says(lab, &["-v", "--output", "plain"], script)?;
    if status != 0 {
        return Err(said);
    }
    for expected in [
        "certificate certificates/steps: ",
        "certificate certificates/steps: issued",
        "Certificate Ready",
        "CertificateRequest Approved, Ready",
        "Order valid",
        "served [\"steps.example.test\"] by CN=Pebble Intermediate CA",
        "ready true, revision 1, by ClusterIssuer/acme, problem \"\"",
    ] {
        if !said.contains(expected) {
            return Err(format!("{expected:?} is missing in:\n{said}"));
        }
    }
    // What comes between goes by quickly; of a challenge that was set up something must have been seen.
    if said.contains("challenge for steps.example.test") || said.contains("ACME server") {
        Ok(())
    } else {
        Err(format!("no step of the order was seen:\n{said}"))
    }
}

/// The name leads to `internet`, which passes what comes to its port 80 on to the worker, as a load balancer does.
fn fronted() -> Step {
    let lab = platform()?;
    let order = r#"
        c.ingress.addresses = ["203.0.113.1"];
        certificates::order(c, k, "fronted", #{ namespace: home, hosts: ["acme.example.test"] });"#;
    match script_says(lab, &[], order)? {
        (0, said) => return Err(format!("it was ordered though nothing gets through:\n{said}")),
        (_, said) if said.contains("port 80 of acme.example.test (203.0.113.1) gives no answer") => {}
        (_, said) => return Err(said),
    }
    let mut socat = lab.inside("internet", "socat");
    socat.args(["TCP-LISTEN:80,fork,reuseaddr", "TCP:203.0.113.11:80"]).stdin(Stdio::null()).stderr(Stdio::null());
    let _server = Server(socat.spawn().map_err(|error| format!("can't start socat: {error}"))?);
    match script_says(lab, &[], order)? {
        (0, _) => Ok(()),
        (_, said) => Err(said),
    }
}

fn renewed() -> Step {
    let lab = platform()?;
    let script = r#"
        let here = #{ namespace: home };
        cert::certificate(k, "anew", here + #{ hosts: ["anew.example.test"], issuer: "acme" });
        let first = cert::wait(k, "anew", here);
        let asked = cert::renew(k, "anew", here);
        let second = cert::wait(k, "anew", here);
        print(`${asked}: ${first.revision} -> ${second.revision}`);"#;
    match script_says(lab, &[], script)? {
        (0, said) if said.contains("true: 1 -> 2") => {}
        (_, said) => return Err(said),
    }
    // The same by the playbook for it, which says how the certificate is now.
    let (status, said) = lab.with_config("certificates.rhai", &[], &["renew", "certificates/anew"])?;
    let expected = ["certificates/anew: issued (anew.example.test,", "CertificateRequest anew-3: Approved, Ready"];
    if status == 0 && expected.iter().all(|text| said.contains(text)) { Ok(()) } else { Err(said) }
}

/// Beside those of the sites there are some for no host, which monitoring has made for itself.
fn listed() -> Step {
    let (status, said) = platform()?.with_config("certificates.rhai", &[], &[])?;
    let expected = ["apps/app: issued (app.example.test,", "signed by CN=Pebble Intermediate CA", "(for no host,"];
    if status == 0 && expected.iter().all(|text| said.contains(text)) { Ok(()) } else { Err(said) }
}

/// An ACME server in whose directory orders lead to a refusal; all else is done by the lab's own one, which has no limits.
const LIMITED: &str = r#"
    read -r method path version
    length=0
    while read -r name value; do
      value=$(printf %s "$value" | tr -d '\r')
      case $name in [Cc]ontent-[Ll]ength:) length=$value ;; ''|"$(printf '\r')") break ;; esac
    done
    [ "$length" = 0 ] || head -c "$length" >/dev/null
    acme=https://acme.example.test:14000
    case $path in
    /dir) status='200 OK' type=application/json
      body="{\"newNonce\":\"$acme/nonce-plz\",\"newAccount\":\"$acme/sign-me-up\",\"newOrder\":\"http://acme.example.test:14029/order\",\"revokeCert\":\"$acme/revoke-cert\",\"keyChange\":\"$acme/rollover-account-key\",\"meta\":{\"termsOfService\":\"data:,\"}}" ;;
    *) status='429 Too Many Requests' type=application/problem+json
      body='{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many certificates (50) already issued for \"example.test\" in the last 168h0m0s, retry after 2099-01-01 00:00:00 UTC","status":429}' ;;
    esac
    printf 'HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %s\r\nConnection: close\r\nRetry-After: 3600\r\n\r\n%s' "$status" "$type" "${#body}" "$body"
"#;

fn rate_limited() -> Step {
    let lab = platform()?;
    let mut program = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    program.write_all(LIMITED.as_bytes()).map_err(|error| error.to_string())?;
    let answer = format!("EXEC:sh {}", program.path().display());
    let mut socat = lab.inside("internet", "socat");
    socat.args(["TCP-LISTEN:14029,fork,reuseaddr", &answer]).stdin(Stdio::null()).stderr(Stdio::null());
    let _server = Server(socat.spawn().map_err(|error| format!("can't start socat: {error}"))?);
    let script = r#"
        cert::issuer(k, "limited", like_ours.call(#{ server: "http://acme.example.test:14029/dir" }));
        cert::certificate(k, "limited", #{ namespace: home, hosts: ["limited.example.test"], issuer: "limited" });
        cert::wait(k, "limited", #{ namespace: home });"#;
    fails(lab, "the_rate_limit_is_reached", script, 40)
}

/// Ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
