//! The cluster that bootstrap made, with pods that publish ports in every way there is. One test at a time has it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::place::{Place, console};
use crate::support::lab::{Lab, Step};

/// On each node a web server, published by hostPort, NodePort and external addresses. The tests' expectations know them.
const PODS: &str = r#"
apiVersion: v1
kind: Namespace
metadata: { name: published }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: web, namespace: published }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 0
      automountServiceAccountToken: false
      tolerations: [{ operator: Exists }]
      containers:
      - name: web
        image: IMAGE
        imagePullPolicy: IfNotPresent
        command: ["sh", "-c", "mkdir -p /www && echo $HOSTNAME >/www/index.html && exec httpd -f -p 8080 -h /www"]
        readinessProbe: { httpGet: { port: 8080, path: / }, periodSeconds: 1 }
        livenessProbe: { httpGet: { port: 8080, path: / }, periodSeconds: 1 }
        ports:
        - { containerPort: 8080, hostPort: 80 }
        - { containerPort: 8080, hostPort: 443 }
        - { containerPort: 8080, hostPort: 9999 }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: published }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: outside, namespace: published }
spec:
  type: NodePort
  selector: { app: web }
  externalIPs: [203.0.113.10, 203.0.113.11]
  ports: [{ port: 8888, targetPort: 8080, nodePort: 30080 }]
"#;

/// The cluster, for one test.
pub type Turn = MutexGuard<'static, Option<Step<Cluster>>>;

static CLUSTER: Mutex<Option<Step<Cluster>>> = Mutex::new(None);

/// Two hosts with a cluster and its pods.
#[derive(Clone)]
pub struct Cluster {
    /// Where they are.
    pub lab: std::sync::Arc<Lab>,
    /// The pods' addresses: on the master, on the worker.
    pub pods: [String; 2],
}

/// Waits for the cluster, which the first one makes, and holds it until the second value is dropped.
pub fn cluster() -> Step<(Cluster, Turn)> {
    let mut turn = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = turn.get_or_insert_with(make).clone()?;
    Ok((cluster, turn))
}

fn make() -> Step<Cluster> {
    let lab = Lab::with_old_debian("cluster")?;
    lab.bootstrap(&[])?;
    let image = "k3s kubectl -n kube-system get configmap local-path-config -o jsonpath='{.data.helperPod\\.yaml}' |
                 sed -n 's/.*image: *//p' | tr -d '\"'";
    let pods = PODS.replace("IMAGE", console(&lab, "master", image)?.trim());
    console(&lab, "master", &format!("k3s kubectl apply -f - <<'END'\n{pods}\nEND"))?;
    console(&lab, "master", WAIT)?;
    let pods = [pod_on(&lab, "master")?, pod_on(&lab, "worker")?];
    Ok(Cluster { lab: lab.into(), pods })
}

/// Ends when all pods of `PODS` and k3s's own are ready.
const WAIT: &str = "k3s kubectl -n published rollout status daemonset web --timeout=90s &&
    k3s kubectl -n kube-system rollout status deployment --timeout=90s";

/// The address of the node's pod. After a reboot it has none for a while, whatever the rollout says.
fn pod_on(lab: &Lab, node: &str) -> Step<String> {
    let ask = format!(
        "for i in $(seq 60); do
           address=$(k3s kubectl -n published get pods -l app=web --field-selector spec.nodeName={node} -o jsonpath='{{.items[0].status.podIP}}')
           [ -z \"$address\" ] || break
           sleep 1
         done
         echo \"$address\""
    );
    let address = console(lab, "master", &ask)?;
    let address = address.trim();
    if address.is_empty() { Err(format!("there is no pod on {node}")) } else { Ok(address.to_owned()) }
}

/// Takes the firewall away, which nothing but its own service could bring back.
pub const GONE: &str = "systemctl stop firewall-k3srun-watch && nft delete table inet k3srun";

/// Brings it back, with the copy that nobody else can remove.
pub const BACK: &str = "systemctl restart firewall-k3srun firewall-k3srun-watch &&
    for i in $(seq 50); do nft list table inet k3srun_held >/dev/null 2>&1 && exit; sleep 0.1; done; exit 1";

impl Cluster {
    /// A place of its lab.
    pub fn at(&self, name: &str) -> Place {
        Place::of(&self.lab, name)
    }

    /// The pod on a node, as a place.
    pub fn pod(&self, node: &str) -> Step<Place> {
        Place::pod(&self.lab, node, self.pod_address(node))
    }

    /// Its address.
    pub fn pod_address(&self, node: &str) -> &str {
        &self.pods[usize::from(node == "worker")]
    }

    /// Runs kubectl on the master.
    pub fn kubectl(&self, command: &str) -> Step<String> {
        console(&self.lab, "master", &format!("k3s kubectl {command}")).map(|said| said.trim().to_owned())
    }

    /// What a web server says to the pod on a node.
    pub fn fetch(&self, node: &str, url: &str) -> Step<String> {
        let list = format!("-n published get pods -l app=web --field-selector spec.nodeName={node} -o name");
        let name = self.kubectl(&list)?;
        self.kubectl(&format!("-n published exec {name} -- wget -q -T 3 -O - {url}"))
    }

    /// Takes the firewall of a host away while something is done.
    pub fn without_firewall<T>(&self, host: &str, action: impl FnOnce() -> Step<T>) -> Step<T> {
        console(&self.lab, host, GONE)?;
        let done = action();
        console(&self.lab, host, BACK)?;
        done
    }

    /// Waits until the cluster serves again, as after a reboot.
    pub fn settle(&mut self) -> Step {
        let nodes = "for i in $(seq 120); do
            [ \"$(k3s kubectl get nodes --no-headers 2>/dev/null | awk '$2 == \"Ready\"' | wc -l)\" = 2 ] && exit; sleep 1; done; exit 1";
        console(&self.lab, "master", nodes)?;
        console(&self.lab, "master", WAIT)?;
        self.pods = [pod_on(&self.lab, "master")?, pod_on(&self.lab, "worker")?];
        Ok(())
    }
}
