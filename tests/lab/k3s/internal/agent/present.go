package agent

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/sirupsen/logrus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"k3srun.test/lab/k3s/internal/nodeconfig"
)

// present waits until the kubelet has made the Node, and gives it labels and annotations with the rights of the kubelet: the
// API server refuses labels that no node may give itself.
func (n *Node) present(ctx context.Context) error {
	client, err := clientFor(n.opts.Agent("kubelet.kubeconfig"))
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": n.labels(), "annotations": n.annotations()}})
	if err != nil {
		return err
	}
	err = retry(ctx, nodePause, func() error {
		_, err := client.CoreV1().Nodes().Patch(ctx, n.name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
		return err
	}, func(err error) {
		if !apierrors.IsNotFound(err) {
			logrus.Infof("Failed to set annotations and labels on node %s: %v", n.name, err)
		}
	})
	if err == nil {
		logrus.Infof("Annotations and labels have been set successfully on node: %s", n.name)
	}
	return err
}

// labels are added or changed at every start, and never removed.
func (n *Node) labels() map[string]string {
	labels := map[string]string{}
	for _, label := range n.opts.Labels {
		key, value, _ := strings.Cut(label, "=")
		labels[key] = value
	}
	return labels
}

func (n *Node) annotations() map[string]string {
	annotations := nodeconfig.Annotations(n.nodeArgs)
	annotations[nodeconfig.Hostname] = n.name
	annotations[nodeconfig.InternalIP] = n.ip.String()
	if len(n.opts.ExternalIPs) > 0 {
		annotations[nodeconfig.ExternalIP] = strings.Join(n.opts.ExternalIPs, ",")
	}
	return annotations
}
