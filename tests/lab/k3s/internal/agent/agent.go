// Package agent is the node's part of both roles: it joins the server on port 6443, and runs containerd,
// the kubelet, kube-proxy, flannel and the network policy controller.
package agent

import (
	"context"
	"net"
	"time"

	"github.com/sirupsen/logrus"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"k3srun.test/lab/k3s/internal/hostnet"
	"k3srun.test/lab/k3s/internal/join"
	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/netpol"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/process"
	"k3srun.test/lab/k3s/internal/token"
)

// Node is a host that is about to run pods.
type Node struct {
	opts     options.Node
	name     string
	ip       net.IP
	password string
	// apiURL is where this host's components reach the API server.
	apiURL string
	config join.Config
	// isServer is true where the control plane runs on the same host.
	isServer bool
	// nodeArgs is the command line as it was merged, for the annotation.
	nodeArgs []string
}

// New prepares a node that talks to its API server at apiURL.
func New(opts options.Node, apiURL string, isServer bool, nodeArgs []string) (*Node, error) {
	name, err := NodeName(opts)
	if err != nil {
		return nil, err
	}
	return &Node{opts: opts, name: name, apiURL: apiURL, isServer: isServer, nodeArgs: nodeArgs}, nil
}

// Run joins serverURL, starts everything, and returns when the node is registered and has its pod network.
func (n *Node) Run(group *process.Group, serverURL string, joinToken string) error {
	ctx := group.Context()
	password, err := nodePassword()
	if err != nil {
		return err
	}
	n.password = password
	l := n.opts.Layout
	if err := layout.MakeDirs(0o700, l.Agent(), l.Agent("etc"), l.Agent("etc", "containerd"), l.Agent("etc", "flannel"), l.Agent("etc", "cni"),
		l.Agent("etc", "cni", "net.d"), l.Agent("etc", "kubelet.conf.d"), l.Agent("pod-manifests"), l.Agent("containerd")); err != nil {
		return err
	}
	if err := layout.MakeDirs(0o755, l.Agent("images"), layout.ContainerdState, "/run/flannel"); err != nil {
		return err
	}
	var server *join.Client
	if err := retry(ctx, func() (err error) {
		if server, err = connect(serverURL, joinToken); err != nil {
			logrus.Errorf("Failed to validate connection to cluster at %s: %v", serverURL, err)
		}
		return err
	}); err != nil {
		return err
	}
	if err := retry(ctx, func() error {
		err := n.configure(server)
		if err != nil {
			logrus.Infof("Waiting to retrieve agent configuration; server is not ready: %v", err)
		}
		return err
	}); err != nil {
		return err
	}
	setKernelParameters()
	if err := n.writeNetworkConfig(); err != nil {
		return err
	}
	if err := n.startContainerd(group); err != nil {
		return err
	}
	if err := n.startKubelet(group); err != nil {
		return err
	}
	n.startKubeProxy(group)

	client, err := n.client()
	if err != nil {
		return err
	}
	if err := n.register(ctx, client); err != nil {
		return err
	}
	if n.config.FlannelBackend != "none" {
		if err := n.startFlannel(group); err != nil {
			return err
		}
	}
	if n.config.DisableNetworkPolicy {
		return nil
	}
	return netpol.Start(group, client, netpol.Settings{
		NodeName: n.name, ServiceCIDR: n.config.ServiceCIDR, NodePortRange: n.config.ServiceNodePortRange,
	})
}

// retry repeats what may fail while the server is away or says no: a node waits for ever.
func retry(ctx context.Context, attempt func() error) error {
	for attempt() != nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
	return nil
}

// connect logs in as "node", whatever user the token names. Without a token the node's certificate must do.
func connect(serverURL, text string) (*join.Client, error) {
	if text == "" {
		return join.Connect(serverURL, token.Token{})
	}
	parsed, err := token.Parse(text, "node")
	if err != nil {
		return nil, err
	}
	parsed.User = "node"
	return join.Connect(serverURL, parsed)
}

// configure learns the cluster's settings and gets the node's certificates.
func (n *Node) configure(client *join.Client) error {
	client.CertFile, client.KeyFile = n.opts.Agent("client-kubelet.crt"), n.opts.Agent("client-kubelet.key")
	config, err := fetchConfig(client)
	if err != nil {
		return err
	}
	n.config = config
	ip, err := hostnet.NodeIP(n.opts.IPs, n.opts.FlannelIface)
	if err != nil {
		return err
	}
	n.ip = ip
	if err := n.fetchCertificates(client); err != nil {
		return err
	}
	return n.writeKubeconfigs()
}

// client acts as the controller identity that all nodes share.
func (n *Node) client() (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", n.opts.Agent("k3scontroller.kubeconfig"))
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}
