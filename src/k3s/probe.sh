# Reads everything about k3s on a host; changes nothing. Needs $unit (empty: whichever is there), $node (empty: as the
# host says) and the paths of files as arguments: the executable's sum is taken, archives are too large for that.
say() { [ -z "$2" ] || printf '%s=%s\n' "$1" "$2"; }
text() { [ ! -f "$2" ] || printf '%s=%s\n' "$1" "$(base64 <"$2" | tr -d '\n')"; }
etc=/etc/rancher/k3s units=/etc/systemd/system binary=/usr/local/bin/k3s
(for path; do
  [ -f "$path" ] || continue
  case $path in
  "$binary") say sum "$(sha256sum <"$path" | cut -c1-64)" ;;
  *) say stamp "$(stat -c '%s %Y' -- "$path") $path" ;;
  esac
done) &
for name in k3s k3s-agent; do [ ! -f "$units/$name.service" ] || say unit "$name"; done
if [ -z "$unit" ]; then
  unit=k3s
  [ -f "$units/k3s.service" ] || [ ! -f "$units/k3s-agent.service" ] || unit=k3s-agent
fi
setting() { sed -n "s/^$1: *[\"']\{0,1\}\([^\"' ]*\).*/\1/p" $etc/config.yaml 2>/dev/null | tail -n 1; }
data=$(setting data-dir)
data=${data:-/var/lib/rancher/k3s}
[ -n "$node" ] || node=$(setting node-name)
[ -n "$node" ] || node=$(uname -n | tr '[:upper:]' '[:lower:]')
say data "$data"
say nodename "$node"
say machine "$(uname -m)"
[ ! -d /run/systemd/system ] || say systemd yes
for name in curl kubectl crictl ctr; do ! command -v $name >/dev/null || say command $name; done
# That of busybox has other options, and stays silent here.
! wget --version >/dev/null 2>&1 || say command wget
for path in /sys/class/net/*; do say interface "${path##*/}"; done
release() { [ ! -x "$2" ] || say "$1" "$("$2" --version 2>/dev/null | grep -F ' version v')"; }
release version $binary
release previous $binary.previous
release staged $binary.staged
text config $etc/config.yaml
for path in $etc/config.yaml.d/*.yaml $etc/config.yaml.d/*.yml; do [ ! -f "$path" ] || say dropin "$path"; done
text definition "$units/$unit.service"
text environment "$units/$unit.service.env"
if [ "$unit" = k3s ]; then
  [ ! -e "$data/server/db/etcd/member/wal" ] || say datastore etcd
  [ ! -e "$data/server/db/state.db" ] || say datastore sqlite
  [ ! -s "$data/server/token" ] || say token yes
  # The passwords that the server knows. Those of agents are in a file of ours, too, or have to be put there.
  of_servers=$(sed -n 's/,server,.*//p' "$data/server/cred/passwd" 2>/dev/null)
  of_agents=$(sed -n 's/,node,.*//p' "$data/server/cred/passwd" 2>/dev/null)
  [ "$of_agents" != "$of_servers" ] || of_agents=
  [ -z "$of_agents" ] || say agentpassword yes
  kept=$(cat $etc/agent-token 2>/dev/null)
  [ -z "$kept" ] || [ "$kept" != "${of_agents:-$kept}" ] || say agenttoken yes
fi
[ ! -e "$data/agent/client-kubelet.crt" ] || say joined yes
for path in "$data/server" "$data/agent" /var/lib/kubelet/pods /var/lib/cni /sys/class/net/cni0 /sys/class/net/flannel.1; do
  [ ! -e "$path" ] || say leftover "$path"
done
say changed "$(stat -c %Y $binary $etc/config.yaml $etc/token $etc/registries.yaml $etc/config.yaml.d/*.y*ml \
  "$units/$unit.service" "$units/$unit.service.env" "$units/$unit.service.d"/*.conf 2>/dev/null | sort -n | tail -n 1)"
if [ -d /run/systemd/system ]; then
  unit_state
  [ "$(systemctl is-active "$unit.service")" != active ] || node_state
fi
wait
