// Package netpol puts NetworkPolicies in force on a node: the controller of kube-router, as in k3s.
package netpol

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"github.com/cloudnativelabs/kube-router/v2/pkg/utils"
	"github.com/cloudnativelabs/kube-router/v2/pkg/version"
	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"k3srun.test/lab/k3s/internal/hostnet"
	"k3srun.test/lab/k3s/internal/process"
)

// Settings are what the controller has to know of the cluster and the node.
type Settings struct {
	NodeName, ServiceCIDR string
	// NodePortRange is written with a dash.
	NodePortRange string
}

// Start follows the cluster's policies from now on. A host without ipset gets none: this is told and is no error.
func Start(group *process.Group, client kubernetes.Interface, settings Settings) error {
	sets, err := utils.NewIPSet(false)
	if err == nil {
		err = sets.Save()
	}
	if err != nil {
		logrus.Warnf("Skipping network policy controller start, ipset unavailable: %v", err)
		return nil
	}
	if err := checkAddress(group.Context(), client, settings.NodeName); err != nil {
		return process.EndedError{Err: fmt.Errorf("failed to start networking: unable to initialize network policy controller: %w", err)}
	}
	config := options.NewKubeRouterConfig()
	config.EnableIPv4 = true
	config.RunFirewall = true
	config.ClusterIPCIDRs = []string{settings.ServiceCIDR}
	config.NodePortRange = strings.ReplaceAll(settings.NodePortRange, "-", ":")
	config.HostnameOverride = settings.NodeName

	ctx := group.Context()
	factory := informers.NewSharedInformerFactory(client, 0)
	pods, namespaces := factory.Core().V1().Pods().Informer(), factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())

	tables, addressSets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		return fmt.Errorf("network policy controller: %w", err)
	}
	controller, err := netpol.NewNetworkPolicyController(client, config, pods, policies, namespaces, &sync.Mutex{}, tables, addressSets)
	if err != nil {
		return fmt.Errorf("network policy controller: %w", err)
	}
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods: controller.PodEventHandler, namespaces: controller.NamespaceEventHandler, policies: controller.NetworkPolicyEventHandler,
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fmt.Errorf("network policy controller: %w", err)
		}
	}
	logrus.Infof("Starting network policy controller version %s, %s", version.Version, runtime.Version())
	group.Go("network-policy-controller", func(ctx context.Context) error {
		run(ctx, controller)
		return nil
	})
	return nil
}

// checkAddress makes sure that the node in the datastore is this host: of one that was restored elsewhere it isn't.
func checkAddress(ctx context.Context, client kubernetes.Interface, name string) error {
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, address := range node.Status.Addresses {
		if address.Type != corev1.NodeInternalIP {
			continue
		}
		has, err := hostnet.HasAddress(net.ParseIP(address.Address))
		if err == nil && !has {
			err = errors.New("failed to find interface with specified node ip")
		}
		if err != nil {
			return fmt.Errorf("error getting node subnet: %w", err)
		}
	}
	return nil
}

// run returns when ctx ends. The controller reports each of its turns, and waits until somebody has heard it.
func run(ctx context.Context, controller *netpol.NetworkPolicyController) {
	heartbeats := make(chan *healthcheck.ControllerHeartbeat)
	go func() {
		for {
			select {
			case <-heartbeats:
			case <-ctx.Done():
				return
			}
		}
	}()
	var wait sync.WaitGroup
	wait.Add(1)
	controller.Run(heartbeats, ctx.Done(), &wait)
}
