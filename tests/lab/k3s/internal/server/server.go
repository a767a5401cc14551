// Package server is `k3s server`: the supervisor, the control plane, the add-ons, and a node on the same host.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/sirupsen/logrus"
	clientv3 "go.etcd.io/etcd/client/v3"
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
	"k3srun.test/lab/k3s/internal/snapshots"
	"k3srun.test/lab/k3s/internal/supervisor"
	"k3srun.test/lab/k3s/internal/token"
	"k3srun.test/lab/k3s/internal/version"
)

// startingPause is how long a server that starts again says nothing but that it is starting: in k3s this takes a second,
// and whoever asks meanwhile has to cope with it.
const startingPause = time.Second

// Run starts a server and returns when it has ended. args is the merged command line.
func Run(ctx context.Context, opts options.Server, systemd notify.Socket, args []string) error {
	if err := credentials.Configured(&opts); err != nil {
		return err
	}
	if opts.ClusterReset {
		if err := credentials.ForReset(opts); err != nil {
			return err
		}
	}
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

// prepared is what a server has before anything of it runs.
type prepared struct {
	nodeName  string
	nodeIP    net.IP
	cas       *authorities.Set
	passwords credentials.Passwords
	// again is true where an earlier start has left a database.
	again bool
}

// prepare makes or checks the files. Nothing listens yet, but for the temporary etcd.
func prepare(ctx context.Context, opts options.Server) (prepared, error) {
	p := prepared{nodeIP: net.ParseIP(opts.IPs[0]), again: control.HasDatastore(opts.Layout)}
	var err error
	if p.nodeName, err = agent.NodeName(opts.Node); err != nil {
		return p, err
	}
	if err := layout.MakeDirs(0o755, opts.DataDir); err != nil {
		return p, err
	}
	if !opts.ClusterReset {
		password, err := credentials.Sealing(opts)
		if err != nil {
			return p, err
		}
		if err := control.Reconcile(ctx, opts, password); err != nil {
			return p, err
		}
	}
	if p.cas, err = authorities.Ensure(opts, p.nodeName, p.nodeIP); err != nil {
		return p, err
	}
	p.passwords, err = credentials.Resolve(opts)
	return p, err
}

func start(group *process.Group, opts options.Server, systemd notify.Socket, args []string) error {
	ctx := group.Context()
	p, err := prepare(ctx, opts)
	if err != nil {
		return err
	}
	if opts.ClusterReset {
		if err := p.passwords.WriteTokens(opts, p.cas.Server.CertPEM); err != nil {
			return err
		}
		return control.Reset(ctx, opts, p.nodeName, p.nodeIP, p.passwords.Server, systemd.Ready)
	}
	store := snapshots.Default(opts.Layout, p.nodeName)
	if opts.Snapshots.Dir != "" {
		store.Dir = opts.Snapshots.Dir
	}
	front := supervisor.New(opts, p.nodeName, p.cas, p.passwords, store, join.Config{
		ClusterCIDR: opts.ClusterCIDR, ServiceCIDR: opts.ServiceCIDR, ClusterDNS: opts.ClusterDNS,
		ClusterDomain: opts.ClusterDomain, FlannelBackend: opts.FlannelBackend,
		ServiceNodePortRange: opts.ServiceNodePortRange, DisableNetworkPolicy: opts.DisableNetworkPolicy,
	})
	listener, err := front.Listen()
	if err != nil {
		return err
	}
	group.Go("supervisor", func(ctx context.Context) error { return front.Serve(ctx, listener) })
	if p.again {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(startingPause):
		}
	}
	front.Open()

	apiReady := make(chan struct{})
	if err := startNode(group, opts, p, args, apiReady); err != nil {
		return err
	}
	api, err := control.Start(group, opts, p.nodeName, p.nodeIP, p.passwords.Server)
	if err != nil {
		return err
	}
	front.SetAPI(api)
	if err := leaveFiles(opts, p); err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(control.AdminConfig(opts))
	if err != nil {
		return err
	}
	if err := control.AwaitAPI(ctx, client); err != nil {
		return err
	}
	logrus.Info("k3s is up and running")
	if err := systemd.Ready(); err != nil {
		return err
	}
	close(apiReady)
	return startWork(group, opts, p, front, store, client)
}

// startNode begins to run pods on this host, beside the control plane.
func startNode(group *process.Group, opts options.Server, p prepared, args []string, apiReady <-chan struct{}) error {
	node, err := agent.New(opts.Node, "https://127.0.0.1:6444", args)
	if err != nil {
		return err
	}
	node.AwaitAPI(apiReady)
	local := "https://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(opts.HTTPSPort))
	joinToken := token.Token{CAHash: token.HashCA(p.cas.Server.CertPEM), User: "node", Password: p.passwords.Agent}
	group.Task(func(context.Context) error { return node.Run(group, local, local, joinToken.String()) })
	return nil
}

// leaveFiles writes what operators and components read.
func leaveFiles(opts options.Server, p prepared) error {
	if err := control.WriteKubeconfigs(opts); err != nil {
		return err
	}
	if err := p.passwords.WriteTokens(opts, p.cas.Server.CertPEM); err != nil {
		return err
	}
	logrus.Infof("Server node token is available at %s", opts.Server("token"))
	logrus.Infof("Agent node token is available at %s", opts.Server("agent-token"))
	return writeKubeconfig(opts)
}

// startWork begins what needs the API server. Nodes are let in as soon as the kinds of objects are there.
func startWork(group *process.Group, opts options.Server, p prepared, front *supervisor.Supervisor, store snapshots.Store, client kubernetes.Interface) error {
	control.StartControllers(group, opts)
	deployer, err := addons.New(control.AdminConfig(opts), client, opts)
	if err != nil {
		return err
	}
	if err := deployer.Stage(group.Context()); err != nil {
		return err
	}
	front.SetReady(client)
	group.Go("deploy", deployer.Run)
	group.Task(func(ctx context.Context) error { return control.StartCloudController(ctx, group, client, opts) })
	group.Go("node-controller", func(ctx context.Context) error { return watchNodes(ctx, client) })
	group.Task(func(ctx context.Context) error { return presentSelf(ctx, client, opts, p) })
	if opts.Snapshots.Disabled {
		return nil
	}
	schedule := snapshots.Schedule{
		Cron: opts.Snapshots.Cron, Name: opts.Snapshots.Name, Compress: opts.Snapshots.Compress, Keep: opts.Snapshots.Retention,
	}
	group.Go("etcd-snapshot", func(ctx context.Context) error {
		return schedule.Run(ctx, store, func() (*clientv3.Client, error) { return control.EtcdClient(opts.Layout) })
	})
	return nil
}
