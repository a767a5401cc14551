//! As whom a path is changed. Where somebody else could change what a path means, root does nothing there by itself: it is done
//! as that user, and only what that user could have done. See `src/host/paths.sh`.

use super::attributes::Attributes;
use super::path::{self, Entry, Sort};
use super::probe::{Facts, Probe, Reader, decode};
use super::world::World;
use crate::error::{Error, Result};

/// Who may act at paths, where it isn't root alone.
const HANDS: Reader = Reader {
    name: "hands",
    shell: r#"
for key do
  reach "$key" || { printf 'hands\t%s\tnobody\t\t\t%s\n' "$key" "$(printf %s "$why" | base64 -w0)"; continue; }
  user=${hand:-$keeper}
  [ -n "$user" ] || continue
  if [ -n "$hand" ]; then word=makes; else word=keeps; fi
  [ "$me" = 0 ] || word=foreign
  printf 'hands\t%s\t%s\t%s\t%s\t%s\n' "$key" "$word" "$user" "$(named "$user")" "$(printf %s "$owned" | base64 -w0)"
done"#,
};

/// Somebody who can change what a path means.
struct User {
    uid: String,
    name: String,
    /// The folder by which that is possible, or what is at the path itself.
    owned: String,
}

/// Who acts at a path.
enum Hands {
    /// We do.
    Ours,
    /// This user makes and changes things there.
    Makes(User),
    /// We make things there; what is there is changed as this user.
    Keeps(User),
    /// Nobody, for this reason.
    Nobody(String),
}

/// Asks for what the functions below need.
pub(super) fn ask(probe: &mut Probe, path: &str) {
    probe.ask(&HANDS, path);
}

fn hands(facts: &Facts, path: &str) -> Hands {
    let Some([word, uid, name, text]) = facts.get(&HANDS, path) else { return Hands::Ours };
    let text = String::from_utf8_lossy(&decode(text).unwrap_or_default()).into_owned();
    let user = User { uid: uid.clone(), name: name.clone(), owned: text.clone() };
    match word.as_str() {
        "makes" => Hands::Makes(user),
        "keeps" => Hands::Keeps(user),
        "foreign" => Hands::Nobody(format!("{text} belongs to {name}: only root can do something there as that user")),
        _ => Hands::Nobody(text),
    }
}

/// As whom something is made at `path`: None for ourselves, else the name of the user.
///
/// # Errors
/// Refused where nobody may, or where it would not get its wanted owner.
pub(super) fn make(world: &World, path: &str, wanted: &Attributes) -> Result<Option<String>> {
    let user = match hands(&world.facts, path) {
        Hands::Nobody(why) => return Err(Error::refused(why)),
        Hands::Makes(user) => user,
        Hands::Ours | Hands::Keeps(_) => match planned(world, path) {
            Some(user) => user,
            None => return Ok(None),
        },
    };
    user.can_own(wanted)?;
    Ok(Some(user.name))
}

/// Whether the attributes of what is at `path` can be changed to those that are wanted.
///
/// # Errors
/// Refused where nobody may, or not the user as whom it would have to be done.
pub(super) fn change(world: &World, path: &str, entry: &Entry, wanted: &Attributes) -> Result<()> {
    let user = match hands(&world.facts, path) {
        Hands::Ours => return Ok(()),
        Hands::Nobody(why) => return Err(Error::refused(why)),
        Hands::Makes(user) | Hands::Keeps(user) => user,
    };
    if entry.uid != user.uid && entry.owner != user.name {
        let owner = &entry.owner;
        let message = format!("it belongs to {owner}, but others than {owner} can put something else in its place");
        return Err(Error::refused(message).help(format!("give {} to root, or this to {}", user.owned, user.name)));
    }
    user.can_own(wanted)
}

/// The owner of a folder of `path` that a step so far makes, or gives away.
fn planned(world: &World, path: &str) -> Option<User> {
    let mut folder = path::parent(path);
    let mut found = None;
    while folder != "/" {
        if let Some(entry @ Entry { sort: Sort::Directory, .. }) = world.at(folder).filter(|_| world.is_written(folder))
            && entry.uid != "0"
            && entry.owner != "root"
        {
            found = Some(User { uid: entry.uid.clone(), name: entry.owner.clone(), owned: folder.to_owned() });
        }
        folder = path::parent(folder);
    }
    found
}

impl User {
    /// Refuses another owner than this user.
    fn can_own(&self, wanted: &Attributes) -> Result<()> {
        let Some(owner) = wanted.owner.as_ref().filter(|owner| **owner != self.name && **owner != self.uid) else {
            return Ok(());
        };
        let User { name, owned, .. } = self;
        let message =
            format!("{owned} belongs to {name}, who can change what is in it: nothing there can belong to {owner}");
        Err(Error::refused(message).help(format!("give {owned} to root, or name {name} as the owner")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::Content;
    use super::super::probe::encode;
    use super::*;

    fn world(word: &str) -> World {
        World::new(Facts::of(&[(&HANDS, "/srv/app/x", &[word, "1000", "app", &encode("/srv/app")])]))
    }

    fn owner(name: &str) -> Attributes {
        Attributes { owner: Some(name.into()), ..Attributes::default() }
    }

    #[test]
    fn in_the_folder_of_a_user_everything_is_that_users() {
        let made = |owner: &Attributes| make(&world("makes"), "/srv/app/x", owner);
        for wanted in [Attributes::default(), owner("app"), owner("1000")] {
            assert_eq!(made(&wanted).unwrap().as_deref(), Some("app"));
        }
        let error = made(&owner("root")).unwrap_err();
        assert_eq!(
            error.message,
            "/srv/app belongs to app, who can change what is in it: nothing there can belong to root"
        );
    }

    #[test]
    fn a_folder_that_the_same_list_gives_away_is_the_users_already() {
        let mut world = World::new(Facts::default());
        let folder = World::new_entry(Sort::Directory, 0o755, Content::Unread);
        world.put_directory("/srv/app", owner("app").applied_to(folder));
        assert!(make(&world, "/srv/app/x", &owner("root")).is_err());
        assert_eq!(make(&world, "/srv/other", &owner("root")).unwrap(), None);
    }

    #[test]
    fn what_a_user_could_replace_is_changed_only_if_it_is_that_users() {
        let root = World::new_entry(Sort::File, 0o644, Content::Unread);
        let error = change(&world("keeps"), "/srv/app/x", &root, &Attributes::default()).unwrap_err();
        assert_eq!(error.message, "it belongs to root, but others than root can put something else in its place");
        let app = owner("app").applied_to(root);
        assert!(change(&world("keeps"), "/srv/app/x", &app, &Attributes::default()).is_ok());
    }
}
