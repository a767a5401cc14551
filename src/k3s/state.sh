# What is read again and again while a node starts. Needs $unit, $data and $node; prints a word and its value on each line.
# systemd's times come in UTC: `date` of other makes takes abbreviations of zones for those of other countries, or for none.
unit_state() {
  TZ=UTC systemctl show "$unit.service" -p LoadState -p ActiveState -p SubState -p UnitFileState -p NRestarts -p InvocationID \
    -p NeedDaemonReload -p Result -p ExecMainStatus -p ExecMainStartTimestamp -p ActiveEnterTimestamp
  echo "Now=$(date +%s)"
}
# By the kubelet's own credentials: they are on servers and agents alike, and may read the node that they belong to.
node_state() {
  [ -s "$data/agent/kubelet.kubeconfig" ] || return 0
  timeout 8 /usr/local/bin/k3s kubectl --kubeconfig "$data/agent/kubelet.kubeconfig" --request-timeout=5s get node "$node" -o jsonpath='{"node.name="}{.metadata.name}{"\nnode.labels="}{.metadata.labels}{"\nnode.taints="}{.spec.taints}{"\nnode.ready="}{.status.conditions[?(@.type=="Ready")].status}{"\nnode.heartbeat="}{.status.conditions[?(@.type=="Ready")].lastHeartbeatTime}{"\nnode.message="}{.status.conditions[?(@.type=="Ready")].message}{"\nnode.addresses="}{.status.addresses[?(@.type=="InternalIP")].address}{"\nnode.version="}{.status.nodeInfo.kubeletVersion}{"\n"}' 2>/dev/null
}
# Whether the server at $url says a word; k3s's own kubectl is what every host with k3s has.
ask_server() {
  [ -n "$url" ] || return 0
  said=$(timeout 8 /usr/local/bin/k3s kubectl --kubeconfig /dev/null --server "$url" --token none --insecure-skip-tls-verify --request-timeout=5s get --raw /ping 2>/dev/null)
  [ "$said" = pong ] || echo server=silent
}
