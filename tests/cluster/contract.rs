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
                   for d in server agent; do [ $(stat -c %a $d) = 700 ] || { echo $d; exit 1; }; done
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
        name: "a_server_command_passes_over_an_unknown_key",
        host: "master",
        command: r"echo 'no-such-key: x' >/tmp/unknown.yaml; said=$(K3S_CONFIG_FILE=/tmp/unknown.yaml k3s etcd-snapshot ls 2>&1); status=$?; rm /tmp/unknown.yaml
                   echo $status $said; [ $status = 0 ] && echo $said | grep -q 'no-such-key'",
    },
    Promise {
        name: "a_snapshot_is_saved_and_listed",
        host: "master",
        command: r#"said=$(k3s etcd-snapshot save --name promise 2>&1) && echo "$said" | grep -qE 'Snapshot promise-master-[0-9]+ saved\.' &&
                   k3s etcd-snapshot ls -o json 2>/dev/null | tr -d ' \n' | grep -q '"snapshotName":"promise-master-' && rm /var/lib/rancher/k3s/server/db/snapshots/promise-*"#,
    },
    Promise {
        name: "the_state_of_secrets_encryption_is_told",
        host: "master",
        command: r#"said=$(k3s secrets-encrypt status -o json 2>/dev/null); echo "$said"; echo "$said" | tr -d ' \n' | grep -q '"enable":true' &&
                   echo "$said" | tr -d ' \n' | grep -q '"stage":"start"'"#,
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
];

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
