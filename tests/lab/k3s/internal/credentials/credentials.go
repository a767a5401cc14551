// Package credentials has the secrets with which nodes join, and the files that hold them.
package credentials

import (
	"errors"
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

// Configured reads the tokens that the options name into the options, and waits for their files.
func Configured(opts *options.Server) error {
	for _, t := range []struct {
		direct *string
		file   string
		user   string
	}{{&opts.Token, opts.TokenFile, "server"}, {&opts.AgentToken, opts.AgentTokenFile, "node"}} {
		if *t.direct == "" && t.file != "" {
			content, err := layout.ReadAwaited(t.file)
			if err != nil {
				return err
			}
			*t.direct = strings.TrimSpace(string(content))
		}
		if *t.direct == "" {
			continue
		}
		parsed, err := token.Parse(*t.direct, t.user)
		if err != nil {
			return err
		}
		*t.direct = parsed.Password
	}
	return nil
}

// Sealing is the password with which the data of an earlier start was sealed, as far as options and files tell: the
// configured one, or that of server/token. It is empty if neither is there.
func Sealing(opts options.Server) (string, error) {
	if opts.Token != "" {
		return opts.Token, nil
	}
	content, err := os.ReadFile(opts.Server("token"))
	if os.IsNotExist(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	parsed, err := token.Parse(string(content), "server")
	return parsed.Password, err
}

// ForReset makes sure that a restored server knows the password of what it restores.
func ForReset(opts options.Server) error {
	if opts.ClusterResetRestorePath == "" || opts.Token != "" {
		return nil
	}
	if _, err := os.Stat(opts.Server("token")); err != nil {
		return errors.New(opts.Server("token") + " does not exist, please pass --token to complete the restoration")
	}
	return nil
}

// Resolve takes the configured passwords, else those of an earlier start, else makes one; and keeps them. The file passwd is
// the memory: server/token is written from it and never read here.
func Resolve(opts options.Server) (Passwords, error) {
	known, err := readPasswd(opts.Cred("passwd"))
	if err != nil {
		return Passwords{}, err
	}
	passwords := Passwords{Server: opts.Token, Agent: opts.AgentToken}
	if passwords.Server == "" {
		passwords.Server = known["server"]
	}
	if passwords.Server == "" {
		if passwords.Server, err = token.Generate(16); err != nil {
			return Passwords{}, err
		}
	}
	if passwords.Agent == "" {
		passwords.Agent = passwords.Server
	}
	if passwords == (Passwords{Server: known["server"], Agent: known["node"]}) {
		return passwords, nil
	}
	return passwords, passwords.writePasswd(opts)
}

func readPasswd(path string) (map[string]string, error) {
	known := map[string]string{}
	content, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return known, nil
	}
	for line := range strings.Lines(string(content)) {
		if fields := strings.Split(line, ","); len(fields) > 1 {
			known[fields[1]] = fields[0]
		}
	}
	return known, err
}

func (p Passwords) writePasswd(opts options.Server) error {
	text := fmt.Sprintf("%s,node,node,k3s:agent\n%s,server,server,k3s:server\n", p.Agent, p.Server)
	return layout.WriteFile(opts.Cred("passwd"), []byte(text), 0o600)
}

// WriteTokens leaves the full tokens where an operator looks for them.
func (p Passwords) WriteTokens(opts options.Server, serverCA []byte) error {
	hash := token.HashCA(serverCA)
	server := token.Token{CAHash: hash, User: "server", Password: p.Server}
	if err := layout.WriteFile(opts.Server("token"), []byte(server.String()+"\n"), 0o600); err != nil {
		return err
	}
	if err := replaceLink(opts.Server("node-token"), opts.Server("token")); err != nil {
		return err
	}
	if p.Agent == p.Server {
		return replaceLink(opts.Server("agent-token"), opts.Server("token"))
	}
	agent := token.Token{CAHash: hash, User: "node", Password: p.Agent}
	return layout.WriteFile(opts.Server("agent-token"), []byte(agent.String()+"\n"), 0o600)
}

// Rotate puts another server password into the files. It counts from the next start on.
func (p Passwords) Rotate(opts options.Server, serverCA []byte, password string) error {
	if p.Agent == p.Server && opts.AgentToken == "" {
		p.Agent = password
	}
	p.Server = password
	if err := p.writePasswd(opts); err != nil {
		return err
	}
	return p.WriteTokens(opts, serverCA)
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
