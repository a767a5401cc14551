// Package agent is the node's part of both roles: it joins the server on port 6443, and runs containerd,
// the kubelet, kube-proxy, flannel and the network policy controller.
package agent

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"k8s.io/apimachinery/pkg/util/wait"
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

const (
	connectPause   = 2 * time.Second
	configurePause = 6 * time.Second
	nodePause      = time.Second / 4
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
	// nodeArgs is the command line as it was merged, for the annotation.
	nodeArgs []string
	// apiReady is closed when the API server can be asked. It is nil where that is another host's.
	apiReady <-chan struct{}
}

// New prepares a node that talks to its API server at apiURL.
func New(opts options.Node, apiURL string, nodeArgs []string) (*Node, error) {
	name, err := NodeName(opts)
	if err != nil {
		return nil, err
	}
	ip, err := hostnet.NodeIP(opts.IPs, opts.FlannelIface)
	if err != nil {
		return nil, err
	}
	return &Node{opts: opts, name: name, ip: ip, apiURL: apiURL, nodeArgs: nodeArgs}, nil
}

// AwaitAPI lets the kubelet and what follows it wait until ready is closed. The container runtime doesn't.
func (n *Node) AwaitAPI(ready <-chan struct{}) { n.apiReady = ready }

// isServer is true where the control plane runs on the same host.
func (n *Node) isServer() bool { return n.apiReady != nil }

// Run joins the server that is reached at localURL, starts everything, and returns when the node is registered and has its
// pod network. serverURL is what the operator knows that server by.
func (n *Node) Run(group *process.Group, serverURL, localURL, joinToken string) error {
	ctx := group.Context()
	password, err := nodePassword()
	if err != nil {
		return err
	}
	n.password = password
	if err := n.makeDirs(); err != nil {
		return err
	}
	if err := n.join(ctx, serverURL, localURL, joinToken); err != nil {
		return err
	}
	iface, err := hostnet.FlannelInterface(n.opts.FlannelIface)
	if err != nil {
		return err
	}
	setKernelParameters()
	if err := n.writeNetworkConfig(); err != nil {
		return err
	}
	if err := n.startContainerd(group); err != nil {
		return err
	}
	if n.isServer() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-n.apiReady:
		}
	}
	n.startKubeProxy(group)
	if err := n.startKubelet(group); err != nil {
		return err
	}
	if err := n.present(ctx); err != nil {
		return err
	}
	client, err := clientFor(n.opts.Agent("k3scontroller.kubeconfig"))
	if err != nil {
		return err
	}
	if n.config.FlannelBackend != "none" {
		if err := n.startFlannel(group, client, iface); err != nil {
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

func (n *Node) makeDirs() error {
	l := n.opts.Layout
	etc := n.opts.Agent("etc")
	if err := layout.MakeDirs(0o755, l.Agent(), etc, l.Agent("etc", "containerd"), l.Agent("etc", "flannel"), l.Agent("etc", "cni"),
		l.Agent("images"), layout.ContainerdState, "/run/flannel"); err != nil {
		return err
	}
	if n.isServer() {
		if err := layout.MakeDirs(0o700, etc); err != nil {
			return err
		}
	}
	if err := layout.MakeDirs(0o750, l.Agent("pod-manifests")); err != nil {
		return err
	}
	return layout.MakeDirs(0o700, l.Agent("etc", "cni", "net.d"), l.Agent("etc", "kubelet.conf.d"), l.Agent("containerd"))
}

// join waits for a server that lets this node in. While the server is away or says no, the node waits for ever.
func (n *Node) join(ctx context.Context, serverURL, localURL, joinToken string) error {
	var server *join.Client
	if err := retry(ctx, connectPause, func() (err error) {
		server, err = connect(localURL, joinToken)
		return err
	}, func(err error) {
		logrus.Errorf("Failed to validate connection to cluster at %s: %v", serverURL, err)
	}); err != nil {
		return err
	}
	return retry(ctx, configurePause, func() error { return n.configure(server) }, func(err error) {
		logrus.Infof("Waiting to retrieve agent configuration; server is not ready: %v", err)
	})
}

// retry repeats an attempt until it succeeds or ctx ends, with pauses that are up to half longer than asked for.
func retry(ctx context.Context, pause time.Duration, attempt func() error, tell func(error)) error {
	for {
		err := attempt()
		if err == nil || ctx.Err() != nil {
			return err
		}
		tell(err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait.Jitter(pause, 0.5)):
		}
	}
}

func silently(error) {}

// connect logs in as "node", whatever user the token names. Without a token the node's certificate must do.
func connect(url, text string) (*join.Client, error) {
	if strings.TrimSpace(text) == "" {
		return join.Connect(url, token.Token{})
	}
	parsed, err := token.Parse(text, "node")
	if err != nil {
		return nil, err
	}
	if parsed.User != "" {
		parsed.User = "node"
	}
	return join.Connect(url, parsed)
}

// configure learns the cluster's settings and gets the node's certificates.
func (n *Node) configure(client *join.Client) error {
	client.CertFile, client.KeyFile = n.opts.Agent("client-kubelet.crt"), n.opts.Agent("client-kubelet.key")
	config, err := fetchConfig(client)
	if err != nil {
		return err
	}
	n.config = config
	if err := n.fetchCertificates(client); err != nil {
		return err
	}
	if !n.isServer() {
		if err := n.rememberServers(client); err != nil {
			return err
		}
	}
	return n.writeKubeconfigs()
}

func clientFor(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}
