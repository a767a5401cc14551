//! Settings of sshd, changed under a guard.

use std::collections::BTreeMap;

use super::input::Problems;
use super::path::sha256;
use super::probe::{Probe, Reader, encode};
use super::step::Step;
use super::world::World;
use super::{Claim, Kind, guard};
use crate::error::{Error, Result};

/// Where our settings are. sshd takes the first value that it reads, and reads this folder in the order of the names.
const FILE: &str = "/etc/ssh/sshd_config.d/00-k3srun.conf";

/// What sshd would do if it started now: a key is the name of a setting in lower case.
const EFFECTIVE: Reader = Reader {
    name: "sshd",
    shell: r#"
shown=$(sshd -T -C user=root,host=localhost,addr=127.0.0.1 2>&1) || { printf 'sshd\t-\t%s\n' "$(printf %s "$shown" | base64 -w0)"; return; }
for key do
  # A list is told in several lines, and not at all while it is empty.
  value=$(printf '%s\n' "$shown" | sed -n "s/^$key //p" | paste -sd ' ' -)
  known=yes
  [ -n "$value" ] || ! sshd -t -o "$key=x" 2>&1 | grep -qi 'bad configuration option' || known=no
  printf 'sshd\t%s\t%s\t%s\n' "$key" "$value" "$known"
done"#,
};

/// Why [`EFFECTIVE`] has nothing to say: its key in this case.
const UNKNOWN: &str = "-";

/// Settings of sshd by their names in sshd_config(5). sshd must accept them (`sshd -t`), they must win over what stands
/// elsewhere in its configuration, and a new connection must still get in; otherwise they are taken back.
#[derive(Debug, Clone)]
pub struct Sshd {
    settings: BTreeMap<String, String>,
}

impl Sshd {
    /// These settings, e.g. `("PasswordAuthentication", "no")`.
    pub fn new<K: Into<String>, V: Into<String>>(settings: impl IntoIterator<Item = (K, V)>) -> Self {
        Sshd { settings: settings.into_iter().map(|(key, value)| (key.into(), value.into())).collect() }
    }

    /// The same, with what is stricter already as it is.
    fn not_loosened(&self, world: &World) -> Self {
        let keep = |(key, wanted): (&String, &String)| {
            let live = world.facts.field(&EFFECTIVE, &key.to_lowercase(), 0).unwrap_or_default();
            let value = if is_stricter(key, live, wanted) { live } else { wanted };
            (key.clone(), value.to_owned())
        };
        Sshd { settings: self.settings.iter().map(keep).collect() }
    }

    fn text(&self) -> String {
        let lines = self.settings.iter().map(|(key, value)| format!("{key} {value}\n"));
        format!("# Written by k3srun; sshd takes the first value that it finds.\n{}", lines.collect::<String>())
    }

    /// Which settings differ: name, value in force, value wanted.
    fn differences(&self, world: &World) -> Vec<(&str, String, &str)> {
        let wanted = self.settings.iter().map(|(key, value)| {
            let live = world.facts.field(&EFFECTIVE, &key.to_lowercase(), 0).unwrap_or_default();
            (key.as_str(), live.to_owned(), value.as_str())
        });
        wanted.filter(|(_, live, wanted)| plain(live) != plain(wanted)).collect()
    }

    fn script(&self) -> String {
        let text = self.text();
        let checks: String = self
            .settings
            .iter()
            .map(|(key, value)| format!("effective {} '{}' {key}\n", key.to_lowercase(), plain(value)))
            .collect();
        format!(
            r#"mkdir -p {folder}
receive {FILE} {sum} <<'k3srun'
{content}
k3srun
chmod 0600 "$temp"
guard sshd {seconds} <<'k3srun'
systemctl reload --no-block ssh.service 2>/dev/null || systemctl reload --no-block sshd.service 2>/dev/null || :
k3srun
keep {FILE}
armed
place {FILE}
sshd -t || refuse 'sshd does not accept the settings; they were taken back'
shown=$(sshd -T -C user=root,host=localhost,addr=127.0.0.1)
effective() {{
  is=$(printf '%s\n' "$shown" | sed -n "s/^$1 //p" | paste -sd ' ' - | tr '[:upper:]' '[:lower:]')
  [ "$is" != without-password ] || is=prohibit-password
  [ "$is" = "$2" ] && return
  other=$(grep -lisE "^[[:space:]]*$3[[:space:]]" /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf | grep -vx {FILE} | tr '\n' ' ')
  refuse "$3 stays '$is': ${{other:-another file of its configuration}} wins. Remove it there, or put 'Include /etc/ssh/sshd_config.d/*.conf' first in /etc/ssh/sshd_config"
}}
{checks}if systemctl is-active -q ssh.service; then systemctl reload ssh.service
elif systemctl is-active -q sshd.service; then systemctl reload sshd.service
fi
"#,
            folder = super::path::parent(FILE),
            sum = sha256(text.as_bytes()),
            content = encode(&text),
            seconds = guard::SECONDS,
        )
    }
}

/// A value as `sshd -T` prints it: older versions call the last one by its old name.
fn plain(value: &str) -> String {
    match value.to_lowercase().as_str() {
        "without-password" => "prohibit-password".to_owned(),
        other => other.to_owned(),
    }
}

/// Whether root may do less than what is wanted where keys are all that is wanted: prohibiting passwords is not to let root in.
fn is_stricter(key: &str, live: &str, wanted: &str) -> bool {
    key.eq_ignore_ascii_case("PermitRootLogin")
        && plain(wanted) == "prohibit-password"
        && ["no", "forced-commands-only"].contains(&live)
}

impl Kind for Sshd {
    fn id(&self) -> String {
        "sshd".to_owned()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Whole("sshd".to_owned()), Claim::path(FILE)]
    }

    fn check(&self, problems: &mut Problems) {
        if self.settings.is_empty() {
            problems.add("no settings given; name them as in sshd_config(5), e.g. PasswordAuthentication");
        }
        for (key, value) in &self.settings {
            if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric()) {
                problems.add(format_args!("{key:?} is not a valid setting name, e.g. PasswordAuthentication"));
            }
            if value.is_empty() || value.chars().any(|c| c.is_control() || "'\"\\#".contains(c)) {
                problems.add(format_args!("{key}: the value is one line of text without quotes"));
            }
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        guard::ask(probe, "sshd");
        for key in self.settings.keys() {
            probe.ask(&EFFECTIVE, key.to_lowercase());
        }
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        if let Some(step) = guard::unfinished(world, "sshd") {
            return Ok(Some(step));
        }
        if let Some(said) = world.facts.field(&EFFECTIVE, UNKNOWN, 0) {
            let said = super::probe::decode(said).unwrap_or_default();
            return Err(Error::refused(format!(
                "sshd can't tell its settings: {}",
                String::from_utf8_lossy(&said).trim()
            ))
            .help("`sshd -T` on the host must work: fix /etc/ssh/sshd_config first"));
        }
        let wanted = self.not_loosened(world);
        let differences = wanted.differences(world);
        if differences.is_empty() {
            return Ok(None);
        }
        let unknown =
            differences.iter().find(|(key, ..)| world.facts.field(&EFFECTIVE, &key.to_lowercase(), 1) == Some("no"));
        if let Some((key, ..)) = unknown {
            return Err(Error::refused(format!("this sshd has no setting {key}"))
                .help("the names are those of sshd_config(5) on the host"));
        }
        let summary: Vec<String> = differences
            .iter()
            .map(|(key, live, wanted)| format!("{key} {} -> {wanted}", if live.is_empty() { "unset" } else { live }))
            .collect();
        Ok(Some(Step::new(summary.join(", "), wanted.script()).guarded("sshd")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::probe::Facts;

    fn world(password: &str, root: &str) -> World {
        World::new(Facts::of(&[
            (&EFFECTIVE, "passwordauthentication", &[password]),
            (&EFFECTIVE, "permitrootlogin", &[root]),
        ]))
    }

    fn wanted() -> Sshd {
        Sshd::new([("PasswordAuthentication", "no"), ("PermitRootLogin", "prohibit-password")])
    }

    #[test]
    fn what_counts_is_what_sshd_would_do() {
        assert_eq!(wanted().diff(&mut world("no", "without-password")).unwrap(), None);
        let step = wanted().diff(&mut world("yes", "without-password")).unwrap().unwrap();
        assert_eq!(step.summary, "PasswordAuthentication yes -> no");
        assert_eq!(step.guard, Some("sshd"));
    }

    #[test]
    fn what_is_stricter_stays() {
        for root in ["no", "forced-commands-only"] {
            assert_eq!(wanted().diff(&mut world("no", root)).unwrap(), None);
            let step = wanted().diff(&mut world("yes", root)).unwrap().unwrap();
            assert_eq!(step.summary, "PasswordAuthentication yes -> no");
            assert!(wanted().not_loosened(&world("yes", root)).text().contains(&format!("PermitRootLogin {root}\n")));
        }
        let open = Sshd::new([("PermitRootLogin", "yes")]);
        assert_eq!(open.diff(&mut world("no", "no")).unwrap().unwrap().summary, "PermitRootLogin no -> yes");
    }

    #[test]
    fn a_setting_that_this_sshd_does_not_have_is_refused() {
        let told = Facts::of(&[(&EFFECTIVE, "passwordauthentifikation", &["", "no"])]);
        let error = Sshd::new([("PasswordAuthentifikation", "no")]).diff(&mut World::new(told)).unwrap_err();
        assert_eq!(error.message, "this sshd has no setting PasswordAuthentifikation");
    }

    #[test]
    fn a_list_that_is_empty_so_far_is_no_unknown_setting() {
        let told = Facts::of(&[(&EFFECTIVE, "allowusers", &["", "yes"])]);
        let step = Sshd::new([("AllowUsers", "root ops")]).diff(&mut World::new(told)).unwrap().unwrap();
        assert_eq!(step.summary, "AllowUsers unset -> root ops");
    }

    #[test]
    fn a_broken_configuration_is_told() {
        let said = encode("line 1: Bad configuration option: Prot");
        let mut world = World::new(Facts::of(&[(&EFFECTIVE, UNKNOWN, &[&said])]));
        let error = wanted().diff(&mut world).unwrap_err();
        assert_eq!(error.message, "sshd can't tell its settings: line 1: Bad configuration option: Prot");
    }
}
