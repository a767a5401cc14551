//! Starts the unit without waiting in systemd, which would wait for ever, and watches it: until the node is ready, until
//! the journal says that it never will be, or until the time is up.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::diagnosis::{OF_OTHERS, Verdict, progress, recognise};
use super::options::Options;
use super::probe::{Facts, STATE, read};
use super::settings::Role;
use super::symptoms::{SILENT, SYMPTOMS, Symptom};
use crate::error::{Error, Result};
use crate::host::{Host, ScriptOptions, quote};
use crate::report::Level;

const START: &str = include_str!("start.sh");

/// Time between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Time after which we say again what we wait for.
const TELL: Duration = Duration::from_secs(10);

/// A unit counts as stable after so many seconds: systemd restarts a dead one after 5.
const STABLE: i64 = 6;

/// So many restarts while we watch mean that k3s doesn't get up by itself.
const RESTARTS: u64 = 3;

/// An agent that has said nothing for so long is helped out: does its server answer? Asked again as often.
const SILENCE: Duration = Duration::from_secs(5);

/// What start.sh ends with where an agent's token is missing.
const NO_TOKEN: i32 = 8;

/// A start that is watched: where its journal begins.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    cursor: String,
    /// The start before this one: its last lines don't count.
    before: String,
}

impl Watch {
    /// Watches a unit that somebody else has started.
    pub fn now() -> Self {
        Watch::default()
    }
}

/// Starts or restarts the unit; returns at once, or when one that is starting can be stopped.
///
/// # Errors
/// Host when systemd refuses it, or an agent would wait for a token that isn't there.
pub async fn begin(host: &Host, role: Role, action: &str) -> Result<Watch> {
    let unit = role.unit();
    let script = format!("unit={unit} action={action}\n{START}");
    let title = format!("systemctl {action} {unit}");
    host.activity(&title);
    let output = host.script(&script, &ScriptOptions::titled(&title).timeout(100)).await;
    host.activity("");
    let output = output?;
    match output.status {
        0 => {}
        NO_TOKEN => {
            return Err(Error::host(format!("no token in {}", output.text().trim())).on(host.name()).help(
                "a file of /etc/rancher/k3s/config.yaml.d on the host names it (token-file): take that line away",
            ));
        }
        status => {
            return Err(Error::host(format!("`{title}` failed with exit status {status}"))
                .on(host.name())
                .output(output.tail()));
        }
    }
    let mut watch = Watch::default();
    for line in output.text().lines() {
        match line.split_once('=') {
            Some(("cursor", cursor)) => cursor.clone_into(&mut watch.cursor),
            Some(("invocation", id)) => id.clone_into(&mut watch.before),
            _ => {}
        }
    }
    Ok(watch)
}

/// A line of the journal.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "MESSAGE", default)]
    message: serde_json::Value,
    #[serde(rename = "__CURSOR", default)]
    cursor: String,
}

/// Waits until the node is ready: the unit is active and has stayed so, and its kubelet has said Ready since the start. That
/// something answers at a port means nothing: a server that is starting does. `url` is where an agent's server is.
///
/// # Errors
/// Host, with cause and remedy, as soon as the journal shows an error that waiting doesn't fix, when k3s keeps dying, or
/// when the time is up.
pub async fn wait(host: &Host, options: &Options, url: Option<&str>, facts: &Facts, watch: &Watch) -> Result<Facts> {
    let role = options.role;
    let begin = Instant::now();
    let mut seen: Vec<(&'static Symptom, String)> = Vec::new();
    let mut new = watch.clone();
    let mut fewest_restarts = u64::MAX;
    let (mut told, mut asked) = ((String::new(), Duration::ZERO), Duration::ZERO);
    loop {
        let quiet = seen.iter().all(|(symptom, _)| **symptom == SILENT);
        let url = url.filter(|_| quiet && begin.elapsed() - asked >= SILENCE);
        let look = look(host, role, facts, &new, url).await?;
        if url.is_some() {
            asked = begin.elapsed();
            seen.clear();
            seen.extend(look.silent.then(|| (&SILENT, String::new())));
        }
        for line in look.lines {
            new.cursor = line.cursor;
            let message = line.message.as_str().unwrap_or_default().to_owned();
            let Some(symptom) = recognise(role, &message) else { continue };
            if seen.iter().any(|(known, _)| *known == symptom) {
                continue;
            }
            match symptom.verdict {
                Verdict::Permanent => {
                    return Err(failed(host, role, watch, "can't become ready", Some((symptom, message))).await);
                }
                Verdict::Warning => host.note(Level::Warning, format!("k3s: {}: {}", symptom.cause, symptom.remedy)),
                Verdict::Transient => host.note(Level::Detail, format!("k3s: {}", symptom.cause)),
            }
            seen.push((symptom, message));
        }
        let unit = &look.facts.unit;
        if look.facts.is_ready() && unit.active_for() >= STABLE {
            host.activity("");
            return Ok(look.facts);
        }
        // A manual start sets systemd's count back to 0, but not before the old process has ended.
        fewest_restarts = fewest_restarts.min(unit.restarts);
        let restarts = unit.restarts - fewest_restarts;
        let why = seen.iter().rev().find(|(symptom, _)| symptom.verdict == Verdict::Transient).cloned();
        if restarts >= RESTARTS {
            return Err(
                failed(host, role, watch, &format!("dies again and again ({} restarts)", unit.restarts), why).await
            );
        }
        let left = options.timeout.saturating_sub(begin.elapsed());
        if left.is_zero() {
            let state = match &look.facts.node {
                Some(node) if unit.is_active() => format!("the kubelet says: {}", node.message),
                _ => progress(role, &unit.active).to_owned(),
            };
            let what = format!("is not ready after {} s: {state}", options.timeout.as_secs());
            return Err(failed(host, role, watch, &what, why).await);
        }
        let state = progress(role, &unit.active);
        let state = match why {
            Some((symptom, _)) if !unit.is_active() => format!("{state}: {}", symptom.cause),
            _ => state.to_owned(),
        };
        if told.0 != state || begin.elapsed() - told.1 >= TELL {
            host.activity(format!("k3s: {state} ({} s)", begin.elapsed().as_secs()));
            told = (state, begin.elapsed());
        }
        sleep(PAUSE.min(left)).await;
    }
}

struct Look {
    facts: Facts,
    lines: Vec<Line>,
    /// Whether an agent's server was asked and didn't answer.
    silent: bool,
}

/// Reads unit, node and the telling lines of the journal; asks the server at `url` for a word.
async fn look(host: &Host, role: Role, facts: &Facts, watch: &Watch, url: Option<&str>) -> Result<Look> {
    let of_role = SYMPTOMS.iter().filter(|symptom| symptom.concerns(role));
    let keys: BTreeSet<&str> = of_role.map(Symptom::key).collect();
    let script = format!(
        "unit={} data={} node={} url={}\n{STATE}\nunit_state\n\
         if [ \"$(systemctl is-active $unit.service)\" = active ]; then node_state; else ask_server; fi\n\
         echo '--'\n{} | grep -F {} | head -n 200\nexit 0",
        role.unit(),
        quote(&facts.data),
        quote(&facts.name),
        quote(url.unwrap_or_default()),
        journal(role, watch),
        patterns(keys),
    );
    let output = host.script(&script, &ScriptOptions::titled("watching k3s").timeout(60)).await?;
    let text = output.text();
    let (state, journal) = text.split_once("\n--").unwrap_or((&text, ""));
    let lines = journal.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    Ok(Look { facts: read(state), lines, silent: state.lines().any(|line| line == "server=silent") })
}

/// Texts as arguments of `grep -F`.
fn patterns<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    texts.into_iter().map(|text| format!("-e {}", quote(text))).collect::<Vec<_>>().join(" ")
}

/// The command that prints the journal of the start that is watched, a JSON object a line, without what others have asked for.
fn journal(role: Role, watch: &Watch) -> String {
    let after = match watch.cursor.as_str() {
        "" => "--since=now".to_owned(),
        cursor => format!("--after-cursor={}", quote(cursor)),
    };
    let mut command = format!(
        "journalctl -q --no-pager -u {}.service {after} -o json --output-fields=MESSAGE,_SYSTEMD_INVOCATION_ID",
        role.unit()
    );
    let before = Some(watch.before.as_str()).filter(|id| !id.is_empty());
    command.push_str(&format!(" | grep -vF {}", patterns(OF_OTHERS.iter().copied().chain(before))));
    command
}

/// A line of the journal without the time that k3s puts before it: what is said again and again is one complaint.
fn without_time(line: &str) -> &str {
    match line.strip_prefix("time=\"").and_then(|rest| rest.split_once("\" ")) {
        Some((_, rest)) => rest,
        None => line,
    }
}

/// What k3s says when it ends: the text of such a line.
fn last_words(line: &str) -> Option<&str> {
    let (_, said) = line.split_once("level=fatal msg=\"")?;
    Some(said.strip_suffix('"').unwrap_or(said).trim_start_matches("Error: "))
}

/// The error with cause, remedy, and the last complaints of the journal.
async fn failed(host: &Host, role: Role, watch: &Watch, what: &str, why: Option<(&Symptom, String)>) -> Error {
    host.activity("");
    let unit = role.unit();
    let script = format!(
        "{} | grep -E 'level=(error|fatal)|\"MESSAGE\" *: *\"[EF][0-9]{{4}} |exited|Failed' | tail -n 8\nexit 0",
        journal(role, watch)
    );
    let said = host.script(&script, &ScriptOptions::titled("reading the journal").timeout(30)).await;
    let mut lines: Vec<String> = said
        .map(|output| output.text())
        .unwrap_or_default()
        .lines()
        .filter_map(|line| serde_json::from_str::<Line>(line).ok()?.message.as_str().map(str::to_owned))
        .collect();
    let journal = format!("`journalctl -u {unit}` on the host has the whole story; the unit goes on trying");
    let error = match why {
        Some((symptom, line)) => {
            // The line that tells the cause, and what came last.
            lines.insert(0, line);
            let mut told = BTreeSet::new();
            lines.retain(|line| !line.is_empty() && told.insert(without_time(line).to_owned()));
            let last = lines.len().saturating_sub(3).max(1).min(lines.len());
            lines.drain(1.min(last)..last);
            let end = if symptom.remedy.ends_with('?') { "" } else { "." };
            Error::host(format!("k3s {what}: {}", symptom.cause)).help(format!("{}{end} {journal}", symptom.remedy))
        }
        None => Error::host(match lines.iter().rev().find_map(|line| last_words(line)) {
            Some(said) => format!("k3s {what}: it says: {said}"),
            None => format!("k3s {what}"),
        })
        .help(journal),
    };
    let output = host.run_context().secrets().masked(&lines.join("\n"));
    error.on(host.name()).output(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_k3s_is_told_though_nobody_knows_it() {
        let line = r#"time="2026-11-27T05:46:46Z" level=fatal msg="Error: the moon is full""#;
        assert_eq!(last_words(line), Some("the moon is full"));
        assert_eq!(last_words("level=info msg=\"k3s is up and running\""), None);
    }

    #[test]
    fn the_journal_is_read_without_earlier_starts_and_what_others_ask_for() {
        let watch = Watch { cursor: "s=1".into(), before: "abc".into() };
        let command = journal(Role::Server, &watch);
        assert!(command.starts_with("journalctl -q --no-pager -u k3s.service --after-cursor='s=1' "), "{command}");
        assert!(command.contains(" | grep -vF -e 'Sending HTTP/' ") && command.ends_with(" -e 'abc'"), "{command}");
    }
}
