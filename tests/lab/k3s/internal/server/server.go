// Package server is `k3s server`: the supervisor, the control plane, the add-ons, and a node on the same host.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/sirupsen/logrus"
	"k8s.io/client-go/kubernetes"

	"k3srun.test/lab/k3s/internal/addons"
	"k3srun.test/lab/k3s/internal/agent"
	"k3srun.test/lab/k3s/internal/authorities"
	"k3srun.test/lab/k3s/internal/control"
	"k3srun.test/lab/k3s/internal/credentials"
	"k3srun.test/lab/k3s/internal/hostnet"
	"k3srun.test/lab/k3s/internal/join"
	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/notify"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/process"
	"k3srun.test/lab/k3s/internal/supervisor"
	"k3srun.test/lab/k3s/internal/token"
	"k3srun.test/lab/k3s/internal/version"
)

// Run starts a server and returns when it has ended. args is the merged command line.
func Run(ctx context.Context, opts options.Server, systemd notify.Socket, args []string) error {
	logrus.Infof("Starting k3s %s (%s)", version.Version, version.Commit)
	if err := complete(&opts); err != nil {
		return err
	}
	group := process.NewGroup(ctx)
	if err := start(group, opts, systemd, args); err != nil {
		cause := context.Cause(group.Context())
		group.Shutdown(err)
		_ = group.Wait()
		if cause != nil {
			return cause
		}
		return err
	}
	return group.Wait()
}

// complete replaces what was left open by what follows from the host.
func complete(opts *options.Server) error {
	if opts.ServerURL != "" {
		return errors.New("this distribution has no second server: remove the option server")
	}
	if opts.FlannelBackend != "vxlan" && opts.FlannelBackend != "none" {
		return fmt.Errorf("flannel-backend %s is not part of this distribution (vxlan, none)", opts.FlannelBackend)
	}
	nodeIP, err := hostnet.NodeIP(opts.IPs, opts.FlannelIface)
	if err != nil {
		return err
	}
	opts.IPs = []string{nodeIP.String()}
	if opts.AdvertiseAddress == "" {
		opts.AdvertiseAddress = nodeIP.String()
		if len(opts.ExternalIPs) > 0 {
			opts.AdvertiseAddress = opts.ExternalIPs[0]
		}
	}
	if opts.ClusterDNS == "" {
		dns, err := hostnet.NthIP(opts.ServiceCIDR, 10)
		if err != nil {
			return err
		}
		opts.ClusterDNS = dns.String()
	}
	return nil
}

func start(group *process.Group, opts options.Server, systemd notify.Socket, args []string) error {
	ctx := group.Context()
	name, err := agent.NodeName(opts.Node)
	if err != nil {
		return err
	}
	nodeIP := net.ParseIP(opts.IPs[0])
	if err := layout.MakeDirs(0o755, opts.DataDir); err != nil {
		return err
	}
	cas, err := authorities.Ensure(opts, name, nodeIP)
	if err != nil {
		return err
	}
	passwords, err := credentials.Resolve(opts)
	if err != nil {
		return err
	}
	front := supervisor.New(opts, cas, passwords, join.Config{
		ClusterCIDR: opts.ClusterCIDR, ServiceCIDR: opts.ServiceCIDR, ClusterDNS: opts.ClusterDNS,
		ClusterDomain: opts.ClusterDomain, FlannelBackend: opts.FlannelBackend,
		ServiceNodePortRange: opts.ServiceNodePortRange, DisableNetworkPolicy: opts.DisableNetworkPolicy,
	})
	listener, err := front.Listen()
	if err != nil {
		return err
	}
	group.Go("supervisor", func(ctx context.Context) error { return front.Serve(ctx, listener) })

	api, err := control.Start(group, opts, name, nodeIP, passwords)
	if err != nil {
		return err
	}
	front.SetAPI(api)
	if err := control.StartControllers(group, opts); err != nil {
		return err
	}
	if err := writeKubeconfig(opts); err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(control.AdminConfig(opts))
	if err != nil {
		return err
	}
	deployer, err := addons.New(control.AdminConfig(opts), opts)
	if err != nil {
		return err
	}
	if err := deployer.Stage(ctx); err != nil {
		return err
	}
	front.SetReady(client)
	logrus.Info("k3s is up and running")
	if err := systemd.Ready(); err != nil {
		return err
	}
	group.Go("deploy", deployer.Run)
	group.Go("node-controller", func(ctx context.Context) error { return watchNodes(ctx, client) })

	node, err := agent.New(opts.Node, "https://127.0.0.1:6444", true, args)
	if err != nil {
		return err
	}
	local := "https://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(opts.HTTPSPort))
	joinToken := token.Token{CAHash: token.HashCA(cas.Server.CertPEM), User: "node", Password: passwords.Agent}
	return node.Run(group, local, joinToken.String())
}
