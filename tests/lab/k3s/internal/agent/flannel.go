package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/flannel-io/flannel/pkg/backend"
	_ "github.com/flannel-io/flannel/pkg/backend/vxlan" // registers the backend
	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/subnet/kube"
	"github.com/flannel-io/flannel/pkg/trafficmngr/iptables"
	"github.com/sirupsen/logrus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"k3srun.test/lab/k3s/internal/hostnet"
	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/process"
)

const iptablesResyncSeconds = 60

// subnetDelay is how long flannel takes in k3s until the CNI plugin finds its file. The kubelet is ready before that: pods
// that come meanwhile fail, and are tried again a quarter of a minute later.
const subnetDelay = time.Second

// startFlannel makes the overlay network and keeps it up to date with the other nodes.
func (n *Node) startFlannel(group *process.Group, client kubernetes.Interface, iface *net.Interface) error {
	ctx := group.Context()
	logrus.Infof("Starting flannel with backend %s", n.config.FlannelBackend)
	if err := n.awaitPodCIDR(ctx, client); err != nil {
		return err
	}
	address, err := hostnet.FirstIPv4(iface)
	if err != nil {
		return err
	}
	logrus.Infof("The interface %s with ipv4 address %s will be used by flannel", iface.Name, address)

	// The library takes the node's name from the environment only.
	if err := os.Setenv("NODE_NAME", n.name); err != nil {
		return err
	}
	manager, err := kube.NewSubnetManager(ctx, "", n.opts.Agent("k3scontroller.kubeconfig"), "flannel.alpha.coreos.com", n.flannelConf(), false)
	if err != nil {
		return fmt.Errorf("flannel: %w", err)
	}
	config, err := manager.GetNetworkConfig(ctx)
	if err != nil {
		return err
	}
	external := &backend.ExternalInterface{Iface: iface, IfaceAddr: address, ExtAddr: address}
	driver, err := backend.NewManager(ctx, manager, external).GetBackend(config.BackendType)
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	network, err := driver.RegisterNetwork(ctx, &wait, config)
	if err != nil {
		return process.EndedError{Name: "flannel", Err: fmt.Errorf("failed to register flannel network: %w", err)}
	}
	time.Sleep(subnetDelay)

	traffic := &iptables.IPTablesManager{}
	if err := traffic.Init(ctx); err != nil {
		return fmt.Errorf("flannel: %w", err)
	}
	lease := network.Lease()
	if err := traffic.SetupAndEnsureMasqRules(ctx, config.Network, lease.Subnet, config.Network,
		ip.IP6Net{}, ip.IP6Net{}, ip.IP6Net{}, lease, iptablesResyncSeconds, false); err != nil {
		return fmt.Errorf("flannel: %w", err)
	}
	traffic.SetupAndEnsureForwardRules(ctx, config.Network, ip.IP6Net{}, iptablesResyncSeconds)
	if err := manager.HandleSubnetFile(layout.SubnetFile, config, true, lease.Subnet, lease.IPv6Subnet, network.MTU()); err != nil {
		return err
	}
	logrus.Infof("Wrote flannel subnet file to %s", layout.SubnetFile)
	logrus.Info("Running flannel backend.")
	group.Go("flannel", func(ctx context.Context) error {
		network.Run(ctx)
		return nil
	})
	return nil
}

// awaitPodCIDR waits until the controller manager has given the node its part of the pod network.
func (n *Node) awaitPodCIDR(ctx context.Context, client kubernetes.Interface) error {
	err := retry(ctx, nodePause, func() error {
		node, err := client.CoreV1().Nodes().Get(ctx, n.name, metav1.GetOptions{})
		if err == nil && node.Spec.PodCIDR == "" {
			err = errors.New("no PodCIDR yet")
		}
		return err
	}, silently)
	if err == nil {
		logrus.Infof("Flannel found PodCIDR assigned for node %s", n.name)
	}
	return err
}
