# What the steps of a list share. Each runs in a subshell with `set -e`; the records for the caller go to descriptor 3.
exec 3>&1 1>&2

# Announces step $1, so that the caller can tell its output from that of the others.
begin() { printf 'k3srun-step %s\n' "$1" >&2; }

# Reports how step $1 ended: with status $2. After a failure nothing else is done.
finish() {
  case $2 in
  0) printf 'done %s\n' "$1" >&3 ;;
  *) printf 'failed %s %s\n' "$1" "$2" >&3; exit 0 ;;
  esac
}

# Tells what goes on now, in a step that takes long.
tell() { printf 'progress %s\n' "$1" >&3; }

# Ends the step because the host is not as it was read: the caller reads again what is left to do.
stale() { echo "$1" >&2; exit 211; }

# Fails the step with a message.
refuse() { echo "$1" >&2; exit 1; }

# Names the new file $temp beside $1: it goes with the step. What a step that was killed left there goes now.
beside() {
  rm -f -- "${1%/*}/.${1##*/}.k3srun."??????????
  temp=$(mktemp "${1%/*}/.${1##*/}.k3srun.XXXXXXXXXX")
  trap 'rm -f -- "$temp"' EXIT
}

# Makes the new file $temp beside $1 and checks its sha256 $2. The content comes from the file $3, which is removed, or in
# base64 from standard input.
receive() {
  [ -d "${1%/*}/" ] || refuse "the folder ${1%/*} does not exist"
  [ ! -d "$1" ] || [ -L "$1" ] || refuse "$1 is a directory"
  beside "$1"
  if [ -n "${3-}" ]; then
    trap 'rm -f -- "$temp" "$3"' EXIT
    cat <"$3" >"$temp"
  else
    base64 -d >"$temp"
  fi
  [ "$(sha256sum <"$temp")" = "$2  -" ] || refuse "the content of $1 did not arrive whole: is the disk full?"
}

# Gives $temp the owner of the file $1, if there is one.
inherit_owner() {
  if [ -f "$1" ] && [ ! -L "$1" ]; then chown --reference="$1" -- "$temp"; fi
}

# Gives $temp the attributes of the file $1; where there is none, the mode $2.
inherit() {
  inherit_owner "$1"
  if [ -f "$1" ] && [ ! -L "$1" ]; then chmod --reference="$1" -- "$temp"; else chmod "$2" "$temp"; fi
}

# Puts $temp in the place of $1.
place() {
  mv -fT -- "$temp" "$1"
  if command -v restorecon >/dev/null; then restorecon "$1"; fi
}

# Ends the step unless the file $1 still has the sha256 $2; `-`: unless there is none.
unchanged() {
  if [ -e "$1" ]; then is=$(sha256sum <"$1"); else is='-  -'; fi
  [ "$is" = "$2  -" ] || stale "$1 is no longer as it was read"
}
