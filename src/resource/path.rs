//! What is at a path of a host: kind, attributes and, where it is needed, the content.

use sha2::{Digest as _, Sha256};

use super::hands;
use super::probe::{Facts, Probe, Reader, decode};

/// Files larger than this are compared by checksum only: no diff is shown and no line in them is edited.
pub const TEXT_LIMIT: u64 = 1 << 20;

/// Kind and attributes; not those of what a symlink points to.
const STAT: Reader = Reader {
    name: "stat",
    shell: r#"
stat --printf 'stat\t%n\t%F\t%a\t%U\t%G\t%u\t%g\t%s\t%.Y\n' -- "$@" 2>/dev/null
for key do [ -L "$key" ] && printf 'link\t%s\t%s\n' "$key" "$(readlink -n -- "$key" | base64 -w0)"; done"#,
};

/// The targets of symlinks, printed by [`STAT`].
const LINK: Reader = Reader { name: "link", shell: "" };

/// Content unless it is what is wanted: a key is the wanted sha256 (or `-`), a space, and the path.
const CONTENT: Reader = Reader {
    name: "content",
    shell: r#"
left=$#
while [ "$left" -gt 0 ]; do
  key=$1 path=${1#* } left=$((left - 1))
  shift
  reach "$path" || continue
  if [ -n "$keeper" ]; then
    printf 'content\t%s\t' "$key"
    ask 1500000 compare "$path" "${key%% *}" 2>/dev/null | tr -dc 'A-Za-z0-9+/= ' | tr ' ' '\t'
    echo
  elif [ -f "$path" ] && [ ! -L "$path" ]; then
    set -- "$@" "$key"
  fi
done
[ $# -gt 0 ] || return 0
sums=$nl$(for key do printf '%s\0' "${key#* }"; done | xargs -0 sha256sum -z -- 2>/dev/null | tr '\0' '\n')$nl
for key do
  path=${key#* }
  case $sums in *"$nl${key%% *}  $path$nl"*) printf 'content\t%s\tsame\n' "$key"; continue ;; esac
  size=$(stat -c %s -- "$path")
  [ "$size" -le 1048576 ] && printf 'content\t%s\tdiffers\t%s\n' "$key" "$(base64 -w0 <"$path")" ||
    printf 'content\t%s\tlarge\n' "$key"
done"#,
};

/// What a path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sort {
    File,
    Directory,
    Symlink(String),
    /// A socket, a device, a FIFO.
    Other(String),
}

impl Sort {
    /// What people call it.
    pub fn name(&self) -> &str {
        match self {
            Sort::File => "a file",
            Sort::Directory => "a directory",
            Sort::Symlink(_) => "a symlink",
            Sort::Other(name) => name,
        }
    }
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub sort: Sort,
    pub mode: u32,
    pub owner: String,
    pub group: String,
    pub uid: String,
    pub gid: String,
    /// When the content was changed, in seconds since 1970.
    pub modified: f64,
    pub content: Content,
}

/// What is known about the content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nobody asked.
    Unread,
    /// All of it.
    Known(Vec<u8>),
    /// It has the sha256 that was asked for.
    Same(String),
    /// It is too large to be read.
    Large,
    /// Those as whom it would be read may not.
    Closed,
}

impl Content {
    /// Whether the content is `data`, as far as it is known.
    pub fn is(&self, data: &[u8]) -> bool {
        self.has(&sha256(data))
    }

    /// Whether the content has this sha256, as far as it is known.
    pub fn has(&self, sum: &str) -> bool {
        match self {
            Content::Known(known) => sha256(known) == sum,
            Content::Same(same) => same == sum,
            Content::Unread | Content::Large | Content::Closed => false,
        }
    }
}

/// Asks for kind and attributes of a path.
pub fn ask(probe: &mut Probe, path: &str) {
    probe.ask(&STAT, path);
}

/// Asks for kind and attributes of what is to be changed, and as whom.
pub fn ask_to_change(probe: &mut Probe, path: &str) {
    probe.ask(&STAT, path);
    probe.ask(&STAT, parent(path));
    hands::ask(probe, path);
}

/// Asks for kind and attributes, and for the content unless its sha256 is `unless`.
pub(crate) fn ask_content(probe: &mut Probe, path: &str, unless: Option<&str>) {
    probe.ask(&STAT, path);
    probe.ask(&CONTENT, format!("{} {path}", unless.unwrap_or("-")));
}

/// All that the facts say about paths.
pub fn entries(facts: &Facts) -> impl Iterator<Item = (String, Entry)> {
    facts.all(&STAT).filter_map(|(path, fields)| Some((path.to_owned(), entry(facts, path, fields)?)))
}

fn entry(facts: &Facts, path: &str, fields: &[String]) -> Option<Entry> {
    let [sort, mode, owner, group, uid, gid, _size, modified] = fields else { return None };
    let sort = match sort.as_str() {
        "regular file" | "regular empty file" => Sort::File,
        "directory" => Sort::Directory,
        "symbolic link" => {
            let target = facts.field(&LINK, path, 0).and_then(decode)?;
            Sort::Symlink(String::from_utf8_lossy(&target).into_owned())
        }
        other => Sort::Other(format!("a {other}")),
    };
    Some(Entry {
        sort,
        mode: u32::from_str_radix(mode, 8).ok()?,
        owner: owner.clone(),
        group: group.clone(),
        uid: uid.clone(),
        gid: gid.clone(),
        modified: modified.parse().ok()?,
        content: content(facts, path),
    })
}

/// Of several questions about a path, the answer that says most.
fn content(facts: &Facts, path: &str) -> Content {
    let mut best = Content::Unread;
    for (key, fields) in facts.all(&CONTENT) {
        let Some((sum, _)) = key.split_once(' ').filter(|(_, of)| *of == path) else { continue };
        best = match (fields, best) {
            ([word, data], _) if word == "differs" => decode(data).map_or(Content::Large, Content::Known),
            (_, known @ Content::Known(_)) => known,
            ([word], _) if word == "same" => Content::Same(sum.to_owned()),
            ([word], Content::Unread) if word == "odd" => Content::Unread,
            ([word], Content::Unread) if word.is_empty() => Content::Closed,
            (_, Content::Unread) => Content::Large,
            (_, other) => other,
        };
    }
    best
}

/// The folder that `path` is in.
///
/// `/` is in itself.
pub fn parent(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(at) => &path[..at],
    }
}

/// The checksum as `sha256sum` prints it.
pub fn sha256(data: &[u8]) -> String {
    hex(&Sha256::digest(data))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
