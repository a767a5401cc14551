# Runs a program with a kubeconfig and an input that come on standard input, $2 and $3 bytes long. The kubeconfig is a file
# in the folder $1 only as long as the program runs. When standard input ends, because the caller wants it or is gone, the
# program is told to end (SIGTERM) and waited for. All this is a process group of its own.
umask 077
kubeconfig=$(mktemp "$1/k3srun-XXXXXXXX") || exit 125
trap 'rm -f -- "$kubeconfig"' EXIT
trap : TERM
config=$2 input=$3
shift 3
exec 3<&0
head -c "$config" <&3 >"$kubeconfig"
[ "$(wc -c <"$kubeconfig")" -eq "$config" ] || exit 125
# It watches in the background: to wait for the program is to wait for its whole pipeline.
{ head -c "$input" <&3; { read -r end <&3; kill 0; } >/dev/null 2>&1 & } | "$@" --kubeconfig "$kubeconfig" 3<&- &
program=$!
while wait "$program"; status=$?; kill -0 "$program" 2>/dev/null; do :; done
# The one that watches has nothing to watch any more.
trap '' TERM
kill 0
exit "$status"
