package control

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	clientv3 "go.etcd.io/etcd/client/v3"

	"k3srun.test/lab/k3s/internal/bootstrapdata"
	"k3srun.test/lab/k3s/internal/layout"
)

var errOtherToken = errors.New("preparing server: failed to bootstrap cluster data: bootstrap data already found and encrypted with different token")

// bootstrapFiles are what a server needs besides its database: a snapshot and the token make a cluster.
func bootstrapFiles(l layout.Layout) map[string]string {
	return map[string]string{
		"ServerCA": l.TLS("server-ca.crt"), "ServerCAKey": l.TLS("server-ca.key"),
		"ClientCA": l.TLS("client-ca.crt"), "ClientCAKey": l.TLS("client-ca.key"),
		"RequestHeaderCA": l.TLS("request-header-ca.crt"), "RequestHeaderCAKey": l.TLS("request-header-ca.key"),
		"ETCDServerCA": l.TLS("etcd", "server-ca.crt"), "ETCDServerCAKey": l.TLS("etcd", "server-ca.key"),
		"ETCDPeerCA": l.TLS("etcd", "peer-ca.crt"), "ETCDPeerCAKey": l.TLS("etcd", "peer-ca.key"),
		"ServiceKey": l.TLS("service.key"), "PasswdFile": l.Cred("passwd"),
		"EncryptionConfig": l.Cred("encryption-config.json"), "EncryptionHash": l.Cred("encryption-state.json"),
	}
}

// checkBootstrap fails if the database belongs to another token. found says whether there is data at all.
func checkBootstrap(ctx context.Context, client *clientv3.Client, password string) (found bool, err error) {
	response, err := client.Get(ctx, bootstrapdata.Prefix, clientv3.WithPrefix())
	if err != nil {
		return false, err
	}
	for _, item := range response.Kvs {
		if string(item.Key) != bootstrapdata.Key(password) {
			return true, errOtherToken
		}
		if _, err := bootstrapdata.Open(password, string(item.Value)); err != nil {
			return true, errOtherToken
		}
	}
	return len(response.Kvs) > 0, nil
}

// saveBootstrap stores the files under a key and a cipher that both come from the token.
func saveBootstrap(ctx context.Context, client *clientv3.Client, l layout.Layout, password string) error {
	files := map[string][]byte{}
	for name, path := range bootstrapFiles(l) {
		content, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		files[name] = content
	}
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
