//! A clock that is kept right.

use super::input::Problems;
use super::package::install_script;
use super::probe::{Probe, Reader};
use super::step::Step;
use super::world::World;
use super::{Claim, Kind};
use crate::error::{Error, Result};

/// What keeps the clock: a service that does it now and after a boot, one that could, or the machine that a container runs on.
const CLOCK: Reader = Reader {
    name: "clock",
    shell: r#"
if command -v systemd-detect-virt >/dev/null && systemd-detect-virt -q --container; then
  printf 'clock\t-\tmachine\t-\n'; return
fi
possible=
for unit in chrony chronyd systemd-timesyncd ntpsec ntpd ntp openntpd; do
  if systemctl is-active -q "$unit.service" 2>/dev/null && systemctl is-enabled -q "$unit.service" 2>/dev/null; then
    printf 'clock\t-\tservice\t%s\n' "$unit"; return
  fi
  [ -n "$possible" ] || ! systemctl cat "$unit.service" >/dev/null 2>&1 || possible=$unit
done
manager=
for name in apt-get dnf zypper; do [ -n "$manager" ] || ! command -v $name >/dev/null || manager=${name%-get}; done
[ -n "$possible" ] && printf 'clock\t-\tpossible\t%s\n' "$possible" || printf 'clock\t-\tmissing\t%s\n' "$manager""#,
};

/// Something keeps the host's clock right: whichever time service is running already, or else one that is installed, or
/// else chrony. In a container it is the machine that it runs on.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeSync;

impl Kind for TimeSync {
    fn id(&self) -> String {
        "time_sync".to_owned()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Whole(self.id())]
    }

    fn check(&self, _problems: &mut Problems) {}

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        probe.ask(&CLOCK, "-");
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        match world.facts.get(&CLOCK, "-") {
            Some([state, _]) if state == "machine" || state == "service" => Ok(None),
            Some([state, unit]) if state == "possible" => {
                let script = format!("systemctl enable --now {unit}.service");
                Ok(Some(Step::new(format!("{unit} enabled and started"), script)))
            }
            Some([_, manager]) if !manager.is_empty() => {
                // Debian's unit is called chrony, that of the others chronyd.
                let unit = if manager == "apt" { "chrony" } else { "chronyd" };
                let script = format!("{}\nsystemctl enable --now {unit}.service", install_script(manager, &["chrony"]));
                world.set_vague();
                Ok(Some(Step::new("chrony installed, enabled and started", script)))
            }
            _ => Err(Error::refused("this host has no time service, and none of apt, dnf and zypper to install one")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::probe::Facts;

    fn summary(state: &str, detail: &str) -> Option<String> {
        let mut world = World::new(Facts::of(&[(&CLOCK, "-", &[state, detail])]));
        TimeSync.diff(&mut world).unwrap().map(|step| step.summary)
    }

    #[test]
    fn whatever_keeps_the_clock_already_is_fine() {
        assert_eq!(summary("service", "ntpsec"), None);
        assert_eq!(summary("machine", "-"), None);
    }

    #[test]
    fn what_is_installed_goes_before_what_would_have_to_be() {
        assert_eq!(summary("possible", "systemd-timesyncd").unwrap(), "systemd-timesyncd enabled and started");
        assert_eq!(summary("missing", "apt").unwrap(), "chrony installed, enabled and started");
    }
}
