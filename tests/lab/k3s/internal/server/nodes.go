package server

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/sirupsen/logrus"

	"k3srun.test/lab/k3s/internal/nodepassword"
)

// resync repeats the update, because the ConfigMap may come after the nodes.
const resync = 10 * time.Second

// watchNodes keeps the names of the nodes in the cluster's DNS, and forgets the password of a deleted node.
func watchNodes(ctx context.Context, client kubernetes.Interface) error {
	factory := informers.NewSharedInformerFactory(client, resync)
	nodes := factory.Core().V1().Nodes()
	update := func() {
		if err := updateNodeHosts(ctx, client, nodes.Informer().GetStore()); err != nil && ctx.Err() == nil {
			logrus.Debugf("NodeHosts: %v", err)
		}
	}
	_, err := nodes.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { update() },
		UpdateFunc: func(any, any) { update() },
		DeleteFunc: func(object any) {
			if node, ok := object.(*corev1.Node); ok {
				if err := nodepassword.Forget(ctx, client, node.Name); err != nil {
					logrus.Errorf("Failed to remove node password of %s: %v", node.Name, err)
				}
			}
			update()
		},
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	<-ctx.Done()
	return nil
}

func updateNodeHosts(ctx context.Context, client kubernetes.Interface, store cache.Store) error {
	var lines []string
	for _, object := range store.List() {
		node, ok := object.(*corev1.Node)
		if !ok {
			continue
		}
		for _, address := range node.Status.Addresses {
			if address.Type == corev1.NodeInternalIP {
				lines = append(lines, fmt.Sprintf("%s %s", address.Address, node.Name))
			}
		}
	}
	sort.Strings(lines)
	hosts := strings.Join(lines, "\n") + "\n"

	maps := client.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	coredns, err := maps.Get(ctx, "coredns", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil || coredns.Data["NodeHosts"] == hosts {
		return err
	}
	coredns.Data["NodeHosts"] = hosts
	_, err = maps.Update(ctx, coredns, metav1.UpdateOptions{})
	return err
}
