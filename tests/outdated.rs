//! `scripts/outdated.rhai`, with publishers on this machine's loopback.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use support::serve::serve;

/// What the publishers have, and a folder for `--stdlib` that leads there.
struct Publishers {
    folder: tempfile::TempDir,
}

impl Publishers {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let publishers = Publishers { folder };
        let helm = publishers.file("helm/helm4-latest-version");
        fs::write(helm, "v4.9.0\n").unwrap();
        for platform in ["linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"] {
            let name = format!("helm-v4.3.1-{platform}.tar.gz");
            fs::write(publishers.file(&format!("helm/{name}.sha256sum")), format!("{}  {name}\n", sum(platform)))
                .unwrap();
        }
        let releases = ["v1.33.13+k3s2", "v1.34.4+k3s1", "v1.34.11+k3s1", "v1.37.2+k3s1", "v1.38.0-rc1+k3s1"];
        let channels: Vec<String> = releases
            .iter()
            .map(|release| {
                format!(r#"{{"id":"{0}","type":"channel","name":"{0}","latest":"{release}"}}"#, &release[..5])
            })
            .chain([r#"{"id":"v1.39","type":"channel","name":"v1.39"}"#.to_owned()])
            .collect();
        fs::write(publishers.file("channels"), format!(r#"{{"type":"collection","data":[{}]}}"#, channels.join(",")))
            .unwrap();
        let index = |versions: &[(&str, &str)]| {
            versions.iter().fold("apiVersion: v1\nentries:\n".to_owned(), |text, (name, versions)| {
                let entries = versions.split(' ').map(|version| entry(name, version));
                entries.fold(text + &format!("  {name}:\n"), |text, entry| text + &entry)
            })
        };
        fs::write(publishers.file("traefik/index.yaml"), index(&[("traefik", "43.0.0-rc.1 41.3.0 40.10.0")])).unwrap();
        fs::write(
            publishers.file("jetstack/index.yaml"),
            index(&[("cert-manager", "v1.22.0-alpha.0 v1.21.10 v1.21.2")]),
        )
        .unwrap();
        fs::write(publishers.file("prometheus/index.yaml"), large_index()).unwrap();
        publishers.lead_there();
        publishers
    }

    fn file(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join("served").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// Writes the standard library's files with these publishers' addresses in them.
    fn lead_there(&self) {
        let address = format!("http://{}", serve(&self.folder.path().join("served")).unwrap());
        let text = |name: &str| fs::read_to_string(Path::new("stdlib").join(name)).unwrap();
        let charts = text("charts.rhai")
            .replace("https://get.helm.sh", &format!("{address}/helm"))
            .replace("https://traefik.github.io/charts", &format!("{address}/traefik"))
            .replace("https://charts.jetstack.io", &format!("{address}/jetstack"))
            .replace("https://prometheus-community.github.io/helm-charts", &format!("{address}/prometheus"));
        let kubernetes = text("kubernetes.rhai")
            .replace("https://update.k3s.io/v1-release/channels", &format!("{address}/channels"));
        fs::create_dir(self.stdlib()).unwrap();
        fs::write(self.stdlib().join("charts.rhai"), charts).unwrap();
        fs::write(self.stdlib().join("kubernetes.rhai"), kubernetes).unwrap();
    }

    fn stdlib(&self) -> PathBuf {
        self.folder.path().join("stdlib")
    }

    fn run(&self, words: &[&str]) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/outdated.rhai");
        let mut command = support::k3srun(self.folder.path());
        command.args(["-q", "--output", "plain", "--stdlib"]).arg(self.stdlib()).arg(script).args(words);
        command.output().unwrap()
    }
}

/// The rows of the table that is printed, with single blanks.
fn rows(output: &Output) -> Vec<String> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn sum(of: &str) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(of.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An entry of an index, as the tool that makes official ones writes it: with the whole description of the chart.
fn entry(name: &str, version: &str) -> String {
    let mut text = format!(
        "  - annotations:\n      license: Apache-2.0\n      links: |\n        - name: Chart\n    apiVersion: v2\n    appVersion: {version}\n"
    );
    text += "    created: \"2026-08-22T12:00:00.000000000Z\"\n    dependencies:\n";
    for part in ["crds", "kube-state-metrics", "prometheus-node-exporter", "grafana", "windows-exporter"] {
        let _ = write!(
            text,
            "    - condition: {part}.enabled\n      name: {part}\n      repository: https://charts.example.test\n      version: 1.2.*\n"
        );
    }
    let _ = write!(
        text,
        "    description: The chart {name}.\n    digest: {}\n    home: https://example.test\n    keywords:\n    - operator\n    - monitoring\n",
        sum(version)
    );
    text += "    kubeVersion: '>=1.25.0-0'\n    maintainers:\n";
    for person in ["ann", "ben", "cleo", "dora"] {
        let _ = write!(
            text,
            "    - email: {person}@example.test\n      name: {person}\n      url: https://example.test/{person}\n"
        );
    }
    text + &format!(
        "    name: {name}\n    sources:\n    - https://example.test/{name}\n    type: application\n    urls:\n    - https://example.test/{name}-{version}.tgz\n    version: {version}\n"
    )
}

/// An index of forty charts with a hundred versions each.
fn large_index() -> String {
    let mut text = "apiVersion: v1\nentries:\n".to_owned();
    for chart in 0..40 {
        let name = if chart == 20 { "kube-prometheus-stack".to_owned() } else { format!("chart-{chart}") };
        let _ = writeln!(text, "  {name}:");
        (0..100).rev().for_each(|minor| text += &entry(&name, &format!("88.{minor}.3")));
    }
    text
}

#[test]
fn everything_is_compared_with_what_is_published() {
    let output = Publishers::new().run(&["v1.34.4+k3s1"]);
    let said = support::said(&output);
    assert!(output.status.success(), "{said}");
    let expected = [
        "named newest",
        "k3s v1.34.4+k3s1 v1.34.11+k3s1 OUTDATED",
        "Kubernetes 1.34 1.37 there is a newer one",
        "its support ENDED on 2026-10-27",
        "helm v4.3.1 v4.9.0 OUTDATED",
        "cert-manager v1.21.2 v1.21.10 OUTDATED, digest not pinned",
        "kube-prometheus-stack 88.5.3 88.99.3 OUTDATED, digest not pinned",
        "traefik 41.3.0 41.3.0 current, digest not pinned",
    ];
    assert_eq!(rows(&output), expected, "{said}");
}

#[test]
fn a_publisher_that_is_gone_hides_no_other_one() {
    let publishers = Publishers::new();
    fs::remove_file(publishers.file("jetstack/index.yaml")).unwrap();
    fs::remove_file(publishers.file("channels")).unwrap();
    let output = publishers.run(&["v1.37.2+k3s1"]);
    let (rows, said) = (rows(&output), support::said(&output));
    assert!(!output.status.success(), "{said}");
    assert!(rows.iter().any(|row| row.starts_with("k3s can't read http://")), "{said}");
    assert!(rows.iter().any(|row| row.starts_with("cert-manager can't download http://")), "{said}");
    assert!(rows.contains(&"its support until 2027-10-28".to_owned()), "{said}");
    assert!(rows.contains(&"traefik 41.3.0 41.3.0 current, digest not pinned".to_owned()), "{said}");
    assert!(said.contains("not all sources can be read") && said.contains("cert-manager"), "{said}");
}

#[test]
fn without_a_cluster_everything_else_is_compared() {
    let output = Publishers::new().run(&[]);
    let said = support::said(&output);
    assert!(output.status.success(), "{said}");
    assert!(rows(&output).len() == 5 && rows(&output)[1] == "helm v4.3.1 v4.9.0 OUTDATED", "{said}");
}

#[test]
fn pinned_checksums_are_those_that_are_published() {
    let publishers = Publishers::new();
    let output = publishers.run(&["--pin"]);
    let pinned = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{}", support::said(&output));
    assert!(pinned.contains(&format!("\"darwin-arm64\": \"{}\"", sum("darwin-arm64"))), "{pinned}");
    // It takes the place of the standard library's file as it is.
    fs::write(publishers.stdlib().join("charts.rhai"), &pinned).unwrap();
    let table = rows(&publishers.run(&[]));
    assert!(table.contains(&"traefik 41.3.0 41.3.0 current".to_owned()), "{table:?}");
    assert!(table.contains(&"kube-prometheus-stack 88.5.3 88.99.3 OUTDATED".to_owned()), "{table:?}");
    let other = pinned.replace(&sum("41.3.0"), &sum("another one"));
    fs::write(publishers.stdlib().join("charts.rhai"), other).unwrap();
    let table = rows(&publishers.run(&[]));
    assert!(
        table.contains(&"traefik 41.3.0 41.3.0 current, ANOTHER DIGEST THAN THE NAMED ONE".to_owned()),
        "{table:?}"
    );
}

#[test]
fn unknown_words_are_refused() {
    let output = Publishers::new().run(&["--pins"]);
    assert!(!output.status.success() && support::said(&output).contains("unknown argument --pins"));
}
