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

# Tells what somebody should look after though the step goes on.
warn() { printf 'warning %s\n' "$1" >&3; }

# Fails unless only we can change what the path $1 means.
alone() {
  reach "$1" || refuse "$1: $why"
  [ -z "$hand$loose" ] || refuse "$1: others can change what this path means"
}

# Makes $temp for the file $1, in a folder that only we can change, from base64 on standard input; its sha256 is $2. `place $1` puts
# it there.
receive() {
  reach "$1" || refuse "$1: $why"
  [ -z "$hand" ] || refuse "$1: $owned belongs to $(named "$hand")"
  beside "$way"
  base64 -d | fill "$2"
}
