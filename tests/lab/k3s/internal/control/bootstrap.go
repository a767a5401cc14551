package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sirupsen/logrus"
	clientv3 "go.etcd.io/etcd/client/v3"

	"k3srun.test/lab/k3s/internal/bootstrapdata"
	"k3srun.test/lab/k3s/internal/options"
)

var errOtherToken = errors.New("bootstrap data already found and encrypted with different token")

// bootstrapPaths are what a server needs besides its database: a snapshot and the token make a cluster.
func bootstrapPaths(opts options.Server) map[string]string {
	paths := map[string]string{
		"ServerCA": opts.TLS("server-ca.crt"), "ServerCAKey": opts.TLS("server-ca.key"),
		"ClientCA": opts.TLS("client-ca.crt"), "ClientCAKey": opts.TLS("client-ca.key"),
		"RequestHeaderCA": opts.TLS("request-header-ca.crt"), "RequestHeaderCAKey": opts.TLS("request-header-ca.key"),
		"ETCDServerCA": opts.TLS("etcd", "server-ca.crt"), "ETCDServerCAKey": opts.TLS("etcd", "server-ca.key"),
		"ETCDPeerCA": opts.TLS("etcd", "peer-ca.crt"), "ETCDPeerCAKey": opts.TLS("etcd", "peer-ca.key"),
		"ServiceKey": opts.TLS("service.key"), "PasswdFile": opts.Cred("passwd"), "IPSECKey": opts.Cred("ipsec.psk"),
	}
	if opts.SecretsEncryption {
		paths["EncryptionConfig"], paths["EncryptionHash"] = opts.Cred("encryption-config.json"), opts.Cred("encryption-state.json")
	}
	return paths
}

// loadBootstrap fetches what was stored. It fails if that was sealed with another password, and is empty if there is nothing.
func loadBootstrap(ctx context.Context, client *clientv3.Client, password string) (bootstrapdata.Files, error) {
	response, err := client.Get(ctx, bootstrapdata.Prefix, clientv3.WithPrefix())
	if err != nil {
		return nil, err
	}
	for _, item := range response.Kvs {
		if string(item.Key) != bootstrapdata.Key(password) {
			continue
		}
		plain, err := bootstrapdata.Open(password, string(item.Value))
		if err != nil {
			return nil, errOtherToken
		}
		var files bootstrapdata.Files
		return files, json.Unmarshal(plain, &files)
	}
	if len(response.Kvs) > 0 {
		return nil, errOtherToken
	}
	return nil, nil
}

// saveBootstrap stores the files under a key and a cipher that both come from the password. What is there already stays,
// unless it is to be replaced.
func saveBootstrap(ctx context.Context, client *clientv3.Client, opts options.Server, password string, replace bool) error {
	logrus.Info("Saving cluster bootstrap data to datastore")
	stored, err := loadBootstrap(ctx, client, password)
	if err != nil {
		return err
	}
	if stored != nil && !replace {
		logrus.Warn("Bootstrap key already exists")
		return nil
	}
	files, err := bootstrapdata.Collect(bootstrapPaths(opts))
	if err != nil {
		return err
	}
	return putBootstrap(ctx, client, files, password)
}

func putBootstrap(ctx context.Context, client *clientv3.Client, files bootstrapdata.Files, password string) error {
	plain, err := json.Marshal(files)
	if err != nil {
		return err
	}
	sealed, err := bootstrapdata.Seal(password, plain)
	if err != nil {
		return err
	}
	_, err = client.Put(ctx, bootstrapdata.Key(password), sealed)
	return err
}

// Bootstrap is what is stored, for another server.
func Bootstrap(ctx context.Context, opts options.Server, password string) (bootstrapdata.Files, error) {
	client, err := EtcdClient(opts.Layout)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return loadBootstrap(ctx, client, password)
}

// SaveBootstrap stores the files again, after one of them has changed in order.
func SaveBootstrap(ctx context.Context, opts options.Server, password string) error {
	client, err := EtcdClient(opts.Layout)
	if err != nil {
		return err
	}
	defer client.Close()
	return saveBootstrap(ctx, client, opts, password, true)
}

// RotateBootstrap seals what is stored with another password.
func RotateBootstrap(ctx context.Context, opts options.Server, old, password string) error {
	client, err := EtcdClient(opts.Layout)
	if err != nil {
		return err
	}
	defer client.Close()
	files, err := loadBootstrap(ctx, client, old)
	if err != nil {
		return err
	}
	if files == nil {
		return errors.New("no bootstrap data found in datastore")
	}
	if _, err := client.Delete(ctx, bootstrapdata.Key(old)); err != nil {
		return fmt.Errorf("failed to delete old bootstrap key: %w", err)
	}
	if err := putBootstrap(ctx, client, files, password); err != nil {
		return err
	}
	return saveBootstrap(ctx, client, opts, password, true)
}
