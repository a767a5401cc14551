package resolver

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReachable(t *testing.T) {
	for content, want := range map[string]bool{
		"nameserver 203.0.113.1\n":                       true,
		"search x\nnameserver 2001:db8::1\n":             true,
		"nameserver 127.0.0.53\n":                        false,
		"nameserver 203.0.113.1\nnameserver 127.0.0.1\n": false,
		"nameserver fe80::1%eth0\n":                      false,
		"# nothing\n":                                    false,
	} {
		if got := reachable(content); got != want {
			t.Errorf("%q: got %v", content, got)
		}
	}
}

func TestFallback(t *testing.T) {
	old := hostFiles
	defer func() { hostFiles = old }()
	dir := t.TempDir()
	hostFiles = []string{filepath.Join(dir, "missing")}
	fallback := filepath.Join(dir, "resolv.conf")
	if got := File(fallback); got != fallback {
		t.Errorf("got %s", got)
	}
	if content, err := os.ReadFile(fallback); err != nil || string(content) != "nameserver 8.8.8.8\n" {
		t.Errorf("got %q, %v", content, err)
	}
}
