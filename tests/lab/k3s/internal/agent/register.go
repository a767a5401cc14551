package agent

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"k3srun.test/lab/k3s/internal/nodeconfig"
)

// register waits until the kubelet has made the Node, gives it labels and annotations, and waits for its pod range.
func (n *Node) register(ctx context.Context, client kubernetes.Interface) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": n.labels(), "annotations": n.annotations()}})
	if err != nil {
		return err
	}
	told := false
	return n.poll(ctx, func() bool {
		node, err := client.CoreV1().Nodes().Get(ctx, n.name, metav1.GetOptions{})
		if err != nil {
			return false
		}
		if !told {
			_, err = client.CoreV1().Nodes().Patch(ctx, n.name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
			if err != nil {
				logrus.Infof("Failed to set annotations and labels on node %s: %v", n.name, err)
				return false
			}
			told = true
			logrus.Infof("Annotations and labels have been set successfully on node: %s", n.name)
		}
		return node.Spec.PodCIDR != ""
	})
}

func (n *Node) poll(ctx context.Context, done func() bool) error {
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
	return nil
}

// labels are added or changed at every start, and never removed.
func (n *Node) labels() map[string]string {
	labels := map[string]string{}
	for _, label := range n.opts.Labels {
		key, value, _ := strings.Cut(label, "=")
		labels[key] = value
	}
	if n.isServer {
		labels["node-role.kubernetes.io/control-plane"] = "true"
		labels["node-role.kubernetes.io/etcd"] = "true"
	}
	return labels
}

func (n *Node) annotations() map[string]string {
	annotations := nodeconfig.Annotations(n.nodeArgs)
	annotations["k3s.io/hostname"] = n.name
	annotations["k3s.io/internal-ip"] = n.ip.String()
	if len(n.opts.ExternalIPs) > 0 {
		annotations["k3s.io/external-ip"] = strings.Join(n.opts.ExternalIPs, ",")
	}
	if n.isServer {
		annotations["etcd.k3s.cattle.io/node-address"] = n.ip.String()
		if name, err := os.ReadFile(n.opts.Server("db", "etcd", "name")); err == nil {
			annotations["etcd.k3s.cattle.io/node-name"] = strings.TrimSpace(string(name))
		}
	}
	return annotations
}
