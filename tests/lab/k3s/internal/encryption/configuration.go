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
	"time"

	"github.com/sirupsen/logrus"

	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
)

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

// state is the configuration taken apart: its keys, the first of which encrypts while it is enabled, and how far a change of
// them has come.
type state struct {
	provider string
	keys     []key
	enabled  bool
	stage    string
	// matches says whether the configuration is the one that the stage was noted for.
	matches bool
}

// Ensure writes the API server's configuration with a fresh key, once.
func Ensure(opts options.Server) error {
	if _, err := os.Stat(opts.Cred("encryption-config.json")); err == nil || !opts.SecretsEncryption {
		return nil
	}
	s := state{provider: opts.SecretsEncryptionProvider, enabled: true, stage: "start"}
	if err := s.addKey(""); err != nil {
		return err
	}
	return s.write(opts.Layout)
}

// addKey puts a new key before the others. Its name has the time, unless it is the first.
func (s *state) addKey(suffix string) error {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	added := key{Name: s.provider + "key" + suffix, Secret: base64.StdEncoding.EncodeToString(secret)}
	s.keys = append([]key{added}, s.keys...)
	return nil
}

func (s *state) addDatedKey() error {
	if err := s.addKey("-" + time.Now().UTC().Format(time.RFC3339)); err != nil {
		return err
	}
	logrus.Infof("Adding secrets-encryption key:  [Name: %s, Secret: [REDACTED]]", s.keys[0].Name)
	return nil
}

func (s *state) write(l layout.Layout) error {
	encrypting := provider{}
	switch s.provider {
	case "aescbc":
		encrypting.AESCBC = &keyList{Keys: s.keys}
	case "secretbox":
		encrypting.Secretbox = &keyList{Keys: s.keys}
	default:
		return fmt.Errorf("unsupported secrets-encryption-provider %s", s.provider)
	}
	providers := []provider{encrypting, {Identity: &struct{}{}}}
	if !s.enabled {
		providers[0], providers[1] = providers[1], providers[0]
	}
	content, err := json.Marshal(configuration{
		Kind: "EncryptionConfiguration", APIVersion: "apiserver.config.k8s.io/v1",
		Resources: []resource{{Resources: []string{"secrets"}, Providers: providers}},
	})
	if err != nil {
		return err
	}
	if err := layout.WriteFile(l.Cred("encryption-config.json"), content, 0o600); err != nil {
		return err
	}
	return layout.WriteFile(l.Cred("encryption-state.json"), []byte(s.stage+"-"+sha256Hex(content)), 0o600)
}

// read returns nothing where there is no configuration.
func read(l layout.Layout) (*state, error) {
	content, err := os.ReadFile(l.Cred("encryption-config.json"))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var config configuration
	if err := json.Unmarshal(content, &config); err != nil {
		return nil, err
	}
	noted, err := os.ReadFile(l.Cred("encryption-state.json"))
	if err != nil {
		return nil, err
	}
	stage, hash, _ := strings.Cut(string(noted), "-")
	s := &state{stage: stage, matches: hash == sha256Hex(content)}
	for _, resource := range config.Resources {
		for i, provider := range resource.Providers {
			switch {
			case provider.AESCBC != nil:
				s.provider, s.keys = "aescbc", provider.AESCBC.Keys
			case provider.Secretbox != nil:
				s.provider, s.keys = "secretbox", provider.Secretbox.Keys
			default:
				continue
			}
			s.enabled = i == 0
		}
	}
	return s, nil
}

// Hash is what the Node's annotation says of the configuration: its stage and its checksum.
func Hash(l layout.Layout) string {
	content, err := os.ReadFile(l.Cred("encryption-state.json"))
	if err != nil {
		return ""
	}
	return string(content)
}

func sha256Hex(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
