package supervisor

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"k3srun.test/lab/k3s/internal/authorities"
	"k3srun.test/lab/k3s/internal/credentials"
	"k3srun.test/lab/k3s/internal/join"
	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/pki"
	"k3srun.test/lab/k3s/internal/token"
)

// start serves on a port of its own; the API server stays away.
func start(t *testing.T) (url, caHash string, s *Supervisor) {
	t.Helper()
	opts := options.Server{ServiceCIDR: "10.43.0.0/16", ClusterDomain: "cluster.local"}
	opts.Layout, opts.BindAddress = layout.Layout{DataDir: t.TempDir()}, "127.0.0.1"
	cas, err := authorities.Ensure(opts, "master", net.IPv4(127, 0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	s = New(opts, cas, credentials.Passwords{Server: "server-pw", Agent: "agent-pw"}, join.Config{ClusterCIDR: "10.42.0.0/16"})
	listener, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() {
		if err := s.Serve(ctx, listener); err != nil {
			t.Error(err)
		}
	}()
	return "https://" + listener.Addr().String(), token.HashCA(cas.Server.CertPEM), s
}

func connect(t *testing.T, url string, tok token.Token) *join.Client {
	t.Helper()
	client, err := join.Connect(url, tok)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func ready(s *Supervisor) {
	var client kubernetes.Interface = fake.NewClientset()
	s.SetReady(client)
}

func status(err error) string {
	if e, ok := err.(join.StatusError); ok {
		return fmt.Sprintf("%d %s", e.Code, e.Message)
	}
	return fmt.Sprint(err)
}

func TestAnAgentPinsTheServersCA(t *testing.T) {
	url, hash, _ := start(t)
	connect(t, url, token.Token{CAHash: hash, User: "node", Password: "agent-pw"})
	_, err := join.Connect(url, token.Token{CAHash: strings.Repeat("0", 64), User: "node", Password: "agent-pw"})
	if err == nil || !strings.Contains(err.Error(), "token CA hash does not match the Cluster CA certificate hash") {
		t.Errorf("got %v", err)
	}
}

func TestOnlyTheRightPasswordIsAdmitted(t *testing.T) {
	url, hash, _ := start(t)
	for _, c := range []struct{ user, password, path, want string }{
		{"node", "agent-pw", "/v1-k3s/config", "<nil>"},
		{"server", "server-pw", "/v1-k3s/config", "<nil>"},
		{"node", "server-pw", "/v1-k3s/config", "401 not authorized"},
		{"node", "", "/v1-k3s/config", "401 not authorized"},
		{"node", "agent-pw", "/v1-k3s/encrypt/status", "401 not authorized"},
		{"server", "server-pw", "/v1-k3s/encrypt/status", "<nil>"},
		{"node", "agent-pw", "/v1-k3s/readyz", "503 runtime core not ready"},
		{"node", "agent-pw", "/api/v1/nodes", "503 apiserver not ready"},
		{"", "", "/ping", "<nil>"},
	} {
		_, err := connect(t, url, token.Token{CAHash: hash, User: c.user, Password: c.password}).Get(c.path)
		if got := status(err); got != c.want {
			t.Errorf("%s:%s %s: got %s, want %s", c.user, c.password, c.path, got, c.want)
		}
	}
}

func TestANodeNameBelongsToOneHost(t *testing.T) {
	url, hash, s := start(t)
	client := connect(t, url, token.Token{CAHash: hash, User: "node", Password: "agent-pw"})
	key, err := pki.EnsureKey(t.TempDir() + "/kubelet.key")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(password string) error { return askKubelet(t, client, key, password) }
	if got := status(ask("first")); got != "503 runtime core not ready" {
		t.Errorf("before the server is ready: %s", got)
	}
	ready(s)
	if err := ask("first"); err != nil {
		t.Errorf("first registration: %v", err)
	}
	if err := ask("first"); err != nil {
		t.Errorf("the same host again: %v", err)
	}
	if got := status(ask("other")); !strings.HasPrefix(got, "403 ") {
		t.Errorf("another host: %s", got)
	}
}

func askKubelet(t *testing.T, client *join.Client, key *ecdsa.PrivateKey, password string) error {
	t.Helper()
	request, err := pki.Request(key)
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	header.Set(join.HeaderName, "worker")
	header.Set(join.HeaderPassword, password)
	header.Set(join.HeaderIP, "10.77.0.11")
	_, err = client.Post("/v1-k3s/serving-kubelet.crt", request, header)
	return err
}

func TestTheAPIServerAnswersEverythingElse(t *testing.T) {
	url, hash, s := start(t)
	s.SetAPI(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "api ", r.URL.Path) }))
	got, err := connect(t, url, token.Token{CAHash: hash}).Get("/api/v1/nodes")
	if err != nil || string(got) != "api /api/v1/nodes" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAPortThatIsTakenIsToldAtOnce(t *testing.T) {
	_, _, s := start(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s.opts.HTTPSPort = taken.Addr().(*net.TCPAddr).Port
	if _, err := s.Listen(); err == nil || !strings.Contains(err.Error(), "failed to start supervisor listener") {
		t.Errorf("got %v", err)
	}
}
