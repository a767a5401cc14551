package credentials

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/token"
)

func server(t *testing.T) options.Server {
	t.Helper()
	var opts options.Server
	opts.Layout = layout.Layout{DataDir: t.TempDir()}
	if err := os.MkdirAll(opts.Server("cred"), 0o700); err != nil {
		t.Fatal(err)
	}
	return opts
}

func TestTheFirstStartMakesATokenAndTheSecondKeepsIt(t *testing.T) {
	opts := server(t)
	first, err := Resolve(opts)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Server) != 32 || first.Agent != first.Server {
		t.Errorf("got %+v", first)
	}
	if err := WriteFiles(opts, first, []byte("ca")); err != nil {
		t.Fatal(err)
	}
	if second, err := Resolve(opts); err != nil || second != first {
		t.Errorf("got %+v, %v", second, err)
	}
}

func TestFilesHaveTheFullForm(t *testing.T) {
	opts := server(t)
	opts.Token, opts.AgentToken = "one", "two"
	passwords, err := Resolve(opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteFiles(opts, passwords, []byte("ca")); err != nil {
		t.Fatal(err)
	}
	hash := token.HashCA([]byte("ca"))
	for name, want := range map[string]string{
		"token": "K10" + hash + "::server:one\n", "node-token": "K10" + hash + "::server:one\n", "agent-token": "K10" + hash + "::node:two\n",
		"cred/passwd": "two,node,node,k3s:agent\none,server,server,k3s:server\n",
	} {
		path := filepath.Join(opts.DataDir, "server", name)
		content, err := os.ReadFile(path)
		if err != nil || string(content) != want {
			t.Errorf("%s: got %q, %v", name, content, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
	// Without an agent token the name points at the server's.
	opts.AgentToken = ""
	if passwords, err = Resolve(opts); err != nil {
		t.Fatal(err)
	}
	if err := WriteFiles(opts, passwords, []byte("ca")); err != nil {
		t.Fatal(err)
	}
	if content, _ := os.ReadFile(opts.Server("agent-token")); !strings.HasSuffix(string(content), "::server:one\n") {
		t.Errorf("got %q", content)
	}
}

func TestTokenFile(t *testing.T) {
	opts := server(t)
	opts.TokenFile = filepath.Join(t.TempDir(), "token")
	if _, err := Resolve(opts); err == nil {
		t.Error("a missing file must be an error")
	}
	if err := os.WriteFile(opts.TokenFile, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if passwords, err := Resolve(opts); err != nil || passwords.Server != "secret" {
		t.Errorf("got %+v, %v", passwords, err)
	}
}
