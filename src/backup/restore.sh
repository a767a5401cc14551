# Makes a server's datastore that of the snapshot in $folder, with the token there. Needs $folder and $data. May be cut off anywhere
# and run again: what is done already is told by $folder/done. Exit statuses: 60 k3s doesn't stop, 61 the
# reset failed.
set -u
if [ ! -e "$folder/done" ]; then
  systemctl stop k3s.service >/dev/null 2>&1
  case $(systemctl show k3s.service -p ActiveState --value) in inactive | failed) ;; *) echo "k3s doesn't stop" >&2; exit 60 ;; esac
  # Passwords and keys of a cluster with another token open nothing of this one, and would win over its own: they move aside.
  if [ "$(cat "$data/server/token" 2>/dev/null)" != "$(cat "$folder/token")" ]; then
    [ ! -e "$data/server" ] || mv -- "$data/server" "$data/server.before-restore-$(date +%s)" || exit
  fi
  # A reset on a fresh machine reads the token from the environment only, where nobody but root can see it; server/token alone is
  # refused there.
  K3S_TOKEN=$(cat "$folder/token")
  export K3S_TOKEN
  timeout 360 /usr/local/bin/k3s server --cluster-reset --cluster-reset-restore-path="$folder/snapshot" >"$folder/log" 2>&1
  unset K3S_TOKEN
  grep -q 'Managed etcd cluster membership has been reset' "$folder/log" || { grep -v 'level=info' "$folder/log" | tail -n 20 >&2; exit 61; }
  : >"$folder/done" && sync
fi
