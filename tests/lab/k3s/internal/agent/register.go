package agent

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"os"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
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
	args := maskSecrets(n.nodeArgs)
	env := nodeEnv()
	annotations := map[string]string{
		"k3s.io/hostname":         n.name,
		"k3s.io/internal-ip":      n.ip.String(),
		"k3s.io/node-args":        asJSON(args),
		"k3s.io/node-env":         asJSON(env),
		"k3s.io/node-config-hash": configHash(asJSON(args) + asJSON(env)),
	}
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

// maskSecrets splits "--name=value" and hides the values of the flags that are secret.
func maskSecrets(args []string) []string {
	secret := map[string]bool{"--token": true, "-t": true, "--agent-token": true}
	var masked []string
	for i := 0; i < len(args); i++ {
		name, value, found := strings.Cut(args[i], "=")
		if !strings.HasPrefix(name, "-") {
			masked = append(masked, args[i])
			continue
		}
		if !found && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			i++
			value, found = args[i], true
		}
		masked = append(masked, name)
		if secret[name] {
			value = "********"
		}
		if found {
			masked = append(masked, value)
		}
	}
	return masked
}

func nodeEnv() map[string]string {
	env := map[string]string{}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "K3S_") {
			continue
		}
		if strings.Contains(name, "TOKEN") {
			value = "********"
		}
		env[name] = value
	}
	return env
}

func configHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base32.StdEncoding.EncodeToString(sum[:])
}

func asJSON(value any) string {
	if list, ok := value.([]string); ok {
		value = append([]string{}, list...)
	}
	content, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(content)
}
