//! What k3srun relies on from k3s, checked on the cluster that bootstrap made, whichever k3s it is: the official one, the
//! test distribution, or the one that `K3SRUN_TEST_K3S` names.

use libtest_mimic::Trial;

use crate::support::lab::{Lab, Step};

/// A promise of k3s, and a command on a host that ends with status 0 if it is kept. What the command prints is shown if not.
struct Promise {
    name: &'static str,
    host: &'static str,
    command: &'static str,
}

const PROMISES: &[Promise] = &[
    Promise {
        name: "the_version_is_told_with_its_commit_and_go",
        host: "master",
        command: r"k3s --version; k3s --version | sed -n 1p | grep -qE '^k3s version v1\.[0-9]+\.[0-9]+[^ ]*\+k3s[^ ]* \([0-9a-f]{8}\)$' &&
                   k3s --version | sed -n 2p | grep -qE '^go version go1\.'",
    },
    Promise {
        name: "the_version_begins_with_the_name_of_the_called_file",
        host: "master",
        command: r"ln -s /usr/local/bin/k3s /tmp/.k3s.staged; said=$(/tmp/.k3s.staged --version); rm /tmp/.k3s.staged; echo $said | grep -q '^\.k3s\.staged version v1\.'",
    },
    Promise {
        name: "the_token_pins_the_hash_of_the_certificate_authority",
        host: "master",
        command: r"cd /var/lib/rancher/k3s/server && hash=$(sha256sum tls/server-ca.crt | cut -c1-64) &&
                   grep -qE '^K10'$hash'::server:.{16,}$' token && [ $(stat -c %a token) = 600 ] && [ $(readlink -f node-token) = $PWD/token ]",
    },
    Promise {
        name: "the_kubeconfig_is_for_root_and_names_the_loopback_address",
        host: "master",
        command: r"cd /etc/rancher/k3s && stat -c '%a %U' k3s.yaml && [ $(stat -c %a%U k3s.yaml) = 600root ] && grep -q 'server: https://127.0.0.1:6443' k3s.yaml",
    },
    Promise {
        name: "the_servers_files_are_where_they_belong_and_private",
        host: "master",
        command: r"cd /var/lib/rancher/k3s && for f in server/cred/passwd server/cred/encryption-config.json server/cred/encryption-state.json \
                     server/tls/server-ca.key server/tls/client-ca.key server/tls/service.key /etc/rancher/node/password; do
                     case $(stat -c %a $f) in 600) ;; *) echo $f; stat -c %a $f; exit 1 ;; esac; done
                   [ $(stat -c %a server)/$(stat -c %a agent) = 700/755 ] || { stat -c '%a %n' server agent; exit 1; }
                   test -d server/db/etcd/member/wal && test -f server/manifests/coredns.yaml && test -L data/current",
    },
    Promise {
        name: "the_agents_files_are_where_they_belong",
        host: "worker",
        command: r"cd /var/lib/rancher/k3s/agent && ls client-ca.crt server-ca.crt client-kubelet.crt serving-kubelet.crt kubelet.kubeconfig kubeproxy.kubeconfig \
                     etc/containerd/config.toml etc/cni/net.d/10-flannel.conflist && test -S /run/k3s/containerd/containerd.sock &&
                   grep -q FLANNEL_NETWORK=10.42.0.0/16 /run/flannel/subnet.env",
    },
    Promise {
        name: "ping_and_the_authority_are_open_and_the_rest_is_not",
        host: "worker",
        command: r"url=https://10.77.0.10:6443; [ $(curl -sk $url/ping) = pong ] && curl -sk $url/cacerts | grep -q 'BEGIN CERTIFICATE' &&
                   case $(curl -sk -o /dev/null -w '%{http_code}' $url/v1-k3s/config) in 401 | 403) ;; *) exit 1 ;; esac &&
                   case $(curl -sk -o /dev/null -w '%{http_code}' $url/api/v1/nodes) in 401 | 403) ;; *) exit 1 ;; esac",
    },
    Promise {
        name: "nodes_and_servers_have_paths_of_their_own_and_refusals_are_statuses_and_lines_of_the_journal",
        host: "master",
        command: REFUSALS,
    },
    Promise {
        name: "the_token_of_agents_is_that_of_the_file_and_node_token_is_the_servers",
        host: "master",
        command: r"cd /var/lib/rancher/k3s/server && hash=$(sha256sum tls/server-ca.crt | cut -c1-64); own=/etc/rancher/k3s/agent-token
                   [ $(stat -c %a%U $own) = 600root ] && grep -qE '^[0-9a-f]{64}$' $own && [ ! -L agent-token ] && [ $(stat -c %a agent-token) = 600 ] &&
                   [ $(cat agent-token) = K10$hash::node:$(cat $own) ] && grep -q '::server:' node-token &&
                   grep -qx $(cat $own),node,node,k3s:agent cred/passwd",
    },
    Promise { name: "nothing_that_root_finds_on_a_worker_opens_what_is_for_servers", host: "worker", command: WORKER },
    Promise {
        name: "an_agent_that_has_lost_its_certificates_joins_again_with_the_token_of_agents",
        host: "worker",
        command: r"cd /var/lib/rancher/k3s/agent && systemctl stop k3s-agent && rm *.crt *.key *.kubeconfig && timeout 120 systemctl start k3s-agent &&
                   ls client-kubelet.crt && systemctl is-active k3s-agent",
    },
    Promise {
        name: "each_node_has_a_password_secret",
        host: "master",
        command: r"k3s kubectl -n kube-system get secret master.node-password.k3s worker.node-password.k3s -o name",
    },
    Promise {
        name: "servers_are_labelled_as_control_plane_and_etcd",
        host: "master",
        command: r"k3s kubectl get node -l node-role.kubernetes.io/control-plane=true,node-role.kubernetes.io/etcd=true -o name | grep -x node/master",
    },
    Promise {
        name: "an_agent_dies_of_an_unknown_key",
        host: "worker",
        command: r"echo 'no-such-key: x' >/tmp/unknown.yaml; said=$(timeout 20 k3s agent --config /tmp/unknown.yaml 2>&1); status=$?; rm /tmp/unknown.yaml
                   echo $status $said; [ $status = 1 ] && echo $said | grep -q 'flag provided but not defined'",
    },
    Promise {
        name: "an_agent_whose_token_file_is_missing_waits_for_it_and_ignores_a_signal",
        host: "worker",
        command: r#"said=$(timeout -k 1 3 k3s agent --token-file /nonexistent 2>&1); status=$?; printf '%s\n' $status "$said"
                   [ $status = 137 ] && printf '%s\n' "$said" | grep -qF 'level=info msg="Waiting for /nonexistent to be available\n"'"#,
    },
    Promise {
        name: "a_file_that_is_no_yaml_is_refused_without_its_name",
        host: "worker",
        command: r"echo 'a: [b' >/tmp/bad.yaml; said=$(timeout 20 k3s agent --config /tmp/bad.yaml 2>&1); status=$?; rm /tmp/bad.yaml
                   echo $status $said; [ $status = 1 ] && echo $said | grep -q 'level=fatal msg=.yaml: line [0-9]*: did not find expected'",
    },
    Promise {
        name: "an_unknown_command_ends_with_status_3",
        host: "master",
        command: r#"said=$(k3s no-such-command 2>&1); status=$?; echo $status $said; [ $status = 3 ] && [ "$said" = "No help topic for 'no-such-command'" ]"#,
    },
    Promise {
        name: "the_ports_of_a_node_belong_to_its_service",
        host: "worker",
        command: r"ss -Hltnp 'sport = :10250' | grep k3s-agent",
    },
    Promise {
        name: "a_server_command_passes_over_an_unknown_key",
        host: "master",
        command: r"echo 'no-such-key: x' >/tmp/unknown.yaml; said=$(K3S_CONFIG_FILE=/tmp/unknown.yaml k3s etcd-snapshot ls 2>&1); status=$?; rm /tmp/unknown.yaml
                   echo $status $said; [ $status = 0 ] && echo $said | grep -q 'no-such-key'",
    },
    Promise { name: "snapshots_are_saved_listed_deleted_and_pruned", host: "master", command: SNAPSHOTS },
    Promise {
        name: "the_state_of_secrets_encryption_is_told",
        host: "master",
        command: r#"said=$(k3s secrets-encrypt status -o json 2>/dev/null); echo "$said"; echo "$said" | tr -d ' \n' | grep -q '"enable":true' &&
                   echo "$said" | grep -q '"stage": "start"' && echo "$said" | grep -q '"activekey": "AES-CBC aescbckey"'"#,
    },
    Promise {
        name: "the_key_of_secrets_encryption_is_rotated",
        host: "master",
        command: r#"said=$(k3s secrets-encrypt rotate-keys) && [ "$said" = 'keys rotated, reencryption finished' ] || { echo "$said"; exit 1; }
                   k3s secrets-encrypt status -o json | grep '"stage": "reencrypt_finished"' && k3s secrets-encrypt status | grep -E '^ \*  +AES-CBC +aescbckey-[0-9]{4}-'"#,
    },
    Promise {
        name: "certificates_are_checked",
        host: "master",
        command: r#"k3s certificate check -o json 2>/dev/null | grep '"Filename":"client-admin.crt","Subject":"system:admin",.*"Status":"OK"'"#,
    },
    Promise {
        name: "the_add_ons_have_their_names_and_labels",
        host: "master",
        command: r"cd /; for label in k8s-app=kube-dns k8s-app=metrics-server app=local-path-provisioner; do
                     k3s kubectl -n kube-system get deployment,pod -l $label -o name | grep -q ^pod/ || { echo $label; exit 1; }; done
                   k3s kubectl get storageclass local-path -o jsonpath='{.metadata.annotations}' | grep -q is-default-class &&
                   k3s kubectl -n kube-system get service kube-dns -o jsonpath='{.spec.clusterIP}' | grep -x 10.43.0.10",
    },
    Promise {
        name: "each_add_on_is_available_with_one_pod_less_than_it_should_have",
        host: "master",
        command: r"each='{.items[*].spec.strategy.rollingUpdate.maxUnavailable}'; k3s kubectl -n kube-system get deployment coredns metrics-server local-path-provisioner -o jsonpath=$each | grep -x '1 1 1'",
    },
    Promise {
        name: "what_is_disabled_is_not_there",
        host: "master",
        command: r"! k3s kubectl get pods -A --no-headers | grep -E 'traefik|svclb'",
    },
    Promise {
        name: "the_unit_tells_systemd_when_it_is_up",
        host: "master",
        command: r"systemctl show k3s -p Type -p ActiveState -p NRestarts; [ $(systemctl show k3s -p Type --value) = notify ] && systemctl is-active k3s &&
                   journalctl -u k3s -o cat | grep -q 'k3s is up and running'",
    },
    Promise {
        name: "a_server_runs_a_network_policy_controller",
        host: "master",
        command: r"journalctl -u k3s -o cat | grep 'Starting network policy controller version'",
    },
    Promise {
        name: "an_agent_runs_a_network_policy_controller",
        host: "worker",
        command: r"journalctl -u k3s-agent -o cat | grep 'Starting network policy controller version'",
    },
    Promise {
        name: "a_network_policy_is_in_force_within_15_seconds_lets_in_whom_it_names_and_is_lifted_when_it_is_deleted",
        host: "master",
        command: NETWORK_POLICY,
    },
    Promise {
        name: "an_agent_tells_when_it_is_up",
        host: "worker",
        command: r"systemctl is-active k3s-agent && journalctl -u k3s-agent -o cat | grep -q 'k3s agent is up and running'",
    },
    Promise {
        name: "a_server_does_not_start_with_a_changed_file_and_makes_a_missing_one_again",
        host: "master",
        command: CHANGED_FILE,
    },
    Promise {
        name: "a_rotated_token_counts_from_the_next_start_which_says_first_that_it_is_starting",
        host: "master",
        command: TOKEN,
    },
    Promise {
        name: "a_server_with_another_token_of_agents_than_before_does_not_start_the_next_time_but_one",
        host: "master",
        command: OTHER_AGENT_TOKEN,
    },
    Promise { name: "a_snapshot_brings_the_cluster_back", host: "master", command: RESTORE },
];

/// Whoever asks at port 6443, by the user and the password that he gives.
const REFUSALS: &str = r#"
servers=$(sed 's/.*:://; s/.*://' /var/lib/rancher/k3s/server/token) agents=$(cat /etc/rancher/k3s/agent-token)
asked() { # STATUS PATH [USER:PASSWORD]
  said=$(curl -sk -o /tmp/answer -w '%{http_code}' ${3:+-u} ${3:+"$3"} "https://127.0.0.1:6443$2")
  [ "$said" = "$1" ] || { echo "$2 as ${3%%:*}: $said instead of $1"; exit 1; }
}
asked 403 /v1-k3s/readyz
asked 401 /v1-k3s/readyz node:wrong
tr -d ' \n' </tmp/answer | grep -F '{"kind":"Status","metadata":{},"status":"Failure","message":"notauthorized","reason":"Unauthorized","code":401}' || exit
journalctl -u k3s -o cat | grep -E 'level=error msg="Sending HTTP/[0-9.]+ 401 response to 127.0.0.1:[0-9]+: not authorized"' || exit
for path in config readyz apiservers server-ca.crt; do
  asked 200 /v1-k3s/$path "node:$agents"; asked 401 /v1-k3s/$path "node:$servers"
  asked 401 /v1-k3s/$path "server:$agents"; asked 403 /v1-k3s/$path "server:$servers"
done
for path in server-bootstrap encrypt/status; do
  asked 403 /v1-k3s/$path "node:$agents"; asked 401 /v1-k3s/$path "node:$servers"
  asked 401 /v1-k3s/$path "server:$agents"; asked 200 /v1-k3s/$path "server:$servers"
done
asked 403 /v1-k3s/token "node:$agents"; asked 405 /v1-k3s/token "server:$servers"
rm /tmp/answer
"#;

/// Everything on a worker by which it could ask: its token, as each user, and the certificates of all clients.
const WORKER: &str = r#"
url=https://10.77.0.10:6443/v1-k3s password=$(sed 's/.*:://; s/.*://' /etc/rancher/k3s/token); cd /var/lib/rancher/k3s/agent || exit
refused() { # PATH OPTION...
  path=$1; shift; said=$(curl -sk -o /dev/null -w '%{http_code}' "$@" $url/$path)
  case $said in 401 | 403) tried=$((tried + 1)) ;; *) echo "$path: $said"; exit 1 ;; esac
}
tried=0
for path in server-bootstrap encrypt/status; do
  refused $path; refused $path -u "node:$password"; refused $path -u "server:$password"; refused $path -u "server:$(cat /etc/rancher/node/password)"
  for key in client-*.key; do refused $path --cert "${key%.key}.crt" --key "$key"; done
done
echo $tried; [ $tried -ge 14 ]
"#;

const SNAPSHOTS: &str = r#"
snapshot() { k3s etcd-snapshot "$@" 2>/tmp/said; }
list() { snapshot ls -o json | tr -d ' \n'; }
wrong() { echo "$1"; cat /tmp/said; exit 1; }
cd /var/lib/rancher/k3s/server/db/snapshots || exit
[ -n "$(ls)" ] || list | grep -qF '"items":null' || wrong 'an empty list is no null'
grep -q 'Unknown flag --node-ip found in config.yaml' /tmp/said || wrong 'no word of the keys of the server'
[ -z "$(snapshot save --name promise)" ] && grep -qE 'Snapshot promise-master-[0-9]+ saved\.' /tmp/said || wrong 'not saved'
file=$(ls promise-master-*); size=$(stat -c %s "$file")
[ "$(stat -c %a "$file")" = 600 ] && [ $((size % 512)) = 32 ] || wrong "$size bytes"
[ "$(tail -c 32 "$file" | od -An -tx1 | tr -d ' \n')" = "$(head -c $((size - 32)) "$file" | sha256sum | cut -c1-64)" ] || wrong 'no sum at its end'
list | grep -qF "\"snapshotName\":\"$file\",\"nodeName\":\"master\",\"location\":\"file://$PWD/$file\"" || wrong 'not listed'
snapshot save --name packed --snapshot-compress && ls packed-master-*.zip || wrong 'not compressed'
snapshot delete "$file" packed-master-*.zip && grep -q "Snapshot $file deleted\." /tmp/said && ! ls promise-* packed-* 2>/dev/null || wrong 'not deleted'
snapshot delete no-such && grep -q 'Snapshot no-such not found\.' /tmp/said || wrong 'a missing one was deleted'
! snapshot save --etcd-token wrong && grep -q 'not authorized' /tmp/said || wrong 'a wrong token is accepted'
for i in 1 2; do snapshot save --name many || wrong 'not saved'; sleep 1; done
youngest=$(ls many-* | tail -n 1); snapshot prune --name many --snapshot-retention 1 && [ "$(ls many-*)" = "$youngest" ] || wrong 'not pruned'
rm many-* /tmp/said
"#;

/// What the following have in common: the server is stopped, and started again until it works.
macro_rules! with_restarts {
    ($script:literal) => {
        concat!(
            r#"
server=/var/lib/rancher/k3s/server
wrong() { echo "$1"; journalctl -u k3s -n 30 -o cat | cut -c1-200; exit 1; }
works() { # within two minutes
  for i in $(seq 120); do
    [ "$(k3s kubectl get nodes --no-headers 2>/dev/null | awk '$2 == "Ready"' | wc -l)" = 2 ] && systemctl is-active -q k3s && return; sleep 1
  done; wrong 'the server does not come back'
}
"#,
            $script
        )
    };
}

const CHANGED_FILE: &str = with_restarts!(
    r#"
file=$server/cred/encryption-config.json; systemctl stop k3s; cp -a $file /root/before; echo >>$file
systemctl start --no-block k3s
for i in $(seq 40); do journalctl -u k3s --since -1min -o cat | grep -F "level=fatal msg=\"$file newer than datastore and could cause a cluster outage." && break; sleep 1; done
[ $i -lt 40 ] || wrong 'it is not refused'
rm $file; works; cmp $file /root/before || wrong 'it is not as before'; rm /root/before
"#
);

/// Why a cluster that has none isn't given one.
const OTHER_AGENT_TOKEN: &str = with_restarts!(
    r#"
file=/etc/rancher/k3s/agent-token; cp -a $file /root/before; echo 88888888888888888888888888888888 >$file
timeout 120 systemctl restart k3s || wrong 'the next start is refused, too'
systemctl restart --no-block k3s
for i in $(seq 60); do journalctl -u k3s --since -1min -o cat | grep -F "level=fatal msg=\"$server/cred/passwd newer than datastore and could cause a cluster outage." && break; sleep 1; done
[ $i -lt 60 ] || wrong 'it is not refused'
cp -a /root/before $file && rm /root/before $server/cred/passwd; works; grep -qx $(cat $file),node,node,k3s:agent $server/cred/passwd || wrong 'the old one is lost'
"#
);

const TOKEN: &str = with_restarts!(
    r#"
old=$(sed 's/.*:://; s/.*://' $server/token); new=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
agents=$(cat /etc/rancher/k3s/agent-token)
asked() { curl -sk -o /dev/null -w '%{http_code}' -u "$1" "https://127.0.0.1:6443/v1-k3s/$2"; }
let_in() { # PASSWORD OTHER: of servers only the first one, and agents with theirs
  for i in $(seq 30); do said=$(asked server:$1 encrypt/status)/$(asked server:$2 encrypt/status)/$(asked node:$agents readyz)
    [ "$said" = 200/401/200 ] && return; sleep 1; done; wrong "$said"
}
rotate() { k3s token rotate --new-token "$1" | grep -F 'Token rotated, restart k3s nodes with new token' || wrong 'not rotated'; }
rotate $new; let_in $old $new; grep -q "::server:$new$" $server/token || wrong 'the file has the old one'
systemctl restart --no-block k3s
for i in $(seq 300); do curl -sk https://127.0.0.1:6443/ping | grep '"message": "starting"' && break; sleep 0.1; done
[ $i -lt 300 ] || wrong 'it never says that it is starting'
works; let_in $new $old; rotate $old; systemctl restart k3s; works; let_in $old $new
"#
);

const RESTORE: &str = with_restarts!(
    r#"
k3s etcd-snapshot save --name restore 2>/dev/null && k3s kubectl -n default create configmap later || exit
snapshot=$(ls $server/db/snapshots/restore-*); systemctl stop k3s
said=$(k3s server --cluster-reset --cluster-reset-restore-path="$snapshot" 2>&1) || { echo "$said" | tail -n 5; exit 1; }
echo "$said" | grep -F 'Managed etcd cluster membership has been reset, restart without --cluster-reset flag now.' || exit
ls -d $server/db/etcd-old-* $server/db/reset-flag && systemctl start k3s; works
! k3s kubectl -n default get configmap later 2>/dev/null || wrong 'the data is not that of the snapshot'
for i in $(seq 60); do [ -e $server/db/reset-flag ] || break; sleep 1; done; ! ls $server/db/reset-flag 2>/dev/null || exit
rm -r "$snapshot" $server/db/etcd-old-* $server/tls-*
"#
);

/// A server on the worker, and clients beside it and on the master: before, under and after a policy.
const NETWORK_POLICY: &str = r#"
kubectl() { k3s kubectl -n default "$@"; }
trap 'kubectl delete --now networkpolicy,pod -l test=policy >/dev/null 2>&1' EXIT
image=$(k3s kubectl -n kube-system get configmap local-path-config -o 'jsonpath={.data.helperPod\.yaml}' | sed -n 's/.*image: *"\{0,1\}\([^" ]*\).*/\1/p')
pod() { # NAME NODE
  kubectl apply -f - <<END || exit
{ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "$1", "labels": { "test": "policy", "app": "$1" } },
  "spec": { "nodeName": "$2", "terminationGracePeriodSeconds": 0, "tolerations": [{ "operator": "Exists" }],
    "containers": [{ "name": "pod", "image": "$image", "imagePullPolicy": "IfNotPresent",
      "command": ["sh", "-c", "mkdir -p /www && echo hello >/www/index.html && exec httpd -f -p 8080 -h /www"] }] } }
END
}
policy() { # FROM
  kubectl apply -f - <<END || exit
{ "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": { "name": "policy", "labels": { "test": "policy" } },
  "spec": { "podSelector": { "matchLabels": { "app": "server" } }, "policyTypes": ["Ingress"], "ingress": [$1] } }
END
}
pod server worker; pod near worker; pod far master
kubectl wait --for=condition=Ready pod -l test=policy --timeout=90s || exit
ip=$(kubectl get pod server -o 'jsonpath={.status.podIP}')
reaches() { [ "$(kubectl exec "$1" -- wget -q -T 2 -O - "http://$ip:8080/" 2>/dev/null)" = hello ]; }
within() { # TEXT COMMAND...
  text=$1 end=$(($(date +%s) + 15)); shift
  until "$@"; do [ "$(date +%s)" -lt "$end" ] || { echo "after 15 s $text"; exit 1; }; done
}
alone() { ! reaches near && ! reaches far; }
some() { reaches near && ! reaches far; }
all() { reaches near && reaches far; }
within 'the server is not reached without a policy' all
policy; within 'the server is reached in spite of a policy' alone
policy '{ "from": [{ "podSelector": { "matchLabels": { "app": "near" } } }] }'
within 'the policy does not let in exactly whom it names' some
kubectl delete networkpolicy policy; within 'the server is not reached after the policy was deleted' all
"#;

/// One test for each promise.
pub fn trials() -> Vec<Trial> {
    PROMISES
        .iter()
        .map(|promise| Trial::test(format!("k3s::{}", promise.name), move || kept(promise).map_err(Into::into)))
        .collect()
}

fn kept(promise: &Promise) -> Step {
    Lab::shared()?.exec(promise.host, promise.command).map(drop)
}
