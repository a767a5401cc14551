//! Helm releases: of a chart as small as can be (`charts/tiny`), with both generations of the Helm CLI.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use sha2::{Digest as _, Sha256};

use crate::journey::{platform, trial};
use crate::publisher::Publisher;
use crate::registry::Registry;
use crate::support::lab::{Lab, Step};
use crate::support::said;

/// A secret that is in the values of every release here, and in nothing that a run leaves behind.
const PASSWORD: &str = "correct-horse-battery-staple";

/// Connects, and has a function for the release `NAME` of the tiny chart.
const HEAD: &str = r#"
import "cluster" as cluster;
let c = cluster::load();
let k = kube::connect(cluster::connect(cluster::master(c.nodes)).host);
let h = helm::client(k, #{ binary: args()[0] });
fn install(h, name, values, more) {
    values.password = secret("correct-horse-battery-staple");
    let options = #{ chart: "tests/platform/charts/tiny", namespace: "tiny", values: values, timeout: 60 };
    options += more;
    helm::upgrade_install(h, name, options)
}
fn check(what, holds) { if !holds { throw `not so: ${what}` } }
"#;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_release_is_installed_upgraded_rolled_back_and_removed", || both(life)),
        trial("a_plan_of_a_release_shows_its_objects_and_changes_nothing", || both(plan)),
        trial("a_release_left_pending_by_a_helm_that_was_killed_is_taken_up_again", || both(pending)),
        trial("a_run_that_is_stopped_waits_for_its_helm", || both(stopped)),
        trial("a_release_that_fails_is_rolled_back_where_that_is_asked_for", || newest(rolled_back)),
        trial("a_daemon_set_without_a_node_is_no_success", || newest(no_node)),
        trial("definitions_of_a_chart_are_upgraded", || newest(definitions)),
        trial("values_that_the_chart_does_not_know_are_refused", || newest(strict)),
        trial("helm_and_charts_are_fetched_once_and_verified", || newest(fetched)),
        trial("charts_of_a_registry_are_taken_by_version_or_by_digest", || both(registry)),
        trial("no_other_cluster_and_no_setting_of_the_user_is_touched", || both(alone)),
    ]
}

/// The lab's Helm CLIs: version 4, and version 3 beside it.
fn programs(lab: &Lab) -> Step<[String; 2]> {
    let (status, path) = run_text(lab, "import \"cluster\" as cluster; print(cluster::load().helm.binary);", &[], &[])
        .map(|output| (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned()))?;
    if !status || path.is_empty() {
        return Err(format!("the lab's cluster.toml names no Helm CLI: {path}"));
    }
    let other = PathBuf::from(&path).with_file_name("helm3").display().to_string();
    Ok([path, other])
}

fn both(test: fn(&Lab, &str) -> Step) -> Step {
    let lab = platform()?;
    for program in programs(lab)? {
        test(lab, &program).map_err(|error| format!("with {program}: {error}"))?;
    }
    Ok(())
}

fn newest(test: fn(&Lab, &str) -> Step) -> Step {
    let lab = platform()?;
    test(lab, &programs(lab)?[0])
}

fn command(lab: &Lab, text: &str, options: &[&str], args: &[&str]) -> Step<Command> {
    let script = lab.file("helm-test.rhai");
    std::fs::write(&script, text).map_err(|error| error.to_string())?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_k3srun"));
    command.args(options).args(["-vv", "-c", &lab.file("cluster.toml")]).arg(script).args(args);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

fn run_text(lab: &Lab, text: &str, options: &[&str], args: &[&str]) -> Step<Output> {
    command(lab, text, options, args)?.output().map_err(|error| format!("can't start k3srun: {error}"))
}

/// Runs a script with the head above, and looks for the secret in all that it says.
fn run(lab: &Lab, program: &str, text: &str, options: &[&str]) -> Step<(bool, String)> {
    let output = run_text(lab, &format!("{HEAD}{text}"), options, &[program])?;
    let all = said(&output);
    if all.replace("secret(\"", "").contains(PASSWORD) {
        return Err(format!("the secret is shown:\n{all}"));
    }
    Ok((output.status.success(), all))
}

fn succeed(lab: &Lab, program: &str, text: &str) -> Step<String> {
    match run(lab, program, text, &[])? {
        (true, said) => Ok(said),
        (false, said) => Err(said),
    }
}

fn fail(lab: &Lab, program: &str, text: &str, words: &[&str]) -> Step {
    let (succeeded, said) = run(lab, program, text, &[])?;
    let flat = said.replace("\n  │ ", " ").split_whitespace().collect::<Vec<_>>().join(" ");
    match words.iter().find(|word| !flat.contains(**word)) {
        None if !succeeded => Ok(()),
        None => Err(format!("it should have failed:\n{said}")),
        Some(word) => Err(format!("{word:?} is not said:\n{said}")),
    }
}

fn clean(lab: &Lab, program: &str, name: &str) -> Step {
    succeed(lab, program, &format!("helm::uninstall(h, \"{name}\", #{{ namespace: \"tiny\" }});")).map(drop)
}

fn life(lab: &Lab, program: &str) -> Step {
    succeed(
        lab,
        program,
        r#"
        let at = #{ namespace: "tiny" };
        let first = install(h, "life", #{ message: "one" }, #{});
        check("installed", first.changed && first.revision == 1 && first.status == "deployed");
        check("its pods are there", k.get("deployment", #{ namespace: "tiny", name: "life" }).status.availableReplicas == 1);
        let again = install(h, "life", #{ message: "one" }, #{});
        check("nothing to do", !again.changed && again.revision == 1);
        let second = install(h, "life", #{ message: "two" }, #{});
        check("only what differs", second.names == ["release:life", "configmap:life"]);
        check("values", helm::values(h, "life", at).message == "two");
        check("history", helm::history(h, "life", at).map(|one| one.status) == ["deployed", "superseded"]);
        helm::rollback(h, "life", at);
        check("rolled back", k.get("cm", #{ namespace: "tiny", name: "life" }).data.message == "one");
        let listed = helm::list(h, at).find(|one| one.name == "life");
        check("listed", listed.revision == 3 && listed.chart == "tiny" && listed.version == "1.0.0");
        check("removed", helm::uninstall(h, "life", at) && !helm::uninstall(h, "life", at));
        check("gone", helm::status(h, "life", at) == () && k.get("cm", #{ namespace: "tiny", name: "life" }) == ());
        "#,
    )
    .map(drop)
}

fn plan(lab: &Lab, program: &str) -> Step {
    let wanted = r#"install(h, "plan", #{ message: args()[1] }, #{});"#;
    succeed(lab, program, &wanted.replace("args()[1]", "\"one\""))?;
    let (succeeded, said) = run(lab, program, &wanted.replace("args()[1]", "\"two\""), &["--plan"])?;
    for line in
        ["would change release:plan: upgraded: tiny 1.0.0 with other values", "-  message: one", "+  message: two"]
    {
        if !succeeded || !said.contains(line) {
            return Err(format!("{line:?} is missing:\n{said}"));
        }
    }
    succeed(lab, program, "check(\"unchanged\", helm::status(h, \"plan\", #{ namespace: \"tiny\" }).revision == 1);")?;
    clean(lab, program, "plan")
}

/// The state of a release and how many revisions it has, as the labels of its Secrets tell.
fn state(lab: &Lab, name: &str) -> Step<String> {
    let list = format!(
        "k3s kubectl -n tiny get secrets -l owner=helm,name={name} -o jsonpath='{{.items[*].metadata.labels.status}}'"
    );
    lab.exec("master", &list)
}

fn until(what: &str, mut so: impl FnMut() -> Step<bool>) -> Step {
    let end = Instant::now() + Duration::from_secs(30);
    while Instant::now() < end {
        if so()? {
            return Ok(());
        }
        sleep(Duration::from_millis(200));
    }
    Err(format!("not within 30 s: {what}"))
}

/// The number of the Helm process that works on a release.
fn helm_process(program: &str, name: &str) -> Option<i32> {
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    processes.into_iter().find_map(|process| {
        let line = std::fs::read(process.path().join("cmdline")).ok()?;
        let words: Vec<_> = line.split(|byte| *byte == 0).collect();
        let ours =
            words.first() == Some(&program.as_bytes()) && words.get(1..3) == Some(&[b"upgrade", name.as_bytes()]);
        ours.then(|| process.file_name().to_string_lossy().parse().ok()).flatten()
    })
}

fn signal(process: i32, signal: &str) -> Step {
    let done = Command::new("kill").args([format!("-{signal}"), process.to_string()]).status();
    done.map(drop).map_err(|error| error.to_string())
}

fn pending(lab: &Lab, program: &str) -> Step {
    // Revision 1 is killed in a hook of the installation, revision 2 in one of an upgrade.
    for (message, left) in [("one", "pending-install"), ("two", "deployed pending-upgrade")] {
        let wanted = format!(r#"install(h, "pending", #{{ message: "{message}", hook: HOOK }}, #{{}});"#);
        let text = format!("{HEAD}{}", wanted.replace("HOOK", "30"));
        let mut killed = command(lab, &text, &[], &[program])?.spawn().map_err(|error| error.to_string())?;
        until("pending", || Ok(state(lab, "pending")?.contains("pending-")))?;
        signal(helm_process(program, "pending").ok_or("no Helm runs")?, "KILL")?;
        killed.wait().map_err(|error| error.to_string())?;
        if state(lab, "pending")? != left {
            return Err(format!("{left} was expected, not {}", state(lab, "pending")?));
        }
        let said = succeed(
            lab,
            program,
            &format!("check(\"changed\", {}.changed);", wanted.replace("HOOK", "0").trim_end_matches(';')),
        )?;
        if !said.contains("by a Helm that didn't come to its end") {
            return Err(said);
        }
    }
    succeed(
        lab,
        program,
        "check(\"two\", k.get(\"cm\", #{ namespace: \"tiny\", name: \"pending\" }).data.message == \"two\");",
    )?;
    clean(lab, program, "pending")
}

fn stopped(lab: &Lab, program: &str) -> Step {
    let text = format!(r#"{HEAD}install(h, "stopped", #{{ hook: 30 }}, #{{}});"#);
    let mut run = command(lab, &text, &[], &[program])?.spawn().map_err(|error| error.to_string())?;
    until("pending", || Ok(state(lab, "stopped")? == "pending-install"))?;
    signal(run.id().cast_signed(), "INT")?;
    let status = run.wait().map_err(|error| error.to_string())?;
    if status.code() != Some(130) || helm_process(program, "stopped").is_some() || state(lab, "stopped")? != "failed" {
        return Err(format!("ended with {status}, and the release is {}", state(lab, "stopped")?));
    }
    succeed(lab, program, r#"check("changed", install(h, "stopped", #{}, #{}).changed);"#)?;
    clean(lab, program, "stopped")
}

fn rolled_back(lab: &Lab, program: &str) -> Step {
    let bad =
        r#"install(h, "back", #{ image: "docker.io/lab/nosuch:1" }, #{ rollback_on_failure: true, timeout: 15 });"#;
    fail(lab, program, bad, &["deployment:back", "it was removed again"])?;
    succeed(
        lab,
        program,
        r#"check("gone", helm::status(h, "back", #{ namespace: "tiny" }) == ()); install(h, "back", #{}, #{});"#,
    )?;
    fail(lab, program, bad, &["docker.io/lab/nosuch:1", "it was rolled back to revision 1"])?;
    succeed(
        lab,
        program,
        r#"
        let deployment = k.get("deployment", #{ namespace: "tiny", name: "back" });
        check("the old image", deployment.spec.template.spec.containers[0].image == "docker.io/lab/probe:1");
        check("wanted again", install(h, "back", #{}, #{}).status == "deployed");
        "#,
    )?;
    clean(lab, program, "back")
}

fn no_node(lab: &Lab, program: &str) -> Step {
    let values = r#"#{ agent: #{ enabled: true, nodeSelector: #{ "node-role": "nobody" } } }"#;
    let wanted = format!(r#"install(h, "agent", {values}, #{{}});"#);
    fail(lab, program, &wanted, &["daemonset:agent-agent matches no node", r#"{"node-role":"nobody"}"#])?;
    // Helm is content with it, the second run is as little as the first.
    fail(lab, program, &wanted, &["daemonset:agent-agent matches no node"])?;
    clean(lab, program, "agent")
}

fn definitions(lab: &Lab, program: &str) -> Step {
    let folder = PathBuf::from(lab.file("other-tiny"));
    let copy = format!(
        "rm -rf {0} && cp -r tests/platform/charts/tiny {0} && sed -i 's/kind: Tiny,/kind: Tiny, shortNames: [tny],/' {0}/crds/tinies.yaml",
        folder.display()
    );
    let done = Command::new("sh").args(["-c", &copy]).current_dir(env!("CARGO_MANIFEST_DIR")).status();
    done.map_err(|error| error.to_string())?;
    let text = format!(
        r#"
        install(h, "crds", #{{}}, #{{}});
        check("not yet", !("shortNames" in k.get("crd", #{{ name: "tinies.lab.example.test" }}).spec.names));
        check("another chart", install(h, "crds", #{{}}, #{{ chart: "{}" }}).changed);
        check("upgraded", k.get("crd", #{{ name: "tinies.lab.example.test" }}).spec.names.shortNames == ["tny"]);
        "#,
        folder.display()
    );
    succeed(lab, program, &text)?;
    let _ = std::fs::remove_dir_all(folder);
    clean(lab, program, "crds")?;
    succeed(lab, program, r#"k.delete("crd", "tinies.lab.example.test");"#).map(drop)
}

fn strict(lab: &Lab, program: &str) -> Step {
    let misspelt = r#"install(h, "strict", #{ mesage: "x" }, #{ strict: true });"#;
    fail(lab, program, misspelt, &["the chart tiny has no value mesage", "did you mean message?"])?;
    let wrong = r#"install(h, "strict", #{ replicas: "two" }, #{});"#;
    fail(lab, program, wrong, &["replicas", "misspelt or of the wrong kind"])?;
    succeed(lab, program, r#"check("nothing", helm::status(h, "strict", #{ namespace: "tiny" }) == ());"#).map(drop)
}

/// The user's kubeconfig leads to another cluster, and their environment tells Helm to go there and to keep releases elsewhere.
fn alone(lab: &Lab, program: &str) -> Step {
    let other = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    other.set_nonblocking(true).map_err(|error| error.to_string())?;
    let address = format!("https://{}", other.local_addr().map_err(|error| error.to_string())?);
    let home = PathBuf::from(lab.file("other-home"));
    std::fs::create_dir_all(home.join(".kube")).map_err(|error| error.to_string())?;
    let config = home.join(".kube/config");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: default\nclusters: [{{name: default, cluster: {{server: \"{address}\"}}}}]\n\
         contexts: [{{name: default, context: {{cluster: default, user: default, namespace: other}}}}]\nusers: [{{name: default, user: {{}}}}]\n"
    );
    std::fs::write(&config, &text).map_err(|error| error.to_string())?;
    let script =
        format!(r#"{HEAD}install(h, "alone", #{{}}, #{{}}); helm::uninstall(h, "alone", #{{ namespace: "tiny" }});"#);
    let mut command = command(lab, &script, &[], &[program])?;
    command.env("KUBECONFIG", &config).env("HELM_KUBEAPISERVER", &address).env("HELM_KUBETOKEN", "x");
    command.env("HELM_DRIVER", "memory").env("HELM_NAMESPACE", "other").env("HELM_PLUGINS", &home);
    let output = command.output().map_err(|error| error.to_string())?;
    let unchanged = std::fs::read_to_string(&config).is_ok_and(|now| now == text);
    let untouched = matches!(other.accept(), Err(error) if error.kind() == ErrorKind::WouldBlock);
    let _ = std::fs::remove_dir_all(home);
    match output.status.success() && unchanged && untouched {
        true => Ok(()),
        false => {
            Err(format!("kubeconfig unchanged: {unchanged}, other cluster untouched: {untouched}\n{}", said(&output)))
        }
    }
}

fn registry(lab: &Lab, program: &str) -> Step {
    let registry = Registry::new(lab, program)?;
    let cache = tempfile::tempdir().map_err(|error| error.to_string())?;
    let ask = |text: &str| -> Step<(bool, String)> {
        let wanted = format!("let wanted = #{{ chart: \"{}\", namespace: \"tiny\" }};", registry.chart);
        let mut command = command(lab, &format!("{HEAD}{wanted}{text}"), &[], &[program])?;
        command.env("XDG_CACHE_HOME", cache.path()).env("SSL_CERT_FILE", &registry.certificate);
        let output = command.output().map_err(|error| error.to_string())?;
        Ok((output.status.success(), said(&output)))
    };
    let by = |digest: &str| format!("wanted.digest = \"{digest}\";");
    let install = "print(`changed: ${helm::upgrade_install(h, \"oci\", wanted).changed}`);";
    let remove = "helm::uninstall(h, \"oci\", #{ namespace: \"tiny\" });";
    let expect = |text: &str, words: &[&str]| match ask(text)? {
        (true, said) if words.iter().all(|word| said.contains(word)) => Ok(()),
        (_, said) => Err(format!("{words:?} are not all said:\n{said}")),
    };

    match ask(&format!("{}{install}", by(&"0".repeat(64))))? {
        (false, said) if said.contains("fetching the chart oci://") => {}
        (_, said) => return Err(format!("another chart was taken for the wanted one:\n{said}")),
    }
    let version = r#"wanted.version = "1.0.0";"#;
    expect(&format!("{version}{install}{install}{remove}"), &["changed: true", "changed: false"])?;
    let digest = by(&registry.digest);
    expect(&format!("{digest}{install}"), &["changed: true"])?;
    match ask(&format!("{digest}wanted.version = \"1.0.1\";{install}"))? {
        (false, said) if said.contains("is version 1.0.0, not 1.0.1") => {}
        (_, said) => return Err(format!("another version was taken for the wanted one:\n{said}")),
    }
    // It is at hand now: the registry may be gone.
    std::fs::remove_dir_all(lab.file("registry/v2")).map_err(|error| error.to_string())?;
    expect(&format!("{digest}{install}{remove}"), &["changed: false"])
}

fn fetched(lab: &Lab, program: &str) -> Step {
    let publisher = Publisher::new(lab, program)?;
    let archive = std::fs::read(publisher.folder.join("tiny-1.0.0.tgz")).map_err(|error| error.to_string())?;
    let digest: String = Sha256::digest(&archive).iter().map(|byte| format!("{byte:02x}")).collect();
    let cache = publisher.folder.join("cache");
    let ask = |digest: &str, more: &str| -> Step<(bool, String)> {
        let text = format!(
            r#"
            import "cluster" as cluster;
            let k = kube::connect(cluster::connect(cluster::master(cluster::load().nodes)).host);
            let h = helm::client(k, #{{ version: "v4.3.1", mirror: "{0}" }});
            let wanted = #{{ repo: "{0}", chart: "tiny", version: "1.0.0", namespace: "tiny", digest: "{digest}" }};
            print(helm::upgrade_install(h, "fetched", wanted).changed);
            {more}"#,
            publisher.address
        );
        let mut command = command(lab, &text, &[], &[])?;
        // Without a `helm` on the PATH.
        command.env("XDG_CACHE_HOME", &cache).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let output = command.output().map_err(|error| error.to_string())?;
        Ok((output.status.success(), said(&output)))
    };
    let (succeeded, said) = ask(&"0".repeat(64), "")?;
    if succeeded || !said.contains(&format!("the chart tiny has the sha256 {digest}")) {
        return Err(format!("another chart was taken for the wanted one:\n{said}"));
    }
    let (succeeded, said) = ask(&digest, "")?;
    if !succeeded || !said.contains("true") {
        return Err(said);
    }
    // Everything is at hand now: the publisher may be gone.
    std::fs::remove_file(publisher.folder.join("index.yaml")).map_err(|error| error.to_string())?;
    std::fs::remove_file(publisher.folder.join("tiny-1.0.0.tgz")).map_err(|error| error.to_string())?;
    let again = r#"wanted.values = #{ message: "other" }; print(helm::upgrade_install(h, "fetched", wanted).revision); helm::uninstall(h, "fetched", #{ namespace: "tiny" });"#;
    let (succeeded, said) = ask(&digest, again)?;
    let _ = std::fs::remove_dir_all(&publisher.folder);
    if succeeded && said.contains("false") && !said.contains("downloading") { Ok(()) } else { Err(said) }
}
