// Package nodeconfig tells in a Node's annotations how the node was started, without its secrets.
package nodeconfig

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"os"
	"strings"
)

// The annotations by which a node tells its addresses.
const (
	InternalIP = "k3s.io/internal-ip"
	ExternalIP = "k3s.io/external-ip"
	Hostname   = "k3s.io/hostname"
)

// Annotations are the arguments and K3S_ variables of this process, and a hash over both.
func Annotations(args []string) map[string]string {
	arguments, env := asJSON(maskSecrets(args)), asJSON(nodeEnv())
	return map[string]string{
		"k3s.io/node-args":        arguments,
		"k3s.io/node-env":         env,
		"k3s.io/node-config-hash": configHash(arguments + env),
	}
}

// maskSecrets splits "--name=value" and hides the values of the flags that are secret.
func maskSecrets(args []string) []string {
	secret := map[string]bool{"--token": true, "-t": true, "--agent-token": true}
	var masked []string
	for i := 0; i < len(args); i++ {
		name, value, found := strings.Cut(args[i], "=")
		if !strings.HasPrefix(name, "-") {
			masked = append(masked, args[i])
			continue
		}
		if !found && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			i++
			value, found = args[i], true
		}
		masked = append(masked, name)
		if secret[name] {
			value = "********"
		}
		if found {
			masked = append(masked, value)
		}
	}
	return masked
}

func nodeEnv() map[string]string {
	env := map[string]string{}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "K3S_") {
			continue
		}
		if strings.Contains(name, "TOKEN") {
			value = "********"
		}
		env[name] = value
	}
	return env
}

func configHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base32.StdEncoding.EncodeToString(sum[:])
}

func asJSON(value any) string {
	if list, ok := value.([]string); ok {
		value = append([]string{}, list...)
	}
	content, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(content)
}
