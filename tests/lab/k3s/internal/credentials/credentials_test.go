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

func resolve(t *testing.T, opts options.Server) Passwords {
	t.Helper()
	passwords, err := Resolve(opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := passwords.WriteTokens(opts, []byte("ca")); err != nil {
		t.Fatal(err)
	}
	return passwords
}

func TestTheFirstStartMakesATokenAndTheSecondKeepsIt(t *testing.T) {
	opts := server(t)
	first := resolve(t, opts)
	if len(first.Server) != 32 || first.Agent != first.Server {
		t.Errorf("got %+v", first)
	}
	if second := resolve(t, opts); second != first {
		t.Errorf("got %+v", second)
	}
}

func TestATokenFileThatWasRemovedIsMadeAgain(t *testing.T) {
	opts := server(t)
	resolve(t, opts)
	before, err := os.ReadFile(opts.Server("token"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(opts.Server("token")); err != nil {
		t.Fatal(err)
	}
	if password, err := Sealing(opts); err != nil || password != "" {
		t.Errorf("got %q, %v", password, err)
	}
	resolve(t, opts)
	if after, err := os.ReadFile(opts.Server("token")); err != nil || string(after) != string(before) {
		t.Errorf("got %q, %v", after, err)
	}
}

func TestTheTokenFileAloneDoesNotMakeThePassword(t *testing.T) {
	opts := server(t)
	if err := os.WriteFile(opts.Server("token"), []byte("K10"+strings.Repeat("0", 64)+"::server:restored\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if password, err := Sealing(opts); err != nil || password != "restored" {
		t.Errorf("got %q, %v", password, err)
	}
	if passwords := resolve(t, opts); passwords.Server == "restored" {
		t.Error("want a new password: only passwd is the memory")
	}
}

func TestFilesHaveTheFullForm(t *testing.T) {
	opts := server(t)
	opts.Token, opts.AgentToken = "one", "two"
	resolve(t, opts)
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
	resolve(t, opts)
	if content, _ := os.ReadFile(opts.Server("agent-token")); !strings.HasSuffix(string(content), "::server:one\n") {
		t.Errorf("got %q", content)
	}
}

func TestConfiguredTokensMayHaveTheFullForm(t *testing.T) {
	opts := server(t)
	opts.TokenFile, opts.AgentToken = filepath.Join(t.TempDir(), "token"), "bare"
	if err := os.WriteFile(opts.TokenFile, []byte("K10"+strings.Repeat("0", 64)+"::server:secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Configured(&opts); err != nil || opts.Token != "secret" || opts.AgentToken != "bare" {
		t.Errorf("got %q, %q, %v", opts.Token, opts.AgentToken, err)
	}
}

func TestARotatedPasswordCountsFromTheNextStart(t *testing.T) {
	opts := server(t)
	old := resolve(t, opts)
	if err := old.Rotate(opts, []byte("ca"), "next"); err != nil {
		t.Fatal(err)
	}
	if got := resolve(t, opts); got != (Passwords{Server: "next", Agent: "next"}) {
		t.Errorf("got %+v", got)
	}
}

func TestARestoreNeedsTheToken(t *testing.T) {
	opts := server(t)
	opts.ClusterResetRestorePath = "/root/snapshot"
	if err := ForReset(opts); err == nil || !strings.Contains(err.Error(), "server/token does not exist, please pass --token to complete the restoration") {
		t.Errorf("got %v", err)
	}
	opts.Token = "given"
	if err := ForReset(opts); err != nil {
		t.Error(err)
	}
}
