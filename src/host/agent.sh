# Runs on the host for as long as the connection lives: reads requests on standard input, answers on standard output and error.
#   run ID LENGTH     the next LENGTH bytes are a script; it runs in a session of its own.
#                     Then one line more: `ok` when the caller has the answer, or `kill ID` to end the script now.
#   hold ID LENGTH    the next LENGTH bytes are a script that runs in this shell: what it opens stays open until the end.
#   beat              the caller lives: the file $alive, if a held script has set it, gets the present time. No answer.
#   feed ID LENGTH N  the next LENGTH bytes are a script that runs to its end with the N bytes after it on standard input.
# An answer ends with a line `ID STATUS` on standard output and a line `ID` on standard error.
# When standard input ends, or with SIGTERM, what still runs is killed: nothing outlives its caller by accident. A request
# that came only in part is not begun, and of a file that came only in part nothing is left.
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
unset ENV BASH_ENV CDPATH
umask 022
alive= gone=
trap gone=1 TERM
# Prints $1. Where printf is a program, everybody could read what it prints in its argument list; some Korn shells prefer
# the program to their own.
if [ -z "${KSH_VERSION-}" ] && (PATH=/; printf x) >/dev/null 2>&1; then
  show() { printf '%s\n' "$1"; }
else
  show() {
    cat <<END
$1
END
  }
fi
end() { printf '\n%s %s\n' "$1" "$2"; printf '\n%s\n' "$1" >&2; }
# Sends signal $2 to all living processes of session $1, which may have made process groups of their own.
# Fails when there is none. In /proc/PID/stat the fields after the name are state, parent, group, session.
signal() {
  found=1
  for stat in /proc/[0-9]*/stat; do
    { read -r line <"$stat"; } 2>/dev/null || continue
    pid=${stat#/proc/}
    session=$1 signal=$2
    set -- ${line##*) }
    case $1:$4 in
    [ZX]:*) ;;
    *:"$session") found=0; kill "-$signal" "${pid%/stat}" 2>/dev/null ;;
    esac
    set -- "$session" "$signal"
  done
  return "$found"
}
reap() {
  signal "$1" TERM
  for _ in 1 2 3 4 5 6 7 8 9 10; do signal "$1" 0 || return 0; sleep 0.1; done
  signal "$1" KILL
}
while [ -z "$gone" ] && read -r op id length more; do
  case $op in
  run)
    body=$(head -c "$length")
    [ "${#body}" -eq "$length" ] || exit 0
    # The mark goes by the pipe: everybody can read argument lists.
    { printf '%s\n' "$id"; show "$body"; } |
      setsid sh -c 'read -r mark; sh; status=$?; printf "\n%s %s\n" "$mark" "$status"; printf "\n%s\n" "$mark" >&2' &
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
  hold)
    body=$(head -c "$length")
    [ "${#body}" -eq "$length" ] || exit 0
    eval "$body"
    end "$id" "$?"
    ;;
  beat) [ -z "$alive" ] || touch "$alive" ;;
  feed)
    body=$(head -c "$length")
    [ "${#body}" -eq "$length" ] || exit 0
    # What the script doesn't read must not be taken for requests.
    head -c "$more" | { (eval "$body"); status=$?; cat >/dev/null; exit "$status"; }
    end "$id" "$?"
    body=
    ;;
  esac
done
