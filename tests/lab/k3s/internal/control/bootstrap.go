package control

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"

	clientv3 "go.etcd.io/etcd/client/v3"

	"k3srun.test/lab/k3s/internal/layout"
)

const bootstrapPrefix = "/bootstrap/"

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
	response, err := client.Get(ctx, bootstrapPrefix, clientv3.WithPrefix())
	if err != nil {
		return false, err
	}
	for _, item := range response.Kvs {
		if string(item.Key) != bootstrapKey(password) {
			return true, errOtherToken
		}
		if _, err := decrypt(password, string(item.Value)); err != nil {
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
	sealed, err := encrypt(password, plain)
	if err != nil {
		return err
	}
	_, err = client.Put(ctx, bootstrapKey(password), sealed)
	return err
}

func bootstrapKey(password string) string {
	sum := sha256.Sum256([]byte(password))
	return bootstrapPrefix + hex.EncodeToString(sum[:])[:12]
}

func encrypt(passphrase string, plain []byte) (string, error) {
	salt := make([]byte, 8)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	gcm, err := cipherFor(passphrase, salt)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, gcm.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	return hex.EncodeToString(salt) + ":" + base64.StdEncoding.EncodeToString(gcm.Seal(nonce, nonce, plain, nil)), nil
}

func decrypt(passphrase, sealed string) ([]byte, error) {
	const saltHex = 16
	if len(sealed) <= saltHex || sealed[saltHex] != ':' {
		return nil, errors.New("malformed bootstrap data")
	}
	salt, err := hex.DecodeString(sealed[:saltHex])
	if err != nil {
		return nil, err
	}
	content, err := base64.StdEncoding.DecodeString(sealed[saltHex+1:])
	if err != nil {
		return nil, err
	}
	gcm, err := cipherFor(passphrase, salt)
	if err != nil {
		return nil, err
	}
	if len(content) < gcm.NonceSize() {
		return nil, errors.New("malformed bootstrap data")
	}
	return gcm.Open(nil, content[:gcm.NonceSize()], content[gcm.NonceSize():], nil)
}

func cipherFor(passphrase string, salt []byte) (cipher.AEAD, error) {
	key, err := pbkdf2.Key(sha1.New, passphrase, salt, 4096, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
