// Package control runs the cluster's control plane: etcd and kube-apiserver in this process, the
// controller manager and the scheduler as children.
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
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"k3srun.test/lab/k3s/internal/credentials"
	"k3srun.test/lab/k3s/internal/encryption"
	"k3srun.test/lab/k3s/internal/kubeconfig"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/process"
)

// readyTimeout is when a server gives up: its process ends in order and systemd starts it again.
const readyTimeout = 15 * time.Minute

// apiURL is the API server's own port.
var apiURL = fmt.Sprintf("https://127.0.0.1:%d", apiPort)

// Start runs the datastore and the API server, and returns the handler of the latter.
func Start(group *process.Group, opts options.Server, nodeName string, nodeIP net.IP, passwords credentials.Passwords) (http.Handler, error) {
	ctx := group.Context()
	if !opts.ClusterInit && !etcdExists(opts.Layout) {
		return nil, errNoDatastore
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := startDatastore(ctx, group, opts, nodeName, nodeIP, passwords); err != nil {
		return nil, err
	}
	args := apiServerArgs(opts, net.ParseIP(opts.AdvertiseAddress))
	logrus.Infof("Running kube-apiserver %s", args)
	handler, err := startAPIServer(group, args, opts.HTTPSPort)
	if err != nil {
		return nil, process.EndedError{Name: "apiserver", Err: err}
	}
	if err := waitForAPI(ctx, opts); err != nil {
		return nil, process.EndedError{Name: "apiserver", Err: err}
	}
	return handler, nil
}

// startDatastore runs etcd, makes sure that it belongs to this token and this node, and stores what a
// restored server would need.
func startDatastore(ctx context.Context, group *process.Group, opts options.Server, nodeName string, nodeIP net.IP, passwords credentials.Passwords) error {
	logrus.Infof("Starting etcd for cluster member %s", nodeName)
	etcd, err := startEtcd(ctx, opts, nodeName, nodeIP)
	if err != nil {
		return err
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

	found, err := checkBootstrap(ctx, client, passwords.Server)
	if err != nil {
		return err
	}
	if err := waitForMembership(ctx, client, etcd.Config().Name, nodeIP); err != nil {
		return process.EndedError{Name: "etcd", Err: err}
	}
	if err := encryption.Ensure(opts); err != nil {
		return err
	}
	ca, err := os.ReadFile(opts.TLS("server-ca.crt"))
	if err != nil {
		return err
	}
	if err := credentials.WriteFiles(opts, passwords, ca); err != nil {
		return err
	}
	if found {
		return nil
	}
	return saveBootstrap(ctx, client, opts.Layout, passwords.Server)
}

// StartControllers runs what works on the API.
func StartControllers(group *process.Group, opts options.Server) error {
	for name, cert := range map[string]string{
		"admin": "client-admin", "supervisor": "client-supervisor", "controller": "client-controller", "scheduler": "client-scheduler",
	} {
		err := kubeconfig.WriteReferring(opts.Cred(name+".kubeconfig"), apiURL, opts.TLS("server-ca.crt"), opts.TLS(cert+".crt"), opts.TLS(cert+".key"))
		if err != nil {
			return err
		}
	}
	group.Child("kube-controller-manager", controllerArgs(opts))
	group.Child("kube-scheduler", schedulerArgs(opts))
	return nil
}

// AdminConfig is the administrator's connection to the API server of this host.
func AdminConfig(opts options.Server) *rest.Config {
	return &rest.Config{Host: apiURL, QPS: 50, Burst: 100, TLSClientConfig: rest.TLSClientConfig{
		CAFile: opts.TLS("server-ca.crt"), CertFile: opts.TLS("client-supervisor.crt"), KeyFile: opts.TLS("client-supervisor.key"),
	}}
}

func waitForAPI(ctx context.Context, opts options.Server) error {
	client, err := kubernetes.NewForConfig(AdminConfig(opts))
	if err != nil {
		return err
	}
	for {
		err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		if err == nil {
			return nil
		}
		logrus.Debugf("Waiting for the API server: %v", err)
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(250 * time.Millisecond):
		}
	}
}
