// Package kubeconfig writes the files with which clients find and trust the API server.
package kubeconfig

import (
	"encoding/base64"
	"fmt"
	"os"

	"k3srun.test/lab/k3s/internal/layout"
)

// Embedded is an administrator's file: everything inside, so that it can be copied away.
func Embedded(url, caFile, certFile, keyFile string) ([]byte, error) {
	var encoded []any
	for _, path := range []string{caFile, certFile, keyFile} {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		encoded = append(encoded, base64.StdEncoding.EncodeToString(content))
	}
	return fmt.Appendf(nil, `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: %s
    server: `+url+`
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
users:
- name: default
  user:
    client-certificate-data: %s
    client-key-data: %s
`, encoded...), nil
}

// WriteReferring writes a component's file, which names the certificates beside it.
func WriteReferring(path, url, caFile, certFile, keyFile string) error {
	return layout.WriteFile(path, fmt.Appendf(nil, `apiVersion: v1
clusters:
- cluster:
    server: %s
    certificate-authority: %s
  name: local
contexts:
- context:
    cluster: local
    namespace: default
    user: user
  name: Default
current-context: Default
kind: Config
preferences: {}
users:
- name: user
  user:
    client-certificate: %s
    client-key: %s
`, url, caFile, certFile, keyFile), 0o600)
}
