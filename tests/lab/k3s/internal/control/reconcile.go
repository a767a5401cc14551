package control

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/sirupsen/logrus"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/process"
)

const temporaryEndpoint = "http://127.0.0.1:2399"

// Reconcile compares the files on disk with those that an earlier start has stored, before anything uses them. The copy of
// the database that it asks is served by a temporary etcd. Without a password there is nothing to open the data with, and
// nothing is compared.
func Reconcile(ctx context.Context, opts options.Server, password string) error {
	if !HasDatastore(opts.Layout) {
		logrus.Info("Managed etcd cluster initializing")
		return nil
	}
	logrus.Info("Managed etcd cluster bootstrap already complete and initialized")
	if password == "" {
		return nil
	}
	logrus.Info("Starting temporary etcd to reconcile with datastore")
	etcd, err := startTemporary(ctx, opts)
	if err != nil {
		if ctx.Err() != nil {
			neverStop()
		}
		return failed(err)
	}
	defer func() {
		logrus.Info("Stopping etcd server...")
		etcd.Close()
		os.RemoveAll(temporaryDir(opts))
		logrus.Info("etcd server stopped")
	}()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{temporaryEndpoint}, DialTimeout: 5 * time.Second})
	if err != nil {
		return failed(err)
	}
	defer client.Close()
	logrus.Info("etcd temporary data store connection OK")
	logrus.Info("Reconciling bootstrap data between datastore and disk")
	files, err := loadBootstrap(ctx, client, password)
	if err != nil {
		return failed(err)
	}
	return files.Reconcile(bootstrapPaths(opts))
}

func failed(err error) error {
	return process.Abort{Reason: fmt.Sprintf("Failed to reconcile with temporary etcd: %v", err)}
}

func temporaryDir(opts options.Server) string { return opts.Server("db", "etcd-tmp") }

// startTemporary serves a copy of the database on loopback.
func startTemporary(ctx context.Context, opts options.Server) (*embed.Etcd, error) {
	dir := temporaryDir(opts)
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := layout.CopyDir(opts.Server("db", "etcd"), dir); err != nil {
		return nil, err
	}
	name, err := MemberName(opts.Layout)
	if err != nil {
		return nil, err
	}
	peer := urls("http", "2400", loopback)
	settings := etcdSettings(name, dir)
	settings["force-new-cluster"] = true
	settings["advertise-client-urls"] = temporaryEndpoint
	settings["listen-client-urls"] = temporaryEndpoint
	settings["listen-client-http-urls"] = urls("http", "2402", loopback)
	settings["listen-peer-urls"], settings["initial-advertise-peer-urls"] = peer, peer
	settings["initial-cluster"] = name + "=" + peer
	return startEtcd(ctx, settings)
}

// neverStop is what k3s does when it is told to stop while its temporary etcd elects itself: it asks for ever, and says so
// faster than the journal takes it, until systemd kills it.
func neverStop() {
	for range time.Tick(time.Millisecond) {
		logrus.Info("Failed to test temporary data store connection: etcd datastore is not started")
	}
}
