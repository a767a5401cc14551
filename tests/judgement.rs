//! What the standard library makes of facts, asked without a host.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

/// What a line of a script prints.
fn says(import: &str, expression: &str) -> String {
    let script = format!("import \"{import}\" as it; print(it::{expression})");
    let output =
        Command::new(env!("CARGO_BIN_EXE_k3srun")).args(["-q", "--output", "plain", "-e", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_api_has_the_first_address_of_the_network_of_services() {
    for (network, address) in
        [("10.43.0.0/16", "10.43.0.1"), ("10.43.0.128/25", "10.43.0.129"), ("10.43.0.16/28", "10.43.0.17")]
    {
        assert_eq!(says("verification", &format!("api_address(\"{network}\")")), address);
    }
}

#[test]
fn an_end_of_support_is_told_30_days_ahead() {
    let on = |today: &str| says("kubernetes", &format!("support_warning(\"v1.35.2+k3s1\", \"{today}\")"));
    assert_eq!(on("2027-01-28"), "");
    assert!(on("2027-01-29").starts_with("the support of Kubernetes 1.35 ends on 2027-02-28"));
    assert!(on("2027-02-28").contains("ends on"));
    assert!(on("2028-01-01").contains("ended on 2027-02-28"));
}

/// What the rules of an upgrade to v1.37.2 say about a server and a worker that run these versions.
fn upgrade_objections(server: &str, worker: &str) -> String {
    let state = |name: &str, role: &str, version: &str| {
        format!("#{{ name: \"{name}\", role: \"{role}\", registered: true, version: \"{version}\", running: \"\" }}")
    };
    let states = format!("[{}, {}]", state("m", "master", server), state("w", "worker", worker));
    says(
        "upgrades/rules",
        &format!(
            "versions(\"v1.37.2+k3s1\", {states}).len().to_string() + it::versions(\"v1.37.2+k3s1\", {states}).reduce(|all, one| all + \"\\n\" + one, \"\")"
        ),
    )
}

#[test]
fn an_upgrade_goes_by_minor_versions_one_by_one_and_never_back() {
    assert_eq!(upgrade_objections("v1.36.5+k3s1", "v1.36.5+k3s1"), "0");
    assert_eq!(upgrade_objections("v1.37.2+k3s1", "v1.34.1+k3s1"), "0");
    let skipped = upgrade_objections("v1.35.1+k3s1", "v1.33.9+k3s1");
    for text in
        ["2\n", "m runs v1.35.1+k3s1, and minor versions come one by one: upgrade to a release of 1.36 first", "not 4"]
    {
        assert!(skipped.contains(text), "{skipped}");
    }
    let back = upgrade_objections("v1.37.3+k3s1", "v1.38.0+k3s1");
    for text in [
        "3\n",
        "m runs v1.37.3+k3s1, which is newer than v1.37.2+k3s1",
        "w runs v1.38.0+k3s1, which is newer than what its server runs",
    ] {
        assert!(back.contains(text), "{back}");
    }
}

#[test]
fn a_build_of_ones_own_has_no_revision() {
    assert_eq!(says("charts", "is_newer(\"v1.37.2+k3s-lab\", \"v1.36.3+k3s-lab\")"), "true");
    assert_eq!(says("charts", "is_newer(\"v1.36.3+k3s-lab\", \"v1.36.3+k3s-lab\")"), "false");
}
