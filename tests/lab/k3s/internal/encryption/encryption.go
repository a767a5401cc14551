// Package encryption keeps the API server's configuration for the encryption of Secrets at rest.
package encryption

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

// Status is what `k3s secrets-encrypt status -o json` prints.
type Status struct {
	Stage        string   `json:"stage"`
	ActiveKey    string   `json:"activekey"`
	Enable       *bool    `json:"enable,omitempty"`
	HashMatch    bool     `json:"hashmatch,omitempty"`
	HashError    string   `json:"hasherror,omitempty"`
	InactiveKeys []string `json:"inactivekeys,omitempty"`
}

type key struct {
	Name   string `json:"name"`
	Secret string `json:"secret"`
}

type keyList struct {
	Keys []key `json:"keys"`
}

// provider is one of the API server's provider configurations; exactly one field is set.
type provider struct {
	AESCBC    *keyList  `json:"aescbc,omitempty"`
	Secretbox *keyList  `json:"secretbox,omitempty"`
	Identity  *struct{} `json:"identity,omitempty"`
}

type resource struct {
	Resources []string   `json:"resources"`
	Providers []provider `json:"providers"`
}

type configuration struct {
	Kind       string     `json:"kind"`
	APIVersion string     `json:"apiVersion"`
	Resources  []resource `json:"resources"`
}

// Ensure writes the API server's configuration with a fresh key, once.
func Ensure(opts options.Server) error {
	path := opts.Cred("encryption-config.json")
	if _, err := os.Stat(path); err == nil || !opts.SecretsEncryption {
		return nil
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	first := key{Secret: base64.StdEncoding.EncodeToString(secret)}
	var active provider
	switch opts.SecretsEncryptionProvider {
	case "aescbc":
		first.Name = "aescbckey"
		active.AESCBC = &keyList{Keys: []key{first}}
	case "secretbox":
		first.Name = "secretboxkey"
		active.Secretbox = &keyList{Keys: []key{first}}
	default:
		return fmt.Errorf("unsupported secrets-encryption-provider %s", opts.SecretsEncryptionProvider)
	}
	content, err := json.Marshal(configuration{
		Kind: "EncryptionConfiguration", APIVersion: "apiserver.config.k8s.io/v1",
		Resources: []resource{{
			Resources: []string{"secrets"},
			Providers: []provider{active, {Identity: &struct{}{}}},
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

// ReadStatus tells the state from the files below server/cred.
func ReadStatus(l layout.Layout) (Status, error) {
	content, err := os.ReadFile(l.Cred("encryption-config.json"))
	if os.IsNotExist(err) {
		return Status{}, nil
	}
	if err != nil {
		return Status{}, err
	}
	var config configuration
	if err := json.Unmarshal(content, &config); err != nil {
		return Status{}, err
	}
	var state string
	if raw, err := os.ReadFile(l.Cred("encryption-state.json")); err == nil {
		if err := json.Unmarshal(raw, &state); err != nil {
			return Status{}, err
		}
	}
	stage, hash, _ := strings.Cut(state, "-")
	status := Status{Stage: stage, HashMatch: hash == sha256Hex(content)}
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

func (p provider) keys() []key {
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
