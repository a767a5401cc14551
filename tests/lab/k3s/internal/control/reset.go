package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/sirupsen/logrus"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"

	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/process"
	"k3srun.test/lab/k3s/internal/snapshots"
)

// Reset makes this server the only member of its cluster, with its own data or that of a snapshot, and its files those that
// belong to the data. It returns the end of the process: nothing runs after a reset. running is called when etcd serves.
func Reset(ctx context.Context, opts options.Server, nodeName string, nodeIP net.IP, password string, running func() error) error {
	flag := opts.Server("db", "reset-flag")
	if _, err := os.Stat(flag); err == nil {
		return databaseError(fmt.Errorf("Managed etcd cluster membership was previously reset, please remove the cluster-reset flag "+
			"and start k3s normally. If you need to perform another cluster reset, you must first manually delete the file at %s", flag))
	}
	name, err := renewData(opts, nodeName, nodeIP)
	if err != nil {
		return databaseError(err)
	}
	logrus.Info("Starting etcd for new cluster, cluster-reset=true")
	self := member{name: name, ip: nodeIP}
	etcd, err := self.start(ctx, opts, true)
	if err != nil {
		return databaseError(err)
	}
	defer func() {
		logrus.Info("Stopping etcd server...")
		etcd.Close()
		logrus.Info("etcd server stopped")
	}()
	client, err := EtcdClient(opts.Layout)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := self.takeOver(ctx, client); err != nil {
		return err
	}
	logrus.Info("ETCD server is now running")
	logrus.Info("k3s is up and running")
	if err := running(); err != nil {
		return err
	}
	if err := settle(ctx, client, opts, password); err != nil {
		return err
	}
	if err := adopt(ctx, client, opts, password); err != nil {
		return err
	}
	if err := layout.WriteFile(flag, nil, 0o600); err != nil {
		return err
	}
	return process.EndedError{Err: errors.New(`"Managed etcd cluster membership has been reset, restart without --cluster-reset flag now. ` +
		`Backup and delete ${datadir}/server/db on each peer etcd server and rejoin the nodes"`)}
}

// renewData puts the snapshot, if there is one, in the place of the database, which is kept beside it.
func renewData(opts options.Server, nodeName string, nodeIP net.IP) (string, error) {
	source := opts.ClusterResetRestorePath
	if source == "" {
		return memberName(opts.Layout, nodeName)
	}
	if _, err := os.Stat(source); err != nil {
		return "", fmt.Errorf("etcd: snapshot path does not exist: %s", source)
	}
	dir := opts.Server("db", "etcd")
	plain, err := snapshots.Unpack(source, opts.Server("db"))
	if err != nil {
		return "", err
	}
	if plain != source {
		defer os.Remove(plain)
	}
	old := fmt.Sprintf("%s-old-%d", dir, time.Now().Unix())
	if err := os.Rename(dir, old); err == nil {
		logrus.Infof("Pre-restore etcd database moved to %s", old)
	} else if !os.IsNotExist(err) {
		return "", err
	}
	name, err := renameMember(opts.Layout, nodeName)
	if err != nil {
		return "", err
	}
	self := member{name: name, ip: nodeIP}
	// etcd restores into a folder that isn't there yet.
	restored := dir + "-restored"
	err = snapshot.NewV3(zap.NewNop()).Restore(snapshot.RestoreConfig{
		SnapshotPath: plain, Name: name, OutputDataDir: restored, PeerURLs: []string{self.peerURL()},
		InitialCluster: name + "=" + self.peerURL(), InitialClusterToken: "etcd-cluster",
	})
	if err != nil {
		return "", err
	}
	if err := os.Rename(restored+"/member", dir+"/member"); err != nil {
		return "", err
	}
	return name, os.RemoveAll(restored)
}

// takeOver gives the one member that is left the present address.
func (m member) takeOver(ctx context.Context, client *clientv3.Client) error {
	members, err := client.MemberList(ctx)
	if err != nil {
		return err
	}
	if len(members.Members) != 1 {
		return fmt.Errorf("etcd has %d members after a reset", len(members.Members))
	}
	_, err = client.MemberUpdate(ctx, members.Members[0].ID, []string{m.peerURL()})
	return err
}

// adopt makes the files those that are stored in the database. What the certificates were before is kept.
func adopt(ctx context.Context, client *clientv3.Client, opts options.Server, password string) error {
	logrus.Info("Reconciling bootstrap data between datastore and disk")
	files, err := loadBootstrap(ctx, client, password)
	if err != nil {
		return err
	}
	backup := fmt.Sprintf("%s-%d", opts.TLS(), time.Now().Unix())
	logrus.Infof("Cluster reset: backing up certificates directory to %s", backup)
	if err := layout.CopyDir(opts.TLS(), backup); err != nil {
		return err
	}
	return files.Write(bootstrapPaths(opts))
}
