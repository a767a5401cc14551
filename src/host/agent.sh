# Runs on the host for as long as the connection lives: reads requests on standard input, answers on standard output and error.
#   run ID LENGTH        the next LENGTH bytes are a script; it runs in a session of its own.
#                        Then one line more: `ok` when the caller has the answer, or `kill ID` to end the script now.
#   put ID LENGTH PATH   the next LENGTH bytes become the file PATH, readable by its owner only.
# An answer ends with a line `ID STATUS` on standard output and a line `ID` on standard error.
# When standard input ends, what still runs is killed: nothing outlives its caller by accident.
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
unset ENV BASH_ENV CDPATH
umask 022
end() { printf '\n%s %s\n' "$1" "$2"; printf '\n%s\n' "$1" >&2; }
reap() {
  kill -TERM "-$1" 2>/dev/null
  for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "-$1" 2>/dev/null || return 0; sleep 0.1; done
  kill -KILL "-$1" 2>/dev/null
}
while read -r op id length path; do
  case $op in
  run)
    body=$(head -c "$length")
    printf '%s' "$body" | setsid sh -c 'sh; status=$?; printf "\n%s %s\n" "$0" "$status"; printf "\n%s\n" "$0" >&2' "$id" &
    job=$!
    body=
    if read -r ack mark; then
      [ "$ack" = ok ] || { reap "$job"; end "$mark" 124; }
    else
      reap "$job"
      exit 0
    fi
    wait
    ;;
  put)
    head -c "$length" | (umask 077; cat >"$path" || { cat >/dev/null; exit 1; })
    end "$id" "$?"
    ;;
  esac
done
