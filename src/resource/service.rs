//! A systemd unit.

use super::input::{Problems, is_word};
use super::path;
use super::probe::{Probe, Reader};
use super::step::Step;
use super::world::World;
use super::{Claim, Kind, Resource};
use crate::error::{Error, Result};
use crate::host::{moment, quote};

/// Properties of units, in systemd's own order of blocks: that of the arguments.
const UNITS: Reader = Reader {
    name: "unit",
    shell: r#"
[ -d /run/systemd/system ] || { printf 'systemd\t-\tno\n'; return; }
properties=LoadState,ActiveState,UnitFileState,NeedDaemonReload,FragmentPath,ActiveEnterTimestamp,ExecMainStartTimestamp
shown=$(TZ=UTC systemctl show --timestamp=us -p $properties -- "$@" 2>/dev/null) ||
  shown=$(TZ=UTC systemctl show -p $properties -- "$@")
{ echo "$shown"; echo; } | while IFS= read -r line; do
  case $line in
  '') printf 'unit\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$load" "$active" "$file" "$reload" "${main:-$entered}" "$fragment"
    shift; load= active= file= reload= main= entered= fragment= ;;
  LoadState=*) load=${line#*=} ;;
  ActiveState=*) active=${line#*=} ;;
  UnitFileState=*) file=${line#*=} ;;
  NeedDaemonReload=*) reload=${line#*=} ;;
  FragmentPath=*) fragment=${line#*=} ;;
  ActiveEnterTimestamp=*) entered=${line#*=} ;;
  ExecMainStartTimestamp=*) main=${line#*=} ;;
  esac
done"#,
};

/// Says that there is no systemd; told by [`UNITS`].
const SYSTEMD: Reader = Reader { name: "systemd", shell: "" };

/// Whether a unit should be active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceState {
    /// Active.
    #[default]
    #[serde(alias = "started")]
    Running,
    /// Not active.
    Stopped,
}

/// A systemd unit: enabled and running unless said otherwise. systemd is made to read unit files that have changed.
#[derive(Debug, Clone)]
pub struct Service {
    unit: String,
    enabled: bool,
    state: ServiceState,
    restart_on: Vec<String>,
}

/// A unit as it is.
struct Unit<'a> {
    load: &'a str,
    active: &'a str,
    file: &'a str,
    reload: bool,
    started: Option<f64>,
}

impl Service {
    /// The unit `unit`; `.service` may be left out.
    pub fn new(unit: impl Into<String>) -> Self {
        let unit = unit.into();
        Service { unit, enabled: true, state: ServiceState::Running, restart_on: Vec::new() }
    }

    /// Whether it starts at boot.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Whether it runs now.
    pub fn state(mut self, state: ServiceState) -> Self {
        self.state = state;
        self
    }

    /// Restarts the unit when one of these resources, named by id, was changed: in this run, or, for files, after the
    /// unit was started, so that a run that died in between is made up for.
    pub fn restart_on<N: Into<String>>(mut self, ids: impl IntoIterator<Item = N>) -> Self {
        self.restart_on.extend(ids.into_iter().map(Into::into));
        self
    }

    /// Like [`Service::restart_on`], for resources at hand.
    pub fn restart_on_resources<'a>(self, resources: impl IntoIterator<Item = &'a Resource>) -> Self {
        self.restart_on(resources.into_iter().map(Resource::id))
    }

    fn unit(&self) -> String {
        match self.unit.rsplit_once('.') {
            Some((
                _,
                "service" | "socket" | "timer" | "mount" | "target" | "path" | "swap" | "slice" | "automount",
            )) => self.unit.clone(),
            _ => format!("{}.service", self.unit),
        }
    }

    /// The path of the file that the resource `id` is about.
    fn file_of(id: &str) -> Option<&str> {
        match id.split_once(':')? {
            ("file" | "symlink", path) => Some(path),
            ("line" | "block", rest) => rest.split(':').next(),
            _ => None,
        }
    }

    /// Why the running unit has to be restarted.
    fn outdated<'a>(&'a self, world: &World, started: Option<f64>) -> Option<&'a str> {
        self.restart_on.iter().map(String::as_str).find(|id| {
            world.has_changed(id)
                || Self::file_of(id)
                    .and_then(|path| world.at(path))
                    .zip(started)
                    .is_some_and(|(entry, started)| entry.modified.is_finite() && entry.modified > started)
        })
    }

    /// Whether a step before this one writes a file that systemd reads for this unit.
    fn definition_changes(&self, world: &World) -> bool {
        let unit = self.unit();
        let template = unit
            .split_once('@')
            .map(|(name, rest)| format!("{name}@.{}", rest.rsplit_once('.').map_or("service", |(_, suffix)| suffix)));
        world.written().filter(|path| path.contains("/systemd/system/")).any(|path| {
            [Some(&unit), template.as_ref()]
                .into_iter()
                .flatten()
                .any(|name| path.ends_with(&format!("/{name}")) || path.contains(&format!("/{name}.d/")))
        })
    }
}

/// `Mon 2026-11-23 19:32:06.123456 UTC` in seconds since 1970. Without a fraction the end of the second is meant: a file
/// written within the same second counts as older.
fn timestamp(text: &str) -> Option<f64> {
    let add = if text.contains('.') { 0.0 } else { 0.999_999 };
    Some(moment(text)?.as_microsecond() as f64 / 1e6 + add)
}

impl Kind for Service {
    fn id(&self) -> String {
        format!("service:{}", self.unit)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Whole(format!("unit:{}", self.unit()))]
    }

    fn check(&self, problems: &mut Problems) {
        if !is_word(&self.unit, ":-_.\\@") || self.unit.starts_with(['-', '.']) {
            problems.add(format_args!("{:?} is not a valid unit name", self.unit));
        }
        for id in &self.restart_on {
            match id.split_once(':') {
                Some((kind, _)) if is_word(kind, "_") => {}
                _ => problems.add(format_args!("restart_on: {id:?} is not a resource id, e.g. \"file:/etc/x\"")),
            }
            if let Some(path) = Self::file_of(id) {
                problems.path(path);
            }
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        probe.ask(&UNITS, self.unit());
        for path in self.restart_on.iter().filter_map(|id| Self::file_of(id)) {
            path::ask(probe, path);
        }
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        if world.facts.get(&SYSTEMD, "-").is_some() {
            return Err(Error::refused("this host was not booted with systemd"));
        }
        let name = self.unit();
        let Some([load, active, file, reload, started, _fragment]) = world.facts.get(&UNITS, &name) else {
            return Err(Error::host("systemd says nothing about this unit"));
        };
        let unit = Unit { load, active, file, reload: reload == "yes", started: timestamp(started) };
        let wanted = self.enabled || self.state == ServiceState::Running;
        let redefined = self.definition_changes(world);
        if unit.load == "not-found" && !redefined && !world.is_vague() {
            return match wanted {
                false => Ok(None),
                true => Err(Error::refused(format!("this host has no unit {name}"))
                    .help("put the package or the unit file that brings it before it in the list")),
            };
        }
        let quoted = quote(&name);
        let mut words = Vec::new();
        let mut script = format!(
            "explain() {{ systemctl status --no-pager --lines=10 {quoted}; exit 1; }}\nsystemctl daemon-reload\n"
        );
        let mut act = |word: String, command: &str| {
            words.push(word);
            script.push_str(&format!("systemctl {command} {quoted} || explain\n"));
        };
        if unit.file == "masked" && wanted {
            act("unmasked".into(), "unmask");
        }
        let enabled = !matches!(unit.file, "disabled" | "masked" | "" | "enabled-runtime" | "linked" | "bad");
        match (self.enabled, enabled) {
            (true, false) => act("enabled".into(), "enable"),
            (false, true) if unit.file == "enabled" => act("disabled".into(), "disable"),
            _ => {}
        }
        let running = matches!(unit.active, "active" | "reloading" | "activating");
        match (self.state, running) {
            (ServiceState::Running, false) => act("started".into(), "start"),
            (ServiceState::Running, true) => {
                if let Some(id) = self.outdated(world, unit.started) {
                    act(format!("restarted because of {id}"), "restart");
                }
            }
            (ServiceState::Stopped, true) => act("stopped".into(), "stop"),
            (ServiceState::Stopped, false) => {}
        }
        if (unit.reload || redefined) && words.is_empty() {
            words.push("unit file read again".to_owned());
        }
        if words.is_empty() {
            return Ok(None);
        }
        Ok(Some(Step::new(words.join(", "), script)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::path::{Content, Entry, Sort};
    use crate::resource::probe::Facts;

    const STARTED: &str = "Mon 2026-11-23 19:32:06.500000 UTC";

    /// A host with the unit `x.service` in this state, and the file `/etc/x` changed so many seconds after it was started.
    fn world(load: &str, active: &str, file: &str, changed_after: f64) -> World {
        let unit: &[&str] = &[load, active, file, "no", STARTED, "/lib/systemd/system/x.service"];
        let mut world = World::new(Facts::of(&[(&UNITS, "x.service", unit)]));
        let modified = timestamp(STARTED).unwrap() + changed_after;
        world.put("/etc/x", Entry { modified, ..World::new_entry(Sort::File, 0o644, Content::Unread) });
        world
    }

    fn summary(service: &Service, world: &mut World) -> Option<String> {
        service.diff(world).unwrap().map(|step| step.summary)
    }

    #[test]
    fn a_unit_is_enabled_and_running_unless_said_otherwise() {
        let service = Service::new("x");
        assert_eq!(summary(&service, &mut world("loaded", "active", "enabled", 0.0)), None);
        assert_eq!(summary(&service, &mut world("loaded", "active", "static", 0.0)), None);
        assert_eq!(summary(&service, &mut world("loaded", "failed", "enabled", 0.0)).unwrap(), "started");
        assert_eq!(summary(&service, &mut world("loaded", "inactive", "disabled", 0.0)).unwrap(), "enabled, started");
        let masked = summary(&service, &mut world("masked", "inactive", "masked", 0.0)).unwrap();
        assert_eq!(masked, "unmasked, enabled, started");
    }

    #[test]
    fn a_unit_that_is_not_wanted_is_stopped_and_disabled() {
        let service = Service::new("x").enabled(false).state(ServiceState::Stopped);
        assert_eq!(summary(&service, &mut world("loaded", "active", "enabled", 0.0)).unwrap(), "disabled, stopped");
        assert_eq!(summary(&service, &mut world("masked", "inactive", "masked", 0.0)), None);
        assert_eq!(summary(&service, &mut world("not-found", "inactive", "", 0.0)), None);
    }

    #[test]
    fn it_is_restarted_when_a_named_resource_changes_in_this_run() {
        let service = Service::new("x").restart_on(["file:/etc/x"]);
        let mut world = world("loaded", "active", "enabled", -1.0);
        assert_eq!(summary(&service, &mut world), None);
        world.mark_changed("file:/etc/x".into());
        assert_eq!(summary(&service, &mut world).unwrap(), "restarted because of file:/etc/x");
    }

    #[test]
    fn it_is_restarted_when_an_earlier_run_died_between_the_file_and_the_restart() {
        let service = Service::new("x").restart_on(["file:/etc/x"]);
        let restarted = summary(&service, &mut world("loaded", "active", "enabled", 0.1)).unwrap();
        assert_eq!(restarted, "restarted because of file:/etc/x");
    }

    #[test]
    fn a_unit_can_be_planned_whose_file_the_same_list_makes() {
        let mut world = world("not-found", "inactive", "", 0.0);
        assert!(Service::new("x").diff(&mut world).is_err());
        let entry = World::new_entry(Sort::File, 0o644, Content::Unread);
        world.put("/etc/systemd/system/x.service", entry);
        assert_eq!(summary(&Service::new("x"), &mut world).unwrap(), "enabled, started");
    }

    #[test]
    fn systemd_reads_a_changed_unit_file_again() {
        let mut world = world("loaded", "active", "enabled", 0.0);
        let entry = World::new_entry(Sort::File, 0o644, Content::Unread);
        world.put("/etc/systemd/system/x.service.d/limits.conf", entry);
        assert_eq!(summary(&Service::new("x"), &mut world).unwrap(), "unit file read again");
    }

    #[test]
    fn a_time_without_a_fraction_means_the_end_of_its_second() {
        let exact = timestamp("Mon 2026-11-23 19:32:06.250000 UTC").unwrap();
        let rough = timestamp("Mon 2026-11-23 19:32:06 UTC").unwrap();
        assert!(rough > exact && rough - exact < 0.75);
        assert_eq!(timestamp(""), None);
    }
}
