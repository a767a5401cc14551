# Takes the lock on the file $f in the folder $d, in the shell that is to hold it; $i is the note about who that is, $owner what to
# write there. $1 is the name of this shell: that of the run, a dot, and the number of the connection. What fails here must not
# end the shell. Prints a word, and the note that was found:
#   free     taken               stale   taken; there was a note without a lock
#   ended    taken from a run that was silent for more than $lost_after seconds
#   silent   not taken: the holder gave no sign for more than $alive_for seconds
#   taken    not taken           missing there is no flock           foreign the folder is somebody else's, it follows

# The processes of the shells that are called as the file $f says.
shells() { grep -lsxzF -f "$f" /proc/[0-9]*/cmdline | tr -dc '0-9\n'; }

# Ends them: what they run ends with them.
end_shells() {
  for signal in TERM KILL; do
    for shell in $(shells); do
      kill "-$signal" "$shell" $(cat "/proc/$shell/task/$shell/children")
    done 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
      [ -n "$(shells)" ] || return 0
      sleep 0.1
    done
  done
}

# Tries for up to 3 s: a run that has ended a moment ago is still going.
try() {
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    flock -n 9 && return
    sleep 0.1
  done
  return 1
}

take() {
  mkdir -p "${d%/*}" && { [ -e "$d" ] || [ -L "$d" ] || mkdir -m 700 "$d"; } || return
  if [ -L "$d" ] || [ "$(stat -c %u "$d")" != "$(id -u)" ]; then
    printf 'foreign\n%s' "$d"
    return
  fi
  (: >>"$f") && exec 9>>"$f" || return
  word=free
  if ! flock -n 9; then
    holder=$(cat "$f")
    if [ "${holder%.*}" = "${1%.*}" ]; then
      # Our own, by a connection that was lost.
      end_shells
      try || word=taken
    elif ! try; then
      silent=$(($(date +%s) - $(stat -c %Y "$i" 2>/dev/null || echo 0)))
      if [ "$silent" -gt "$lost_after" ]; then
        word=ended who=$(cat "$i")
        end_shells
        try || word=taken
      elif [ "$silent" -gt "$alive_for" ]; then
        word=silent
      else
        word=taken
      fi
    fi
  fi
  case $word in
  free) [ ! -s "$i" ] || { word=stale who=$(cat "$i"); } ;;
  silent | taken) who=$(cat "$i") ;;
  esac
  printf '%s\n%s' "$word" "$who"
  case $word in
  silent | taken) exec 9>&- ;;
  *)
    printf %s "$1" >"$f"
    printf %s "$owner" >"$i"
    alive=$i
    trap 'rm -f "$i"' EXIT
    ;;
  esac
}

who=
if command -v flock >/dev/null; then take "$1"; else echo missing; fi