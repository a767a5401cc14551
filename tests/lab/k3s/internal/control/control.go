// Package control runs the cluster's control plane: etcd and kube-apiserver in this process, the
// controller managers and the scheduler as children.
package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/sirupsen/logrus"
	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"k3srun.test/lab/k3s/internal/encryption"
	"k3srun.test/lab/k3s/internal/kubeconfig"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/process"
)

// readyTimeout is when a server gives up: its process ends in order and systemd starts it again.
const readyTimeout = 15 * time.Minute

// apiURL is the API server's own port.
var apiURL = fmt.Sprintf("https://127.0.0.1:%d", apiPort)

// errNoDatastore says why a server without etcd can't start here.
var errNoDatastore = errors.New("preparing server: this distribution has no sqlite: the only datastore is embedded etcd, so set cluster-init: true")

// Start runs the datastore and the API server, and returns the handler of the latter, which may not be ready yet.
func Start(group *process.Group, opts options.Server, nodeName string, nodeIP net.IP, password string) (http.Handler, error) {
	ctx, cancel := context.WithTimeout(group.Context(), readyTimeout)
	defer cancel()
	if !opts.ClusterInit && !HasDatastore(opts.Layout) {
		return nil, errNoDatastore
	}
	if err := startDatastore(ctx, group, opts, nodeName, nodeIP, password); err != nil {
		return nil, err
	}
	args := apiServerArgs(opts, net.ParseIP(opts.AdvertiseAddress))
	logrus.Infof("Running kube-apiserver %s", args)
	handler, err := startAPIServer(group, args, opts.HTTPSPort)
	if err != nil {
		return nil, process.EndedError{Name: "apiserver", Err: err}
	}
	return handler, nil
}

// startDatastore runs etcd, makes sure that it belongs to this token and this node, and stores what a
// restored server would need.
func startDatastore(ctx context.Context, group *process.Group, opts options.Server, nodeName string, nodeIP net.IP, password string) error {
	kind := "existing cluster member"
	if !HasDatastore(opts.Layout) {
		kind = "new cluster, cluster-reset=false"
	}
	logrus.Infof("Starting etcd for %s", kind)
	name, err := memberName(opts.Layout, nodeName)
	if err != nil {
		return err
	}
	self := member{name: name, ip: nodeIP}
	etcd, err := self.start(ctx, opts, false)
	if err != nil {
		return databaseError(err)
	}
	group.Go("etcd", func(ctx context.Context) error {
		defer etcd.Close()
		select {
		case <-ctx.Done():
			return nil
		case err := <-etcd.Err():
			return err
		}
	})
	client, err := EtcdClient(opts.Layout)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := self.awaitMembership(ctx, client); err != nil {
		return process.EndedError{Name: "etcd", Err: err}
	}
	logrus.Info("Connection to etcd is ready")
	logrus.Info("ETCD server is now running")
	return settle(ctx, client, opts, password)
}

// settle makes what the API server reads, and stores it.
func settle(ctx context.Context, client *clientv3.Client, opts options.Server, password string) error {
	if err := encryption.Ensure(opts); err != nil {
		return err
	}
	err := saveBootstrap(ctx, client, opts, password, false)
	if errors.Is(err, errOtherToken) {
		return process.Abort{Reason: err.Error()}
	}
	return err
}

func databaseError(err error) error {
	return fmt.Errorf("starting kubernetes: failed to start cluster: start managed database: %w", err)
}

// WriteKubeconfigs leaves the files with which the parts of the control plane find the API server.
func WriteKubeconfigs(opts options.Server) error {
	for name, cert := range map[string]string{
		"admin": "client-admin", "supervisor": "client-supervisor", "controller": "client-controller",
		"scheduler": "client-scheduler", "api-server": "client-kube-apiserver", "cloud-controller": "client-k3s-cloud-controller",
	} {
		err := kubeconfig.WriteReferring(opts.Cred(name+".kubeconfig"), apiURL, opts.TLS("server-ca.crt"), opts.TLS(cert+".crt"), opts.TLS(cert+".key"))
		if err != nil {
			return err
		}
	}
	return nil
}

// AdminConfig is the administrator's connection to the API server of this host.
func AdminConfig(opts options.Server) *rest.Config {
	return &rest.Config{Host: apiURL, QPS: 50, Burst: 100, TLSClientConfig: rest.TLSClientConfig{
		CAFile: opts.TLS("server-ca.crt"), CertFile: opts.TLS("client-supervisor.crt"), KeyFile: opts.TLS("client-supervisor.key"),
	}}
}

// AwaitAPI returns when the API server is ready.
func AwaitAPI(ctx context.Context, client kubernetes.Interface) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	told := ""
	for {
		err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		if err == nil {
			logrus.Info("Kube API server is now running")
			return nil
		}
		if said := fmt.Sprintf("Polling for API server readiness: GET /readyz failed: %v", err); said != told {
			logrus.Info(said)
			told = said
		}
		select {
		case <-ctx.Done():
			return process.EndedError{Name: "apiserver", Err: errors.Join(context.Cause(ctx), err)}
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// ForgetReset allows the next reset, now that a normal start has worked.
func ForgetReset(opts options.Server) error {
	if err := os.Remove(opts.Server("db", "reset-flag")); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
