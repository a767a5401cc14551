//! Each check of `verify` fails when its subject is broken, and passes again when it is mended.

use libtest_mimic::Trial;

use crate::support::lab::{Lab, Step};

/// How to break the subject of a check on the master, and how to mend it.
struct Breakage {
    check: &'static str,
    place: &'static str,
    break_it: &'static str,
    mend_it: &'static str,
    says: &'static str,
}

const KUBECTL: &str = "kubectl() { k3s kubectl \"$@\"; }\n";

const BREAKAGES: &[Breakage] = &[
    Breakage {
        check: "nodes",
        place: "master",
        break_it: "kubectl cordon worker",
        mend_it: "kubectl uncordon worker",
        says: "worker is cordoned",
    },
    Breakage {
        check: "labels",
        place: "master",
        break_it: "kubectl label node worker node-role-",
        mend_it: "kubectl label node worker node-role=worker",
        says: "worker has the label node-role=, not worker",
    },
    Breakage {
        check: "taint",
        place: "master",
        break_it: "kubectl taint node master node-role=master:NoSchedule-",
        mend_it: "kubectl taint node master node-role=master:NoSchedule",
        says: "master lacks the taint node-role=master:NoSchedule",
    },
    Breakage {
        check: "system",
        place: "master",
        break_it: "kubectl -n kube-system scale deployment metrics-server --replicas=0 &&
                   kubectl -n kube-system wait --for=delete pod -l k8s-app=metrics-server --timeout=60s",
        mend_it: "kubectl -n kube-system scale deployment metrics-server --replicas=1 &&
                  kubectl -n kube-system rollout status deployment metrics-server --timeout=90s",
        says: "metrics-server is scaled to 0",
    },
    Breakage {
        check: "master-pods",
        place: "master",
        break_it: "kubectl -n default apply -f - <<'END'
{ \"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": { \"name\": \"stray\" },
  \"spec\": { \"nodeName\": \"master\", \"containers\": [{ \"name\": \"stray\", \"image\": \"none\", \"imagePullPolicy\": \"Never\" }] } }
END",
        mend_it: "kubectl -n default delete pod stray --grace-period=0 --force",
        says: "the pod default/stray runs on master",
    },
    Breakage {
        check: "namespaces",
        place: "master",
        break_it: "kubectl delete namespace monitoring --timeout=60s",
        mend_it: "kubectl create namespace monitoring",
        says: "the namespace monitoring is missing",
    },
    Breakage {
        check: "datastore",
        place: "master",
        break_it: "touch /var/lib/rancher/k3s/server/db/state.db",
        mend_it: "rm /var/lib/rancher/k3s/server/db/state.db",
        says: "the datastore is not the embedded etcd",
    },
    Breakage {
        check: "firewall",
        place: "worker",
        break_it: "nft add rule inet k3srun arriving tcp dport 9999 accept",
        mend_it: "systemctl reload firewall-k3srun",
        says: "the firewall was changed by hand",
    },
    Breakage {
        check: "network",
        place: "worker",
        break_it: "nft 'add table inet test; add chain inet test in { type filter hook input priority -300; };
                   add rule inet test in udp dport 8472 drop'",
        mend_it: "nft delete table inet test",
        says: "over VXLAN",
    },
];

/// One test for each check.
pub fn trials() -> Vec<Trial> {
    let broken = BREAKAGES.iter().map(|breakage| {
        let name = format!("verify_notices_when_{}_is_broken", breakage.check.replace('-', "_"));
        Trial::test(name, move || notices(breakage).map_err(Into::into))
    });
    let expected = Trial::test("verify_notices_when_addresses_is_broken", || other_network().map_err(Into::into));
    let secrets = Trial::test("verify_notices_when_secrets_is_broken", || unencrypted().map_err(Into::into));
    let tunnel = Trial::test("verify_notices_when_api_tunnel_is_broken", || no_way().map_err(Into::into));
    broken.chain([expected, secrets, tunnel]).collect()
}

fn notices(breakage: &Breakage) -> Step {
    let lab = Lab::shared()?;
    lab.exec(breakage.place, &format!("{KUBECTL}{}", breakage.break_it))?;
    let while_broken = lab.verify(&[], &[breakage.check]);
    lab.exec(breakage.place, &format!("{KUBECTL}{}", breakage.mend_it))?;
    fails_with(while_broken?, breakage.says)?;
    match lab.verify(&[], &[breakage.check])? {
        (0, _) => Ok(()),
        (_, said) => Err(format!("still broken after it was mended:\n{said}")),
    }
}

/// Without the API there is nothing that could be looked at.
fn no_way() -> Step {
    let lab = Lab::shared()?;
    let forbid = "echo 'AllowTcpForwarding no' >/etc/ssh/sshd_config.d/00-test.conf && systemctl reload ssh";
    lab.exec("master", forbid)?;
    let while_broken = lab.verify(&[], &["api-tunnel"]);
    lab.exec("master", "rm /etc/ssh/sshd_config.d/00-test.conf && systemctl reload ssh")?;
    match while_broken? {
        (4, said) if said.contains("AllowTcpForwarding local") => {}
        (status, said) => return Err(format!("verify ended with {status}:\n{said}")),
    }
    match lab.verify(&[], &["api-tunnel"])? {
        (0, _) => Ok(()),
        (_, said) => Err(format!("still broken after it was mended:\n{said}")),
    }
}

/// The pod network of a live node can't be changed: so it is another one that is expected.
fn other_network() -> Step {
    let verdict = Lab::shared()?.verify(&["--set", "cluster.pod_cidr=10.99.0.0/16"], &["addresses"])?;
    fails_with(verdict, "not a /24 of 10.99.0.0/16")
}

/// With encryption disabled, new Secrets are written as they are.
fn unencrypted() -> Step {
    let lab = Lab::shared()?;
    let switch = |to: &str| {
        lab.exec(
            "master",
            &format!(
                "k3s secrets-encrypt {to} && systemctl restart k3s &&
                 for i in $(seq 60); do k3s kubectl get --raw=/readyz >/dev/null 2>&1 && exit 0; sleep 1; done; exit 1"
            ),
        )
    };
    switch("disable")?;
    let while_broken = lab.verify(&[], &["secrets"]);
    switch("enable")?;
    fails_with(while_broken?, "a Secret can be read in etcd's files")
}

fn fails_with((status, said): (i32, String), expected: &str) -> Step {
    if status == 2 && said.contains(expected) {
        Ok(())
    } else {
        Err(format!("verify ended with {status} and does not say `{expected}`:\n{said}"))
    }
}
