package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/token"
)

// NodeName is the configured name or the host's, in lower case, with an id that lasts if that is wanted.
func NodeName(opts options.Node) (string, error) {
	name := opts.Name
	if name == "" {
		host, err := os.Hostname()
		if err != nil {
			return "", err
		}
		name = host
	}
	name = strings.ToLower(name)
	if !opts.WithNodeID {
		return name, nil
	}
	id, err := keptSecret(filepath.Join(filepath.Dir(layout.NodePassword), "id"), 4)
	if err != nil {
		return "", err
	}
	return name + "-" + id, nil
}

// nodePassword is made at the first start and shows the server later that this is the same host.
func nodePassword() (string, error) { return keptSecret(layout.NodePassword, 16) }

func keptSecret(path string, size int) (string, error) {
	content, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(content)), nil
	}
	if !os.IsNotExist(err) {
		return "", err
	}
	secret, err := token.Generate(size)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	if err := layout.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("unable to write %s: %w", path, err)
	}
	return secret, nil
}
