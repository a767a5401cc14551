//! A changed setting: the plan names what becomes different, and just that is changed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;

use crate::journey::{platform, trial};
use crate::support::events_of;
use crate::support::lab::{Lab, Step, k3srun};
use crate::support::said;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("another_email_changes_the_issuer_alone", email),
        trial("another_version_of_a_chart_changes_its_release_alone", version),
    ]
}

fn email() -> Step {
    let changed = planned_and_made(platform()?, "certificates.email=somebody@example.test")?;
    match changed.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["clusterissuer:acme"] => Ok(()),
        others => Err(format!("{others:?} were changed")),
    }
}

fn version() -> Step {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let chart = newer_traefik(platform()?, folder.path())?;
    let changed = planned_and_made(platform()?, &format!("charts.traefik={chart}"))?;
    let others: Vec<&String> = changed.iter().filter(|resource| !resource.contains(":traefik")).collect();
    if !changed.contains("release:traefik") || !others.is_empty() {
        return Err(format!("not the release of Traefik alone was changed: {changed:?}"));
    }
    Ok(())
}

/// What a plan with a setting says is made, and nothing else; afterwards it is as before.
fn planned_and_made(lab: &Lab, setting: &str) -> Step<BTreeSet<String>> {
    let plan = changes(lab, &["--plan", "--set", setting])?;
    let made = changes(lab, &["--set", setting])?;
    lab.bootstrap(&[])?;
    lab.bootstrap_changes_nothing()?;
    if plan == made { Ok(made) } else { Err(format!("the plan says {plan:?}, and what was changed is {made:?}")) }
}

/// The resources that a run of bootstrap changes.
fn changes(lab: &Lab, options: &[&str]) -> Step<BTreeSet<String>> {
    let config = lab.file("cluster.toml");
    let output = k3srun(&[options, &["--output", "json", "-c", &config, "scripts/bootstrap.rhai"]].concat())?;
    if !output.status.success() {
        return Err(said(&output));
    }
    let names = events_of(&output, "changed").into_iter().map(|event| event["resource"].as_str().map(str::to_owned));
    names.collect::<Option<_>>().ok_or_else(|| said(&output))
}

/// The chart of the lab with another version, unpacked.
fn newer_traefik(lab: &Lab, folder: &Path) -> Step<String> {
    let script = r#"
        tar -xzf "$(sed -n 's/^traefik = "\(.*\)"/\1/p' "$1")" -C "$2"
        sed -i -E 's/^version: .*/version: 99.0.0/' "$2/traefik/Chart.yaml"
        grep -q '^version: 99.0.0' "$2/traefik/Chart.yaml""#;
    let done = Command::new("sh")
        .args(["-euc", script, "sh", &lab.file("cluster.toml")])
        .arg(folder)
        .output()
        .map_err(|error| error.to_string())?;
    if done.status.success() { Ok(folder.join("traefik").display().to_string()) } else { Err(said(&done)) }
}
