// Package credentials has the secrets with which nodes join, and the files that hold them.
package credentials

import (
	"fmt"
	"os"
	"strings"

	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/token"
)

// Passwords are the secrets with which nodes join.
type Passwords struct {
	// Server joins servers, and agents too unless there is an agent password.
	Server string
	// Agent is the password of user "node".
	Agent string
}

// Resolve takes the configured tokens, else those of an earlier start, else makes one.
func Resolve(opts options.Server) (Passwords, error) {
	server, err := configured(opts.Token, opts.TokenFile)
	if err != nil {
		return Passwords{}, err
	}
	if server == "" {
		if content, err := os.ReadFile(opts.Server("token")); err == nil {
			server = strings.TrimSpace(string(content))
		}
	}
	if server == "" {
		if server, err = token.Generate(16); err != nil {
			return Passwords{}, err
		}
	}
	parsed, err := token.Parse(server, "server")
	if err != nil {
		return Passwords{}, err
	}
	agent, err := configured(opts.AgentToken, opts.AgentTokenFile)
	if err != nil {
		return Passwords{}, err
	}
	if agent == "" {
		return Passwords{Server: parsed.Password, Agent: parsed.Password}, nil
	}
	parsedAgent, err := token.Parse(agent, "node")
	if err != nil {
		return Passwords{}, err
	}
	return Passwords{Server: parsed.Password, Agent: parsedAgent.Password}, nil
}

// configured reads a token that was given directly or in a file.
func configured(direct, file string) (string, error) {
	if direct != "" || file == "" {
		return direct, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	return strings.TrimSpace(string(content)), nil
}

// WriteFiles leaves the full tokens where an operator looks for them.
func WriteFiles(opts options.Server, passwords Passwords, serverCA []byte) error {
	hash := token.HashCA(serverCA)
	server := token.Token{CAHash: hash, User: "server", Password: passwords.Server}
	if err := layout.WriteFile(opts.Server("token"), []byte(server.String()+"\n"), 0o600); err != nil {
		return err
	}
	if err := replaceLink(opts.Server("node-token"), opts.Server("token")); err != nil {
		return err
	}
	if passwords.Agent == passwords.Server {
		if err := replaceLink(opts.Server("agent-token"), opts.Server("token")); err != nil {
			return err
		}
	} else {
		agent := token.Token{CAHash: hash, User: "node", Password: passwords.Agent}
		if err := layout.WriteFile(opts.Server("agent-token"), []byte(agent.String()+"\n"), 0o600); err != nil {
			return err
		}
	}
	passwd := fmt.Sprintf("%s,node,node,k3s:agent\n%s,server,server,k3s:server\n", passwords.Agent, passwords.Server)
	return layout.WriteFile(opts.Cred("passwd"), []byte(passwd), 0o600)
}

func replaceLink(link, target string) error {
	if old, err := os.Readlink(link); err == nil && old == target {
		return nil
	}
	if err := os.RemoveAll(link); err != nil {
		return err
	}
	return os.Symlink(target, link)
}
