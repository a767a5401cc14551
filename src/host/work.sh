# What is done at a path, with the rights of whoever runs it: ourselves where nobody else can change the path, otherwise the user
# who can (see paths.sh). The text is handed to a shell of that user in single quotes: there are none in it.

refuse() { echo "$1" >&2; exit 1; }

# Ends the step because the host is not as it was read: the caller reads again what is left to do.
stale() { echo "$1" >&2; exit 211; }

# foreign COMMAND [OPTION]: runs a command that is not ours in a shell that does not have our functions.
foreign() {
  foreign=$1
  shift
  sh "$@" /proc/self/fd/9 9<<END </dev/null
$foreign
END
}

# beside PATH: enters a new folder beside PATH that nobody else can enter. What is made in it as ./new is put at PATH by `place`,
# and goes with the step otherwise; $temp is its name for other programs. What a step that was killed left there goes now.
beside() {
  [ -d "${1%/*}/" ] || refuse "the folder ${1%/*} does not exist"
  [ -n "$loose" ] || rm -rf -- "${1%/*}/.${1##*/}.k3srun."??????????
  nook=$(mktemp -d -- "${1%/*}/.${1##*/}.k3srun.XXXXXXXXXX") || refuse "${1%/*} is not writable"
  temp=$nook/new
  if [ -n "$loose" ]; then
    # Others could have renamed it, and put a link in its place.
    temp=./new
    cd -P -- "$nook" || exit
    [ "$(pwd -P) $(stat -c %u .)" = "$nook $me" ] || refuse "the folder made in ${1%/*} was replaced by another one"
  else
    cd -P -- "$nook" || exit
  fi
  trap leave EXIT
}

# Removes what `beside` made.
leave() {
  [ -n "$nook" ] || return 0
  rm -rf -- ./new
  rmdir -- "../${nook##*/}"
  nook=
}

# fill SUM: ./new gets what is on standard input, which has this sha256, or `size` and this many bytes.
fill() {
  (umask 077; cat >./new) || exit
  case $1 in
  size*) [ "$(stat -c %s ./new)" = "${1#size}" ] ;;
  *) [ "$(sha256sum <./new)" = "$1  -" ] ;;
  esac || refuse "the content did not arrive whole: is the disk full?"
}

# dress PATH DEFAULT MODE OWNER GROUP: gives ./new its attributes, before anybody else can open it. What is empty stays as it is
# at PATH; DEFAULT is the mode where there is nothing.
dress() {
  bits=$3 was=
  if [ -f "$1" ] && [ ! -L "$1" ]; then was=$(stat -c "%u:%g %a" -- "$1"); fi
  owner=${was%%:*}
  # What others put into a loose folder says nothing.
  if [ -n "$was" ] && { [ -z "$loose" ] || [ "$owner" = 0 ] || [ "$owner" = "$me" ]; }; then
    # A user cannot make a file of another one.
    chown -h -- "${was% *}" ./new 2>/dev/null || [ -n "$acting" ] || refuse "$1 cannot keep its owner ${was% *}"
    bits=${bits:-${was#* }}
  fi
  own ./new "$4" "$5"
  # After the owner: a change of that takes set-user-ID bits away.
  chmod -- "${bits:-$2}" ./new
}

# own PATH OWNER GROUP: either may be empty. A link is not followed.
own() { [ -z "$2$3" ] || chown -h -- "$2${3:+:$3}" "$1"; }

# place PATH: puts ./new there.
place() {
  mv -fT -- ./new "../${1##*/}"
  cd .. || exit
  rmdir -- "./${nook##*/}"
  nook=
  if command -v restorecon >/dev/null; then restorecon "$1" || [ -n "$acting" ]; fi
}

# put PATH SUM DEFAULT MODE OWNER GROUP CHECK: a file with what is on standard input, see `fill` and `dress`. The command CHECK must
# accept $temp.
put() {
  [ ! -d "$1" ] || [ -L "$1" ] || refuse "$1 is a directory"
  beside "$1"
  fill "$2"
  dress "$1" "$3" "$4" "$5" "$6"
  export temp
  if [ -n "${7-}" ]; then foreign "$7" || refuse "the new content was not accepted"; fi
  place "$1"
}

# link PATH TARGET
link() {
  [ ! -d "$1" ] || [ -L "$1" ] || refuse "$1 is a directory"
  beside "$1"
  ln -s -- "$2" ./new
  place "$1"
}

# swap_line PATH TEXT LINE OWNER GROUP: a file that only OWNER may read, with LINE in place of the lines with TEXT in them.
swap_line() {
  if [ -L "$1" ] || { [ -e "$1" ] && [ ! -f "$1" ]; }; then stale "$1 is not a regular file"; fi
  beside "$1"
  {
    if [ -f "$1" ]; then head -c 1048576 -- "$1" | grep -vF -- "$2" || :; fi
    printf "%s\\n" "$3"
  } >./new
  dress "$1" 0600 0600 "$4" "$5"
  place "$1"
}

# folder PATH DEFAULT MODE OWNER GROUP: the folder, and with mode 0755 those that it is in. An existing one keeps what is empty.
folder() {
  if [ -d "$1" ]; then
    attributes "$1" "$3" "$4" "$5"
    return
  fi
  mkdir -p -- "${1%/*}/"
  beside "$1"
  mkdir ./new
  own ./new "$4" "$5"
  chmod -- "${3:-$2}" ./new
  place "$1"
}

# attributes PATH MODE OWNER GROUP: of a file or folder that is there.
attributes() {
  if [ -L "$1" ] || { [ ! -f "$1" ] && [ ! -d "$1" ]; }; then stale "$1 is no longer as it was read"; fi
  own "$1" "$3" "$4"
  [ -z "$2" ] || chmod -- "$2" "$1"
}

# remove PATH: not across file systems, what is mounted below belongs to someone else.
remove() { rm -rf --one-file-system -- "$1"; }

# unchanged PATH SUM: ends the step unless the file has this sha256; `-`: unless there is none.
unchanged() {
  is=-
  if [ -e "$1" ] || [ -L "$1" ]; then
    is=odd
    if [ -f "$1" ] && [ ! -L "$1" ]; then is=$(sha256sum <"$1"); fi
  fi
  [ "${is%% *}" = "$2" ] || stale "$1 is no longer as it was read"
}

# compare PATH SUM: prints `same` where a file has this sha256, else `large`, or `differs` and its content; `odd` for what is not a file,
# nothing where there is none.
compare() {
  if [ -L "$1" ] || { [ -e "$1" ] && [ ! -f "$1" ]; }; then
    echo odd
  elif [ ! -e "$1" ]; then
    return 0
  elif [ "$2" != - ] && [ "$(sha256sum <"$1")" = "$2  -" ]; then
    echo same
  elif [ "$(stat -c %s -- "$1")" -gt 1048576 ]; then
    echo large
  else
    printf "differs "
    head -c 1048576 -- "$1" | base64 -w0
  fi
}

# content PATH: prints it.
content() {
  [ -z "$acting" ] || [ -f "$1" ] || refuse "$1 is not a regular file"
  cat -- "$1"
}

# describe PATH: prints sha256, size and mode of a file; nothing where there is none.
describe() {
  [ ! -d "$1" ] || refuse "$1 is a folder"
  [ -f "$1" ] || return 0
  sum=$(sha256sum <"$1")
  echo "${sum%% *} $(stat -L -c "%s %a" -- "$1")"
}

# piece PATH SIZE NUMBER: prints this piece of a file.
piece() {
  [ -f "$1" ] || refuse "$1 is no longer a file"
  dd if="$1" bs="$2" skip="$3" count=1 2>/dev/null
}

# list FOLDER: prints what is in it: kind, mode, size and owner, path, target of each with a zero byte in between, an empty one, and the
# sums. What is in a folder of others is none of our business.
list() {
  if [ ! -d "$1" ]; then return 0; fi
  cd -P -- "$1" || exit
  if [ -n "$acting" ]; then
    set -- -false
  else
    set -- -type d "(" ! -uid 0 ! -uid "$me" -o -perm -0002 -o -perm -0020 ! -gid 0 ")"
  fi
  find . -mindepth 1 -path "./.k3srun.*" -prune -o "$@" -printf "closed %m %s %u\\0%P\\0%l\\0" -prune -o \
    -printf "%y %m %s %u\\0%P\\0%l\\0"
  printf "\\0"
  find . -mindepth 1 -path "./.k3srun.*" -prune -o "$@" -prune -o -type f -print0 | xargs -0r sha256sum -z --
}

# tree FOLDER: unpacks the archive on standard input, and runs the script in it, see the resource `Tree`.
tree() {
  mkdir -p -- "$1"
  cd -P -- "$1" || exit
  rm -rf -- ./.k3srun.??????????
  nook=$(mktemp -d ./.k3srun.XXXXXXXXXX)
  trap "rm -rf -- $nook" EXIT
  tar -xpf - -C "$nook" --numeric-owner
  . "$nook/plan"
}

# ours FOLDER...: ends the step unless only we can write in each of them. As a user there is nothing to fear.
ours() {
  [ -z "$acting" ] || return 0
  stat -c "%u %g %f %n" -- "$@" | while IFS=" " read -r uid gid mode name; do
    case $uid:$((0x$mode & 0170000)):$((0x$mode & 022)):$gid in
    0:16384:0:* | 0:16384:16:0 | "$me":16384:0:*) ;;
    *) stale "$name is no longer as it was read" ;;
    esac
  done
}
