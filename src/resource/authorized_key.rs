//! A public key that lets someone in as a user.

use super::input::{Problems, is_account, is_word};
use super::probe::{Probe, Reader, decode};
use super::step::Step;
use super::world::World;
use super::{Claim, Kind};
use crate::error::{Error, Result};
use crate::host::quote;

/// What users have in `~/.ssh/authorized_keys`, read with no more rights than theirs: `differs` and the content, another word
/// where it is not a file that could be read, `closed` and the reason where nobody may.
const KEYS: Reader = Reader {
    name: "keys",
    shell: r#"
for key do
  home=$(getent passwd "$key" | cut -d: -f6)
  [ -n "$home" ] || continue
  file=$home/.ssh/authorized_keys
  if said=$(ask 1500000 compare "$file" - 2>/dev/null); then
    case $said in *[!A-Za-z0-9+/=\ ]*) said=odd ;; esac
    [ -z "$said" ] || printf 'keys\t%s\t%s\t%s\n' "$key" "${said%% *}" "${said#* }"
  else
    printf 'keys\t%s\tclosed\t%s\n' "$key" "$(ask 1500000 compare "$file" - 2>&1 >/dev/null | base64 -w0)"
  fi
done"#,
};

/// A public key in a user's `~/.ssh/authorized_keys`, with its options and comment. Other keys are left.
#[derive(Debug, Clone)]
pub struct AuthorizedKey {
    user: String,
    key: String,
}

impl AuthorizedKey {
    /// Lets the owner of `key`, a line as in a `.pub` file, in as `user`.
    pub fn new(user: impl Into<String>, key: impl Into<String>) -> Self {
        AuthorizedKey { user: user.into(), key: key.into().trim().to_owned() }
    }
}

/// Kind and data of the key in a line of `authorized_keys`: options may stand before them.
fn blob(line: &str) -> Option<(&str, &str)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_kind = |word: &str| {
        ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|prefix| word.starts_with(prefix))
            && is_word(word, "-@.")
    };
    let found = words.windows(2).find(|pair| is_kind(pair[0]) && pair[1].starts_with("AAAA"));
    found.map(|pair| (pair[0], pair[1])).filter(|(_, data)| decode(data).is_some())
}

impl Kind for AuthorizedKey {
    fn id(&self) -> String {
        let name = self
            .key
            .split_whitespace()
            .next_back()
            .filter(|word| blob(&self.key).is_some_and(|(_, data)| data != *word));
        let data = blob(&self.key).map_or("", |(_, data)| data);
        format!("authorized_key:{}:{}", self.user, name.unwrap_or(&data[data.len().saturating_sub(12)..]))
    }

    fn claims(&self) -> Vec<Claim> {
        let data = blob(&self.key).map_or("", |(_, data)| data);
        vec![Claim::Whole(format!("authorized_key:{}:{data}", self.user))]
    }

    fn check(&self, problems: &mut Problems) {
        if !is_account(&self.user) {
            problems.add(format_args!("{:?} is not a valid user name", self.user));
        }
        if self.key.contains("PRIVATE KEY") {
            problems.add("this is a private key; the public one, in the file that ends in .pub, is wanted");
        } else if self.key.contains(['\n', '\r', '\0']) || blob(&self.key).is_none() {
            problems.add("this is not a public key, e.g. ssh-ed25519 AAAA... name");
        }
    }

    fn probe(&self, probe: &mut Probe) -> Result<()> {
        probe.ask(&KEYS, self.user.clone());
        Ok(())
    }

    fn diff(&self, world: &mut World) -> Result<Option<Step>> {
        let text = match world.facts.get(&KEYS, &self.user) {
            None => Vec::new(),
            Some([word, text]) if word == "differs" => decode(text).unwrap_or_default(),
            Some([word, why]) if word == "closed" => {
                let why = String::from_utf8_lossy(&decode(why).unwrap_or_default()).trim().to_owned();
                return Err(Error::refused("the user's authorized_keys can't be read").output(why));
            }
            Some(_) => {
                return Err(Error::refused("~/.ssh/authorized_keys is not a regular file of up to 1 MiB")
                    .help("look at what the user has put there, and remove it"));
            }
        };
        let text = String::from_utf8_lossy(&text);
        let ours = blob(&self.key);
        let mut same = text.lines().filter(|line| blob(line) == ours);
        let summary = match (same.next(), same.next()) {
            (Some(line), None) if line.trim() == self.key => return Ok(None),
            (Some(_), _) => "options or comment",
            (None, _) => "added",
        };
        let script = format!(
            r#"user={user}
home=$(getent passwd "$user" | cut -d: -f6)
[ -d "$home" ] || refuse "the user $user has no home directory"
[ -d "$home/.ssh" ] || at folder "$home/.ssh" 0700 '' "$user" "$(id -gn "$user")"
at swap_line "$home/.ssh/authorized_keys" {data} {key} "$user" "$(id -gn "$user")"
"#,
            user = quote(&self.user),
            data = quote(ours.map_or("", |(_, data)| data)),
            key = quote(&self.key),
        );
        Ok(Some(Step::new(summary, script)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::{Facts, encode};
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8T ada@example";

    fn summary(text: &str) -> Option<String> {
        let mut world = World::new(Facts::of(&[(&KEYS, "ops", &["differs", &encode(text)])]));
        AuthorizedKey::new("ops", KEY).diff(&mut world).unwrap().map(|step| step.summary)
    }

    #[test]
    fn a_key_is_known_by_its_data() {
        assert_eq!(summary(""), Some("added".into()));
        assert_eq!(summary(&format!("# keys\n{KEY}\n")), None);
        assert_eq!(summary(&format!("no-pty {KEY}\n")), Some("options or comment".into()));
    }

    #[test]
    fn a_link_or_a_pipe_in_place_of_the_keys_is_refused() {
        for record in [&["odd", "odd"], &["large", "large"], &["closed", ""]] {
            let mut world = World::new(Facts::of(&[(&KEYS, "ops", record)]));
            assert!(AuthorizedKey::new("ops", KEY).diff(&mut world).is_err(), "{record:?}");
        }
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        for bad in ["", "hello", "ssh-ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----", "ssh-rsa AAAA!"] {
            let mut problems = Problems::default();
            AuthorizedKey::new("ops", bad).check(&mut problems);
            assert!(problems.result().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn the_comment_names_the_key() {
        assert_eq!(AuthorizedKey::new("ops", KEY).id(), "authorized_key:ops:ada@example");
    }
}
