package control

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
)

// EncryptionStatus is what `k3s secrets-encrypt status -o json` prints.
type EncryptionStatus struct {
	Stage        string   `json:"stage"`
	ActiveKey    string   `json:"activekey"`
	Enable       *bool    `json:"enable,omitempty"`
	HashMatch    bool     `json:"hashmatch,omitempty"`
	HashError    string   `json:"hasherror,omitempty"`
	InactiveKeys []string `json:"inactivekeys,omitempty"`
}

type encryptionKey struct {
	Name   string `json:"name"`
	Secret string `json:"secret"`
}

type keyList struct {
	Keys []encryptionKey `json:"keys"`
}

// encryptionProvider is one of the API server's provider configurations; exactly one field is set.
type encryptionProvider struct {
	AESCBC    *keyList  `json:"aescbc,omitempty"`
	Secretbox *keyList  `json:"secretbox,omitempty"`
	Identity  *struct{} `json:"identity,omitempty"`
}

type encryptionResource struct {
	Resources []string             `json:"resources"`
	Providers []encryptionProvider `json:"providers"`
}

type encryptionConfig struct {
	Kind       string               `json:"kind"`
	APIVersion string               `json:"apiVersion"`
	Resources  []encryptionResource `json:"resources"`
}

// ensureEncryption writes the API server's configuration with a fresh key, once.
func ensureEncryption(opts options.Server) error {
	path := opts.Cred("encryption-config.json")
	if _, err := os.Stat(path); err == nil || !opts.SecretsEncryption {
		return nil
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	key := encryptionKey{Secret: base64.StdEncoding.EncodeToString(secret)}
	var provider encryptionProvider
	switch opts.SecretsEncryptionProvider {
	case "aescbc":
		key.Name = "aescbckey"
		provider.AESCBC = &keyList{Keys: []encryptionKey{key}}
	case "secretbox":
		key.Name = "secretboxkey"
		provider.Secretbox = &keyList{Keys: []encryptionKey{key}}
	default:
		return fmt.Errorf("unsupported secrets-encryption-provider %s", opts.SecretsEncryptionProvider)
	}
	content, err := json.Marshal(encryptionConfig{
		Kind: "EncryptionConfiguration", APIVersion: "apiserver.config.k8s.io/v1",
		Resources: []encryptionResource{{
			Resources: []string{"secrets"},
			Providers: []encryptionProvider{provider, {Identity: &struct{}{}}},
		}},
	})
	if err != nil {
		return err
	}
	if err := layout.WriteFile(path, content, 0o600); err != nil {
		return err
	}
	state, err := json.Marshal("start-" + sha256Hex(content))
	if err != nil {
		return err
	}
	return layout.WriteFile(opts.Cred("encryption-state.json"), state, 0o600)
}

// ReadEncryptionStatus tells the state from the files below server/cred.
func ReadEncryptionStatus(l layout.Layout) (EncryptionStatus, error) {
	content, err := os.ReadFile(l.Cred("encryption-config.json"))
	if os.IsNotExist(err) {
		return EncryptionStatus{}, nil
	}
	if err != nil {
		return EncryptionStatus{}, err
	}
	var config encryptionConfig
	if err := json.Unmarshal(content, &config); err != nil {
		return EncryptionStatus{}, err
	}
	var state string
	if raw, err := os.ReadFile(l.Cred("encryption-state.json")); err == nil {
		if err := json.Unmarshal(raw, &state); err != nil {
			return EncryptionStatus{}, err
		}
	}
	stage, hash, _ := strings.Cut(state, "-")
	status := EncryptionStatus{Stage: stage, HashMatch: hash == sha256Hex(content)}
	if !status.HashMatch {
		status.HashError = "hash does not match between the configuration and the state"
	}
	enabled := false
	for _, resource := range config.Resources {
		for i, provider := range resource.Providers {
			keys := provider.keys()
			enabled = enabled || (i == 0 && len(keys) > 0)
			for _, key := range keys {
				if status.ActiveKey == "" {
					status.ActiveKey = key.Name
				} else {
					status.InactiveKeys = append(status.InactiveKeys, key.Name)
				}
			}
		}
	}
	status.Enable = &enabled
	return status, nil
}

func (p encryptionProvider) keys() []encryptionKey {
	switch {
	case p.AESCBC != nil:
		return p.AESCBC.Keys
	case p.Secretbox != nil:
		return p.Secretbox.Keys
	default:
		return nil
	}
}

func sha256Hex(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
