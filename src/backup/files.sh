# What a server needs beside its datastore: prints `file=NAME PATH` for each file that is there, and `etcd=VERSION`. Changes nothing.
etc=/etc/rancher/k3s
data=$(sed -n "s/^data-dir: *[\"']\{0,1\}\([^\"' ]*\).*/\1/p" $etc/config.yaml 2>/dev/null | tail -n 1)
data=${data:-/var/lib/rancher/k3s}
have() { [ ! -f "$2" ] || echo "file=$1 $2"; }
have server/token "$data/server/token"
# A link to the token where the agents have none of their own.
[ -L "$data/server/agent-token" ] || have server/agent-token "$data/server/agent-token"
for name in encryption-config.json encryption-state.json; do have "server/cred/$name" "$data/server/cred/$name"; done
have etc/config.yaml $etc/config.yaml
for path in $etc/config.yaml.d/*.yaml $etc/config.yaml.d/*.yml; do have "etc/config.yaml.d/${path##*/}" "$path"; done
have etc/registries.yaml $etc/registries.yaml
have etc/node-password /etc/rancher/node/password
have unit/k3s.service /etc/systemd/system/k3s.service
have unit/k3s.service.env /etc/systemd/system/k3s.service.env
etcd=$(journalctl -q --no-pager -u k3s -o cat 2>/dev/null | sed -n 's/.*"etcd-version":"\([0-9.]*\)".*/\1/p' | tail -n 1)
echo "etcd=$etcd"
