//! What a run looks like in each form.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;

/// A stream that can be read afterwards.
#[derive(Clone, Default)]
struct Stream(Arc<Mutex<Vec<u8>>>);

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream {
    fn text(&self) -> String {
        String::from_utf8(lock(&self.0).clone()).unwrap()
    }
}

/// A pipe whose reader has gone.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

fn change(host: &str, resource: &str, planned: bool) -> Event {
    let diff = Some("--- /etc/motd\n+++ /etc/motd\n@@ -1 +1 @@\n-old\n+new\n".to_owned());
    let change = Change { resource: resource.into(), summary: "content".into(), diff };
    Event::Changed { host: host.into(), planned, change }
}

fn activity(text: &str) -> Event {
    Event::Activity { host: Some("master".into()), text: text.into() }
}

fn end(report: &Report, status: u8, plan: bool) {
    let Tally { changed, ok, failed, .. } = report.tally();
    let log = Some("/var/log/run.log".into());
    report.emit(Event::RunFinished { status, plan, changed, ok, failed, seconds: 131.0, log });
}

/// A run with everything in it that a person may see.
fn play(report: &Report, plan: bool) {
    report.emit(Event::RunStarted { script: "bootstrap.rhai".into(), plan });
    report.emit(Event::PhaseSkipped { phase: "preflight".into() });
    report.emit(Event::PhaseStarted { phase: "base".into() });
    for text in ["uploading 1 of 70 MB", "uploading 2 of 70 MB", "", "uploading 3 of 70 MB", "starting"] {
        report.emit(activity(text));
    }
    report.emit(change("master", "file:/etc/motd", plan));
    report.emit(Event::Command { host: "worker".into(), command: "set -e\nreload".into(), planned: plan });
    report.emit(Event::Output { host: "worker".into(), line: "\x1b[31mreloaded".into(), stderr: false });
    report.emit(Event::Unchanged { host: "worker".into(), count: 14 });
    report.emit(Event::Print { text: "to standard output".into() });
    report.emit(Event::Note { level: Level::Warning, host: Some("worker".into()), text: "the clock drifts".into() });
    report.phase_finished("base", true, Duration::from_millis(1234));
    end(report, 0, plan);
}

fn plain(least: Level, plan: bool) -> String {
    let (out, err) = (Stream::default(), Stream::default());
    play(&Report::new(vec![Box::new(Plain::new(out.clone(), err.clone(), least, Paint(false)))]), plan);
    assert_eq!(out.text(), "to standard output\n");
    err.text()
}

fn pretty(width: fn() -> usize, least: Level, plan: bool) -> String {
    let (out, err) = (Stream::default(), Stream::default());
    play(&Report::new(vec![Box::new(Pretty::new(out.clone(), err.clone(), width, least, Paint(false)))]), plan);
    assert_eq!(out.text(), "to standard output\n");
    err.text()
}

#[test]
fn a_pipe_gets_a_line_for_each_thing_that_happens() {
    insta::assert_snapshot!(plain(Level::Info, false), @r#"
    preflight: skipped
    == base
    master: uploading 1 of 70 MB
    master: starting
    master: changed file:/etc/motd: content
    worker: run: set -e ...
    warning: worker: the clock drifts
    == base: done in 1.2 s: master 1 changed, 0 ok; worker 1 changed, 14 ok
    done in 2 m 11 s: 2 changed, 14 ok, 0 failed.  log: /var/log/run.log
    "#);
}

#[test]
fn a_plan_shows_what_would_be_different() {
    insta::assert_snapshot!(plain(Level::Info, true), @r#"
    preflight: skipped
    == base
    master: uploading 1 of 70 MB
    master: starting
    master: would change file:/etc/motd: content
    --- /etc/motd
    +++ /etc/motd
    @@ -1 +1 @@
    -old
    +new
    worker: would run: set -e
    reload
    warning: worker: the clock drifts
    == base: done in 1.2 s: master 1 to change, 0 ok; worker 1 to change, 14 ok
    planned in 2 m 11 s: 2 to change, 14 ok, 0 failed.  log: /var/log/run.log
    "#);
}

#[test]
fn verbose_adds_differences_and_output() {
    insta::assert_snapshot!(plain(Level::Detail, false), @r#"
    preflight: skipped
    == base
    master: uploading 1 of 70 MB
    master: starting
    master: changed file:/etc/motd: content
    --- /etc/motd
    +++ /etc/motd
    @@ -1 +1 @@
    -old
    +new
    worker: run: set -e
    reload
    worker| reloaded
    warning: worker: the clock drifts
    == base: done in 1.2 s: master 1 changed, 0 ok; worker 1 changed, 14 ok
    done in 2 m 11 s: 2 changed, 14 ok, 0 failed.  log: /var/log/run.log
    "#);
}

#[test]
fn quiet_leaves_warnings() {
    insta::assert_snapshot!(plain(Level::Warning, false), @r#"warning: worker: the clock drifts"#);
}

#[test]
fn a_terminal_keeps_a_line_for_each_phase() {
    insta::assert_snapshot!(pretty(|| 100, Level::Info, false), @r#"
    preflight: skipped
    warning: worker: the clock drifts
    base       master  1 changed, 0 ok         worker  1 changed, 14 ok        1.2 s
    done in 2 m 11 s: 2 changed, 14 ok, 0 failed.  log: /var/log/run.log
    "#);
}

#[test]
fn a_narrow_terminal_has_a_line_for_each_host() {
    insta::assert_snapshot!(pretty(|| 50, Level::Info, false), @r#"
    preflight: skipped
    warning: worker: the clock drifts
    base       1.2 s
      master  1 changed, 0 ok
      worker  1 changed, 14 ok
    done in 2 m 11 s: 2 changed, 14 ok, 0 failed.  log: /var/log/run.log
    "#);
}

#[test]
fn a_terminal_shows_the_changes_of_a_plan() {
    insta::assert_snapshot!(pretty(|| 100, Level::Info, true), @r#"
    preflight: skipped
    master: would change file:/etc/motd: content
    --- /etc/motd
    +++ /etc/motd
    @@ -1 +1 @@
    -old
    +new
    worker: would run: set -e
    reload
    warning: worker: the clock drifts
    base       master  1 to change, 0 ok       worker  1 to change, 14 ok      1.2 s
    planned in 2 m 11 s: 2 to change, 14 ok, 0 failed.  log: /var/log/run.log
    "#);
}

#[test]
fn a_failed_run_says_how_to_go_on() {
    let err = Stream::default();
    let report = Report::new(vec![Box::new(Plain::new(io::sink(), err.clone(), Level::Warning, Paint(false)))]);
    report.emit(change("master", "file:/etc/motd", false));
    report.emit(failure("the disk is full"));
    end(&report, 3, false);
    insta::assert_snapshot!(err.text(), @r#"
    error: the disk is full
    failed after 2 m 11 s: 1 changed, 0 ok, 1 failed.  log: /var/log/run.log
    run it again when the cause is gone: what is done stays done
    "#);
}

#[test]
fn colours_are_for_those_who_want_them() {
    let err = Stream::default();
    play(&Report::new(vec![Box::new(Plain::new(io::sink(), err.clone(), Level::Info, Paint(true)))]), true);
    assert!(err.text().contains("\x1b[32m+new\x1b[0m"), "{}", err.text());
    assert!(!plain(Level::Debug, true).contains('\x1b'));
    assert!(!pretty(|| 100, Level::Debug, true).contains('\x1b'));
}

#[test]
fn what_happens_during_a_question_is_shown_after_it() {
    let err = Stream::default();
    let report = Report::new(vec![Box::new(Pretty::new(io::sink(), err.clone(), || 80, Level::Info, Paint(false)))]);
    let paused = report.pause();
    report.note(Level::Info, "meanwhile");
    assert_eq!(err.text(), "");
    drop(paused);
    assert_eq!(err.text(), "meanwhile\n");
}

#[test]
fn a_closed_pipe_does_not_end_the_run() {
    play(&Report::new(vec![Box::new(Plain::new(Closed, Closed, Level::Debug, Paint(false)))]), false);
    play(&Report::new(vec![Box::new(Pretty::new(Closed, Closed, || 80, Level::Debug, Paint(false)))]), false);
    play(&Report::new(vec![Box::new(Json(Closed))]), false);
}

fn failure(text: &str) -> Event {
    Event::Failed {
        kind: "host".into(),
        message: text.into(),
        host: Some("master".into()),
        at: Some("a.rhai:1:1".into()),
        help: Some(text.into()),
        output: Some(text.into()),
        rendered: format!("error: {text}"),
    }
}

/// One event of each sort, with `text` wherever a script or a host decides what is written.
fn one_of_each(text: &str) -> Vec<Event> {
    let (host, some) = (|| "master".to_owned(), || Some("master".to_owned()));
    let change = Change { resource: text.into(), summary: text.into(), diff: Some(text.into()) };
    let hosts = vec![HostTally { host: host(), changed: 1, ok: 2 }];
    let events = vec![
        Event::RunStarted { script: text.into(), plan: false },
        Event::PhaseStarted { phase: text.into() },
        Event::PhaseFinished { phase: text.into(), ok: true, seconds: 1.0, hosts },
        Event::PhaseSkipped { phase: text.into() },
        Event::Activity { host: some(), text: text.into() },
        Event::Changed { host: host(), planned: false, change },
        Event::Unchanged { host: host(), count: 1 },
        Event::Command { host: host(), command: text.into(), planned: false },
        Event::Output { host: host(), line: text.into(), stderr: false },
        Event::Print { text: text.into() },
        Event::Reveal { text: "a secret that was asked for".into() },
        Event::Note { level: Level::Info, host: some(), text: text.into() },
        Event::Connection { host: host(), channels: 1, round_trips: 1, sent: 1, received: 1 },
        failure(text),
        Event::RunFinished { status: 0, plan: false, changed: 0, ok: 0, failed: 0, seconds: 1.0, log: some() },
    ];
    // A new sort of event belongs into the list above, and into docs/events.md.
    for event in &events {
        match event {
            Event::RunStarted { .. } | Event::PhaseStarted { .. } | Event::PhaseFinished { .. } => {}
            Event::PhaseSkipped { .. } | Event::Activity { .. } | Event::Changed { .. } | Event::Unchanged { .. } => {}
            Event::Command { .. } | Event::Output { .. } | Event::Print { .. } | Event::Note { .. } => {}
            Event::Reveal { .. } | Event::Connection { .. } | Event::Failed { .. } | Event::RunFinished { .. } => {}
        }
    }
    events
}

/// The events of docs/events.md with their fields.
fn documented() -> BTreeSet<(String, BTreeSet<String>)> {
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
    let rows =
        include_str!("../../docs/events.md").lines().filter(|line| line.starts_with("| `") && !line.contains("Fields"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        (quoted(cells[1]).into_iter().collect::<String>(), quoted(cells[2]))
    })
    .collect()
}

#[test]
fn every_event_is_documented_with_all_its_fields() {
    let out = Stream::default();
    let report = Report::new(vec![Box::new(Json(out.clone()))]);
    one_of_each("text").into_iter().for_each(|event| report.emit(event));
    let written = out.text();
    let written = written.lines().map(|line| {
        let line: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        let time: jiff::Timestamp = line["time"].as_str().unwrap().parse().unwrap();
        assert!(time > jiff::Timestamp::UNIX_EPOCH);
        let fields = line.keys().filter(|key| !["time", "event"].contains(&key.as_str())).cloned().collect();
        (line["event"].as_str().unwrap().to_owned(), fields)
    });
    assert_eq!(written.collect::<BTreeSet<_>>(), documented());
}

#[test]
fn no_form_shows_a_secret() {
    use base64::Engine as _;
    let key = "-----BEGIN KEY-----\nb3BlbnNzaC1rZXk\nx\n-----END KEY-----\n";
    let encoded = base64::engine::general_purpose::STANDARD.encode(key);
    let (json, text) = (Stream::default(), Stream::default());
    let sinks: Vec<Box<dyn Sink>> = vec![
        Box::new(Json(json.clone())),
        Box::new(Plain::new(text.clone(), text.clone(), Level::Debug, Paint(false))),
        Box::new(Pretty::new(text.clone(), text.clone(), || 80, Level::Debug, Paint(false))),
    ];
    let report = Report::new(sinks);
    report.secrets().add(key);
    report.secrets().add("correct horse");
    let leak = format!("it is correct horse: {key} or {encoded} or b3BlbnNzaC1rZXk alone");
    one_of_each(&leak).into_iter().for_each(|event| report.emit(event));
    for shown in [json.text(), text.text()] {
        assert!(shown.contains("it is ***"), "{shown}");
        for part in ["correct horse", "b3BlbnNzaC1rZXk", "BEGIN KEY", &encoded] {
            assert!(!shown.contains(part), "{part} in {shown}");
        }
    }
}

#[test]
fn a_secret_that_was_asked_for_is_seen_by_people_only() {
    let (json, plain, pretty) = (Stream::default(), Stream::default(), Stream::default());
    let sinks: Vec<Box<dyn Sink>> = vec![
        Box::new(Json(json.clone())),
        Box::new(Plain::new(plain.clone(), Stream::default(), Level::Info, Paint(false))),
        Box::new(Pretty::new(pretty.clone(), Stream::default(), || 80, Level::Info, Paint(false))),
    ];
    let report = Report::new(sinks);
    report.secrets().add("correct horse");
    report.emit(Event::Reveal { text: "correct horse".into() });
    assert_eq!((plain.text(), pretty.text()), ("correct horse\n".into(), "correct horse\n".into()));
    assert!(json.text().contains(r#""text":"***""#), "{}", json.text());
}

#[test]
fn words_of_three_letters_are_too_common_to_be_masked() {
    let secrets = redact::Secrets::default();
    secrets.add("the");
    assert_eq!(secrets.masked("the other"), "the other");
    secrets.add("pin1");
    assert_eq!(secrets.masked("pin1, pin12"), "***, ***2");
}
