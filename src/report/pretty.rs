//! The terminal: a line for each finished phase and, below, what each host is doing now.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::lines::{Lines, duration, first_line};
use super::paint::Paint;
use super::{Event, HostTally, Level, Sink};

/// Room for the name of a phase.
const PHASE: usize = 10;

/// Room for what a phase did on one host.
const CELL: usize = 32;

/// Shows a run on a terminal.
pub struct Pretty<O, E> {
    out: O,
    err: E,
    /// Columns of the terminal, asked for again each time: people resize windows.
    width: fn() -> usize,
    lines: Lines,
    bars: MultiProgress,
    /// The phases that run, by name, and the hosts that are busy.
    phases: BTreeMap<String, ProgressBar>,
    hosts: BTreeMap<String, ProgressBar>,
    /// What is to be shown when a person is no longer busy with a question or a shell.
    held_back: Option<Vec<Event>>,
}

impl<O: Write + Send, E: Write + Send> Pretty<O, E> {
    /// What scripts print goes to `out`, everything else to `err`; the live part always goes to the terminal on standard
    /// error. What is less loud than `least` is left out.
    pub fn new(out: O, err: E, width: fn() -> usize, least: Level, paint: Paint) -> Self {
        Pretty {
            out,
            err,
            width,
            lines: Lines::new(least, paint),
            bars: MultiProgress::new(),
            phases: BTreeMap::new(),
            hosts: BTreeMap::new(),
            held_back: None,
        }
    }

    /// Writes a line that stays, above the live part.
    fn say(&mut self, text: &str) {
        let err = &mut self.err;
        // A closed pipe ends the reader's interest, not the run.
        let _ = self.bars.suspend(|| writeln!(err, "{text}").and_then(|()| err.flush()));
    }

    fn activity(&mut self, host: Option<&str>, text: &str) {
        let key = host.unwrap_or_default();
        if text.is_empty() {
            if let Some(bar) = self.hosts.remove(key) {
                bar.finish_and_clear();
            }
        } else if self.lines.shows(Level::Info) {
            let bars = &self.bars;
            let bar = self.hosts.entry(key.to_owned()).or_insert_with(|| spinner(bars, &format!("{key:<PHASE$}")));
            bar.set_message(text.replace('\n', " "));
        }
    }

    fn finish_phase(&mut self, phase: &str, ok: bool, seconds: f64, hosts: &[HostTally]) {
        if let Some(bar) = self.phases.remove(phase) {
            bar.finish_and_clear();
        }
        if self.phases.is_empty() {
            for (_, bar) in std::mem::take(&mut self.hosts) {
                bar.finish_and_clear();
            }
        }
        if self.lines.shows(Level::Info) {
            let row = self.row(phase, ok, seconds, hosts);
            self.say(&row);
        }
    }

    /// The line of a finished phase; several lines where one is too narrow.
    fn row(&self, phase: &str, ok: bool, seconds: f64, hosts: &[HostTally]) -> String {
        let paint = self.lines.paint;
        let name = format!("{phase:<PHASE$}");
        let name = if ok { paint.title(&name) } else { paint.bad(&name) };
        let time = if ok { duration(seconds) } else { format!("failed after {}", duration(seconds)) };
        let cells = hosts.iter().map(|tally| {
            // Colours take no room: what is written is measured without them.
            let length = tally.host.chars().count() + 2 + self.lines.counts(tally, Paint(false)).len();
            let padding = CELL.saturating_sub(length);
            format!("{}  {}{:padding$}", tally.host, self.lines.counts(tally, paint), "")
        });
        let cells: Vec<String> = cells.collect();
        let (needed, room) = (cells.len() * CELL, (self.width)().saturating_sub(PHASE + 1 + time.chars().count()));
        if needed <= room {
            // The times of all phases stand below each other where two hosts fit.
            let empty = (2 * CELL).min(room).saturating_sub(needed);
            return format!("{name} {}{:empty$}{}", cells.concat(), "", paint.aside(&time));
        }
        let hosts: String = cells.iter().map(|cell| format!("\n  {}", cell.trim_end())).collect();
        format!("{name} {}{hosts}", paint.aside(&time))
    }
}

impl<O: Write + Send, E: Write + Send> Sink for Pretty<O, E> {
    fn event(&mut self, event: &Event) {
        if let Some(held_back) = &mut self.held_back {
            held_back.push(event.clone());
            return;
        }
        match &event.harmless() {
            Event::Print { text } | Event::Reveal { text } => {
                let out = &mut self.out;
                // A closed pipe ends the reader's interest, not the run.
                let _ = self.bars.suspend(|| writeln!(out, "{text}").and_then(|()| out.flush()));
            }
            Event::PhaseStarted { phase } if self.lines.shows(Level::Info) => {
                self.phases.insert(phase.clone(), spinner(&self.bars, &self.lines.paint.title(phase)));
            }
            Event::PhaseFinished { phase, ok, seconds, hosts } => self.finish_phase(phase, *ok, *seconds, hosts),
            Event::Activity { host, text } => self.activity(host.as_deref(), text),
            // Inside a phase a change passes by; the phase's line has their number.
            Event::Changed { host, change, .. } if !self.phases.is_empty() && !self.lines.tells_changes() => {
                self.activity(Some(host), &format!("changed {}", change.resource));
            }
            Event::Command { host, command, .. } if !self.phases.is_empty() && !self.lines.tells_changes() => {
                self.activity(Some(host), &first_line(command));
            }
            other => {
                if matches!(other, Event::RunFinished { .. }) {
                    let _ = self.bars.clear();
                }
                if let Some(text) = self.lines.text(other) {
                    self.say(&text);
                }
            }
        }
    }

    fn pause(&mut self) {
        let _ = self.bars.clear();
        for bar in self.phases.values().chain(self.hosts.values()) {
            bar.disable_steady_tick();
        }
        self.held_back.get_or_insert_default();
    }

    fn resume(&mut self) {
        for bar in self.phases.values().chain(self.hosts.values()) {
            bar.enable_steady_tick(TICK);
        }
        for event in self.held_back.take().unwrap_or_default() {
            self.event(&event);
        }
    }
}

const TICK: Duration = Duration::from_millis(120);

fn spinner(bars: &MultiProgress, prefix: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {prefix} {wide_msg} {elapsed}");
    let bar = bars.add(ProgressBar::new_spinner());
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.set_prefix(prefix.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}
