//! Loads a policy: looks what is in force, tells the difference, loads the whole table at once under a guard.

use super::loaded::Loaded;
use super::policy::Policy;
use super::units::{self, Part};
use super::{FILE, difference, ruleset};
use crate::error::{Error, Result};
use crate::host::{Host, quote};
use crate::resource::{self, Claim, Content, Kind, Probe, Problems, Reader, Step, World, decode, encode, guard};

/// The state of the table: a key is its name.
pub(super) const TABLE: Reader = Reader { name: "firewall", shell: include_str!("probe.sh") };

/// The name of the table and of its guard.
pub(super) const NAME: &str = "firewall";

/// Makes the host open what the policy says, and close everything else. Returns whether anything was changed, or would be
/// in a plan. Connections that exist go on.
///
/// # Errors
/// Refused where the policy contradicts itself, would lock us out, or another firewall is active; host where it can't be
/// loaded, or could not be confirmed over a new connection: then what was in force before is in force again.
pub async fn apply(host: &Host, policy: &Policy) -> Result<bool> {
    let found = problems(host, policy).await?;
    let refused = |message: String| Error::refused(message).on(host.name()).help(REMEDY);
    match found.as_slice() {
        [] => {}
        [one] => return Err(refused(format!("the firewall was not changed: {one}"))),
        many => {
            return Err(
                refused(format!("the firewall was not changed: {} problems", many.len())).output(many.join("\n"))
            );
        }
    }
    let facts = host.facts().await?;
    let active = &facts.firewalls;
    let replaced = policy.replace.iter().map(|rival| rival.name()).filter(|name| active.iter().any(|it| it == name));
    let table = Table {
        host: host.name().to_owned(),
        policy: policy.clone(),
        replaced: replaced.collect(),
        parts: units::parts(policy, facts.login.as_ref().map_or(22, |login| login.port)),
        planned: host.run_context().is_plan(),
    };
    Ok(resource::ensure(host, &[table.into()]).await?.changed > 0)
}

const REMEDY: &str = "the policy's sources say from where administrators come (admin_networks in cluster.toml); a firewall of \
     somebody else must be disabled, or named in the policy's `replace`";

/// What speaks against loading a policy on a host, all of it at once; nothing is changed.
///
/// # Errors
/// Those of [`Host::facts`].
pub async fn problems(host: &Host, policy: &Policy) -> Result<Vec<String>> {
    let mut found = policy.mistakes();
    found.extend(policy.objections(&*host.facts().await?));
    Ok(found)
}

/// The table as a resource.
struct Table {
    host: String,
    policy: Policy,
    /// Active firewalls of others that have to go.
    replaced: Vec<&'static str>,
    /// What keeps the rules in force.
    parts: Vec<Part>,
    planned: bool,
}

impl Table {
    fn script(&self, text: &str, update: &str) -> String {
        let paths: Vec<&str> = self.parts.iter().map(|(path, _)| path.as_str()).collect();
        let written = self.parts.iter().map(|(path, text)| format!("part {path} <<'k3srun'\n{text}k3srun\n"));
        format!(
            "{}mkdir -p /etc/k3srun /var/lib/k3srun\nreceive {FILE} {} <<'k3srun'\n{}\nk3srun\nchmod 0600 \"$temp\"\n\
             parts={}\nwrite_parts() {{\n{}}}\nload_firewall {} {} {}\n",
            include_str!("load.sh"),
            resource::sha256(text.as_bytes()),
            encode(text),
            quote(&paths.join(" ")),
            written.collect::<String>(),
            guard::SECONDS,
            quote(&self.replaced.join(" ")),
            quote(update),
        )
    }
}

impl Kind for Table {
    fn id(&self) -> String {
        NAME.to_owned()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Whole(NAME.to_owned())]
    }

    fn check(&self, _problems: &mut Problems) {}

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        guard::ask(probe, NAME);
        probe.ask(&TABLE, NAME);
        let sum = resource::sha256(ruleset::render(&self.policy).as_bytes());
        resource::ask_content(probe, FILE, Some(&sum));
        for (path, text) in &self.parts {
            resource::ask_content(probe, path, Some(&resource::sha256(text.as_bytes())));
        }
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        if let Some(step) = guard::unfinished(world, NAME) {
            return Ok(Some(step));
        }
        let text = ruleset::render(&self.policy);
        let file = world.at(FILE).map(|entry| &entry.content);
        let written = file.is_some_and(|content| content.is(text.as_bytes()));
        let kept = |(path, text): &Part| world.at(path).is_some_and(|entry| entry.content.is(text.as_bytes()));
        let kept = self.parts.iter().all(kept);
        let fields = world.facts.get(&TABLE, NAME);
        let Some([same, enabled, watched, table, _, _, others]) = fields else {
            return match self.planned {
                // An earlier part of the plan installs it.
                true => Ok(Some(self.step(&text, None, "", ""))),
                false => {
                    Err(Error::refused("there is no `nft` on the host").help("install the package nftables before"))
                }
            };
        };
        let listed = decode(table).unwrap_or_default();
        let loaded = Loaded::parse(&String::from_utf8_lossy(&listed));
        let kept = kept && enabled == "yes" && watched == "yes";
        if written && kept && same == "yes" && self.replaced.is_empty() {
            return Ok(None);
        }
        let update = match file {
            // Nothing of the rules differs.
            Some(_) if written && same == "yes" && self.replaced.is_empty() => Some(" ".to_owned()),
            Some(Content::Known(old)) if same == "yes" && self.replaced.is_empty() => {
                ruleset::update(&self.policy, &String::from_utf8_lossy(old))
            }
            _ => None,
        };
        let mut step = self.step(&text, loaded.as_ref(), others, &update.unwrap_or_default());
        if written && same == "yes" && self.replaced.is_empty() {
            step.summary = "what loads and watches its rules is written again".to_owned();
        }
        Ok(Some(step))
    }
}

impl Table {
    fn step(&self, text: &str, loaded: Option<&Loaded>, others: &str, update: &str) -> Step {
        let mut lines = difference::lines(&self.host, loaded, &self.policy);
        let summary = match (loaded, lines.len()) {
            (None, _) => "loaded under a guard".to_owned(),
            (Some(_), 0) => "what was changed by hand is restored".to_owned(),
            (Some(_), 1) => lines.swap_remove(0),
            (Some(_), count) => format!("{count} differences"),
        };
        lines.extend(self.replaced.iter().map(|name| format!("{}: {name} disabled", self.host)));
        if !others.is_empty() {
            let tables = others.replace(',', ", ");
            lines.push(format!("{}: left alone: the nftables tables of others, {tables}", self.host));
        }
        let diff = (!lines.is_empty()).then(|| lines.join("\n"));
        Step::new(summary, self.script(text, update)).diff(diff).guarded(NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::tests::master;
    use super::*;
    use crate::resource::Facts;

    fn table() -> Table {
        Table {
            host: "master".into(),
            policy: master(),
            replaced: Vec::new(),
            parts: units::parts(&master(), 22),
            planned: false,
        }
    }

    #[test]
    fn without_nft_only_a_plan_goes_on() {
        let mut world = World::new(Facts::default());
        assert!(table().diff(&mut world).is_err());
        let step = Table { planned: true, ..table() }.diff(&mut world).unwrap().unwrap();
        assert_eq!(step.summary, "loaded under a guard");
    }

    #[test]
    fn a_table_that_was_changed_by_hand_is_loaded_again() {
        let json = encode(r#"{"nftables": []}"#);
        let facts = Facts::of(&[(&TABLE, NAME, &["no", "yes", "yes", &json, "", "", ""])]);
        let step = table().diff(&mut World::new(facts)).unwrap().unwrap();
        assert_eq!(step.guard, Some(NAME));
        assert!(step.diff.unwrap().starts_with("master 22/tcp: opened to admin (SSH)\n"));
    }
}
