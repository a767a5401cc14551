package agent

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"

	"github.com/flannel-io/flannel/pkg/backend"
	_ "github.com/flannel-io/flannel/pkg/backend/vxlan" // registers the backend
	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/subnet/kube"
	"github.com/flannel-io/flannel/pkg/trafficmngr/iptables"
	"github.com/sirupsen/logrus"

	"k3srun.test/lab/k3s/internal/hostnet"
	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/process"
)

const iptablesResyncSeconds = 60

// startFlannel makes the overlay network and keeps it up to date with the other nodes.
func (n *Node) startFlannel(group *process.Group) error {
	ctx := group.Context()
	iface, err := hostnet.FlannelInterface(n.opts.FlannelIface)
	if err != nil {
		return err
	}
	address, err := n.flannelAddress(iface)
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
		return fmt.Errorf("flannel: %w", err)
	}

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
	group.Go("flannel", func(ctx context.Context) error {
		network.Run(ctx)
		return nil
	})
	return nil
}

// flannelAddress is the node's address if the interface has it, else the interface's own.
func (n *Node) flannelAddress(iface *net.Interface) (net.IP, error) {
	addrs, err := iface.Addrs()
	if err != nil {
		return nil, err
	}
	var first net.IP
	for _, addr := range addrs {
		network, ok := addr.(*net.IPNet)
		if !ok || network.IP.To4() == nil {
			continue
		}
		if network.IP.Equal(n.ip) {
			return n.ip, nil
		}
		if first == nil {
			first = network.IP
		}
	}
	if first == nil {
		return nil, fmt.Errorf("interface %s does not have a correct global unicast ip", iface.Name)
	}
	return first, nil
}
