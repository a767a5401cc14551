package nodeconfig

import (
	"strings"
	"testing"
)

func TestSecretsAreMasked(t *testing.T) {
	t.Setenv("K3S_TOKEN", "hidden")
	t.Setenv("K3S_NODE_NAME", "one")
	got := Annotations([]string{"server", "--token=hidden", "--agent-token", "hidden", "--node-label=a=b", "--cluster-init"})
	want := `["server","--token","********","--agent-token","********","--node-label","a=b","--cluster-init"]`
	if got["k3s.io/node-args"] != want {
		t.Errorf("got %s, want %s", got["k3s.io/node-args"], want)
	}
	if env := got["k3s.io/node-env"]; strings.Contains(env, "hidden") || !strings.Contains(env, `"K3S_NODE_NAME":"one"`) {
		t.Errorf("got %s", env)
	}
}

func TestHashFollowsTheArguments(t *testing.T) {
	one, two := Annotations([]string{"server"}), Annotations([]string{"server", "--debug"})
	if one["k3s.io/node-config-hash"] == two["k3s.io/node-config-hash"] {
		t.Error("want different hashes")
	}
}
