package server

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"k3srun.test/lab/k3s/internal/control"
	"k3srun.test/lab/k3s/internal/encryption"
	"k3srun.test/lab/k3s/internal/events"
	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/nodepassword"
	"k3srun.test/lab/k3s/internal/options"
)

// voterDelay is how long after its start a member of etcd becomes a voter in the eyes of the cluster.
const voterDelay = 10 * time.Second

// presentSelf tells the cluster what this server's node is, as soon as there is a Node: a kubelet may not say so of itself.
func presentSelf(ctx context.Context, client kubernetes.Interface, opts options.Server, p prepared) error {
	if err := untilDone(ctx, func() error { return registerPassword(ctx, client, p.nodeName) }); err != nil {
		return err
	}
	if err := untilDone(ctx, func() error { return labelSelf(ctx, client, opts, p) }); err != nil {
		return err
	}
	logrus.Infof("Labels and annotations have been set successfully on node: %s", p.nodeName)
	if err := control.ForgetReset(opts); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(voterDelay):
	}
	return untilDone(ctx, func() error { return setVoter(ctx, client, p.nodeName) })
}

func untilDone(ctx context.Context, attempt func() error) error {
	for attempt() != nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
	return nil
}

// registerPassword makes up for the check by the file of this host, with which the node was let in.
func registerPassword(ctx context.Context, client kubernetes.Interface, name string) error {
	own, err := os.ReadFile(layout.NodePassword)
	if err != nil {
		return err
	}
	if err := nodepassword.Ensure(ctx, client, name, strings.TrimSpace(string(own))); err != nil {
		logrus.Errorf("Failed to register the password of node %s: %v", name, err)
		return err
	}
	recorder, flush := events.Recorder(client, "k3s-supervisor")
	defer flush()
	recorder.Event(events.Node(name), corev1.EventTypeNormal, "NodePasswordValidationComplete", "Deferred node password secret validation complete")
	return nil
}

func labelSelf(ctx context.Context, client kubernetes.Interface, opts options.Server, p prepared) error {
	member, err := control.MemberName(opts.Layout)
	if err != nil {
		return err
	}
	annotations := map[string]string{
		"etcd.k3s.cattle.io/node-address": p.nodeIP.String(), "etcd.k3s.cattle.io/node-name": member,
	}
	if hash := encryption.Hash(opts.Layout); hash != "" {
		annotations["k3s.io/encryption-config-hash"] = hash
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"labels":      map[string]string{"node-role.kubernetes.io/control-plane": "true", "node-role.kubernetes.io/etcd": "true"},
		"annotations": annotations,
	}})
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Nodes().Patch(ctx, p.nodeName, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	return err
}

// setVoter adds the condition that says so.
func setVoter(ctx context.Context, client kubernetes.Interface, name string) error {
	patch := fmt.Sprintf(`{"status":{"conditions":[{"type":"EtcdIsVoter","status":"True","reason":"MemberNotLearner",`+
		`"message":"Node is a voting member of the etcd cluster","lastTransitionTime":%[1]q,"lastHeartbeatTime":%[1]q}]}}`,
		time.Now().UTC().Format(time.RFC3339))
	_, err := client.CoreV1().Nodes().Patch(ctx, name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
	return err
}
