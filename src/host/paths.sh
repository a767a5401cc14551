# Who may act at a path. Where every folder from / on belongs to us and only we can write in it, nobody else can change what the
# path means: there we act ourselves. From the first folder on that belongs to somebody else, everything is done as that user, so
# that the kernel lets happen only what the user could have done. Links that we own are followed by hand, those of others as them.

me=$(id -u) group=$(id -g) acting='' loose='' nook='' firm='' nl='
'

# reach PATH [follow]: sets
#   way     PATH without our own links in it; with `follow` also without one at its end
#   hand    as whom to make something at PATH: empty for ourselves, else a uid
#   keeper  as whom to read or change what is there
#   owned   the folder because of which it is not ourselves
#   loose   where we act ourselves, but others can write in the folder: `sticky`, or `open` where they can rename what is ours
#   lacking the first folder of the path that isn't there
# Fails with $why where nobody may.
reach() {
  way=$1 hops=0
  while :; do
    hand='' keeper='' owned='' loose='' why='' lacking='' replaced=''
    case $firm in
    *"$nl${way%/*}/$nl"*) ;;
    *) walk "${way%/*}" || return 1 ;;
    esac
    [ -z "$replaced" ] || continue
    keeper=$hand
    [ -n "$hand$lacking" ] || keep_to
    if [ "${2-}" != follow ] || [ -n "$keeper$lacking" ] || [ ! -L "$way" ]; then return 0; fi
    resolve "$way" '' || return 1
  done
}

# Sets $keeper for $way in a folder of ours. In a loose one its owner decides; what is ours there but could be renamed, nobody's rights
# must do for.
keep_to() {
  [ -n "$loose" ] || return 0
  owner=$(stat -c %u -- "$way" 2>/dev/null) || return 0
  case $loose:$owner in
  sticky:0 | sticky:"$me") ;;
  open:0 | open:"$me") keeper=65534 owned=${way%/*} ;;
  *) keeper=$owner owned=$way ;;
  esac
}

# Looks at all folders from / to $1 at once: what is firm does not change between two looks.
walk() {
  set -- "$1" /
  rest=${1#/} next=
  while [ -n "$rest" ]; do
    next=$next/${rest%%/*}
    set -- "$@" "$next"
    case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
  done
  end=$1 here=
  shift
  seen=$(stat -c '%u %g %f %n/' -- "$@" 2>/dev/null)
  while IFS=' ' read -r uid gid mode name && [ "$name" = "$1/" ]; do
    case $uid in
    0 | "$me") ;;
    *)
      hand=$uid owned=$1
      return
      ;;
    esac
    if [ "$loose" = open ]; then
      why="others than root can write in $here and rename $1: take that right away (chmod go-w), or set the sticky bit (chmod +t)"
      return 1
    fi
    case $((0x$mode & 0170000)) in
    40960)
      resolve "$1" "${way#"$1"}"
      return
      ;;
    16384) ;;
    *)
      why="$1 is not a directory"
      return 1
      ;;
    esac
    loose=
    case $((0x$mode & 022)):$gid in
    0:* | 16:0 | 16:"$group") ;;
    *) if [ $((0x$mode & 01000)) = 0 ]; then loose=open; else loose=sticky; fi ;;
    esac
    here=${1%/}
    shift
  done <<END
$seen
END
  lacking=${1-}
  [ -n "$lacking$loose" ] || firm=$firm$nl$end/$nl
}

# resolve LINK REST: sets $way to where our link leads, and what follows it.
resolve() {
  replaced=yes hops=$((hops + 1)) here=${1%/*} rest=$(readlink -- "$1")/ deep=
  case $rest in /*) here= ;; esac
  while [ -n "$rest" ]; do
    part=${rest%%/*} rest=${rest#*/}
    case $part:$deep in
    :* | .:*) ;;
    ..:) here=${here%/*} ;;
    ..:*)
      why="the symlink $1 has .. in the middle of its target"
      return 1
      ;;
    *) here=$here/$part deep=yes ;;
    esac
  done
  way=$here$2
  [ "$hops" -le 40 ] || why="too many symlinks lead from one to the next at $1"
  [ -z "$why" ]
}

# quoted WORD...: prints the words for a shell.
quoted() {
  for word do printf '%s\n' "$word" | sed "s/'/'\\\\''/g; 1s/^/'/; \$s/\$/' \\\\/"; done
  echo ' '
}

# named UID: prints the name of the user.
named() { getent passwd "$1" | cut -d: -f1 | grep . || echo "$1"; }

# as UID SECONDS VERB ARGUMENT...: has that user do it, within this time, with nothing of ours but the standard streams.
as() {
  uid=$1 seconds=$2
  shift 2
  if [ "$me" != 0 ]; then refuse "$owned belongs to $(named "$uid"), who could change what is done there: only root can act as that user"; fi
  entry=$(getent passwd "$uid") || entry=
  user=${entry%%:*} gid=${entry#*:*:*:} gid=${gid%%:*}
  code="umask 022; cd /; acting=$uid loose= nook= me=$uid
$work
set -e
$(quoted "$@")"
  if [ -z "$entry" ]; then
    set -- setpriv --reuid "$uid" --regid 65534 --clear-groups sh -c "$code"
  elif setpriv --regid 0 --clear-groups true 2>/dev/null; then
    set -- setpriv --reuid "$uid" --regid "$gid" --init-groups sh -c "$code"
  else
    set -- su -s /bin/sh "$user" -c "$code"
  fi
  timeout -k 2 "$seconds" env -i PATH="$PATH" LC_ALL=C "$@" 3>&-
}

# because UID SECONDS STATUS PATH: tells why it failed. Returns STATUS.
because() {
  case $3 in
  124 | 137) echo "it took longer than $2 s and was stopped" >&2 ;;
  esac
  echo "$4 was left to the user $(named "$1"), who can change $owned" >&2
  return "$3"
}

# at VERB PATH ARGUMENT...: does it as whoever may. See work.sh for the verbs; what they print is not for the caller.
at() {
  verb=$1 path=$2
  shift 2
  reach "$path" || refuse "$path: $why"
  case $verb in
  put) as=$hand limit=${patience:-60} ;;
  tree)
    reach "$path/." || refuse "$path: $why"
    if [ -n "$lacking" ]; then
      (at folder "$path" 0755 '' '' '')
      reach "$path/." || refuse "$path: $why"
    fi
    [ -z "$loose" ] || refuse "others than root can write in $path"
    way=${way%/.} as=$hand limit=${patience:-60}
    ;;
  link | swap_line) as=$hand limit=60 ;;
  folder)
    while [ -n "$lacking" ]; do
      made=$lacking
      (at folder "$made" 0755 '' '' '')
      reach "$path" || refuse "$path: $why"
      [ "$lacking" != "$made" ] || refuse "$made can't be made"
    done
    as=$hand limit=60
    if [ -d "$way" ] && [ ! -L "$way" ]; then as=$keeper; fi
    ;;
  remove)
    as=$hand limit=600
    if [ -z "$hand" ] && [ -n "$keeper" ] && [ -d "$way" ] && [ ! -L "$way" ]; then
      # Its owner empties it: others can have put something else in its place.
      as "$keeper" "$limit" remove "$way" >/dev/null 2>&1 || :
      [ -d "$way" ] || return 0
      verb=rmdir
    fi
    ;;
  *) as=$keeper limit=60 ;;
  esac
  if [ -z "$as" ]; then
    ("$verb" "$way" "$@")
  elif as "$as" "$limit" "$verb" "$way" "$@" >/dev/null; then
    :
  else
    because "$as" "$limit" $? "$path"
  fi
}

# ask LIMIT VERB PATH ARGUMENT...: prints up to LIMIT bytes of what it finds, as whoever may look.
ask() {
  limit=$1 verb=$2 path=$3
  shift 3
  reach "$path" follow || refuse "$path: $why"
  if [ -z "$keeper" ] || [ "$me" != 0 ]; then
    ("$verb" "$way" "$@")
    return
  fi
  # Not one of our descriptors is in the user's reach, and nobody waits for what the user never ends.
  {
    status=$({
      {
        as "$keeper" 20 "$verb" "$way" "$@" </dev/null 8>&- 9>&-
        echo "$?" >&9
      } | timeout -k 2 25 head -c "$limit" >&8
    } 9>&1)
  } 8>&1
  [ "$status" = 0 ] || because "$keeper" 20 "$status" "$path"
}
