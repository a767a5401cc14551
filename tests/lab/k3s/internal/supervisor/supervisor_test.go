package supervisor

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"k3srun.test/lab/k3s/internal/authorities"
	"k3srun.test/lab/k3s/internal/credentials"
	"k3srun.test/lab/k3s/internal/join"
	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/pki"
	"k3srun.test/lab/k3s/internal/snapshots"
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
	store := snapshots.Default(opts.Layout, "master")
	s = New(opts, "master", cas, credentials.Passwords{Server: "server-pw", Agent: "agent-pw"}, store, join.Config{ClusterCIDR: "10.42.0.0/16"})
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
	s.Open()
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

func TestWhoMayAskForWhat(t *testing.T) {
	url, hash, s := start(t)
	ready(s)
	for _, c := range []struct{ user, password, path, want string }{
		{"", "", "/ping", "<nil>"},
		{"", "", "/v1-k3s/config", "403 forbidden"},
		{"node", "agent-pw", "/v1-k3s/config", "<nil>"},
		{"node", "server-pw", "/v1-k3s/config", "401 not authorized"},
		{"server", "agent-pw", "/v1-k3s/config", "401 not authorized"},
		{"server", "server-pw", "/v1-k3s/config", "403 forbidden"},
		{"nobody", "agent-pw", "/v1-k3s/config", "401 not authorized"},
		{"node", "agent-pw", "/v1-k3s/server-bootstrap", "403 forbidden"},
		{"node", "agent-pw", "/v1-k3s/encrypt/status", "403 forbidden"},
		{"server", "server-pw", "/v1-k3s/encrypt/status", "<nil>"},
		{"server", "server-pw", "/v1-k3s/token", "405 method not allowed"},
		{"", "abcdef.0123456789abcdef", "/v1-k3s/config", "401 not authorized"},
	} {
		_, err := connect(t, url, token.Token{CAHash: hash, User: c.user, Password: c.password}).Get(c.path)
		if got := status(err); got != c.want {
			t.Errorf("%s:%s %s: got %s, want %s", c.user, c.password, c.path, got, c.want)
		}
	}
}

func TestARefusalIsAStatusOfTheAPIAndALineOfTheLog(t *testing.T) {
	var log bytes.Buffer
	logrus.SetOutput(&log)
	defer logrus.SetOutput(os.Stderr)
	url, _, _ := start(t)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	request, err := http.NewRequest(http.MethodGet, url+"/v1-k3s/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("node", "wrong")
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	want := "{\n  \"kind\": \"Status\",\n  \"metadata\": {},\n  \"status\": \"Failure\",\n  \"message\": \"not authorized\",\n  \"reason\": \"Unauthorized\",\n  \"code\": 401\n}\n"
	if err != nil || string(body) != want || response.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %s, %v", body, err)
	}
	for _, line := range []string{
		`msg="Failed to authenticate request from 127\.0\.0\.1:\d+: invalid username/password combination"`,
		`msg="Sending HTTP/[0-9.]+ 401 response to 127\.0\.0\.1:\d+: not authorized"`,
	} {
		if !regexp.MustCompile(line).Match(log.Bytes()) {
			t.Errorf("the log lacks %s:\n%s", line, log.String())
		}
	}
}

func TestEveryPathSaysSoWhileTheServerStarts(t *testing.T) {
	url, hash, s := start(t)
	client := connect(t, url, token.Token{CAHash: hash, User: "node", Password: "agent-pw"})
	s.open.Store(false)
	for _, path := range []string{"/ping", "/cacerts", "/readyz", "/v1-k3s/config", "/api/v1/nodes"} {
		if _, err := client.Get(path); status(err) != "503 starting" {
			t.Errorf("%s: got %s", path, status(err))
		}
	}
	s.Open()
	for path, want := range map[string]string{"/readyz": "503 apiserver not ready", "/v1-k3s/readyz": "503 runtime core not ready", "/ping": "<nil>"} {
		if _, err := client.Get(path); status(err) != want {
			t.Errorf("%s: got %s, want %s", path, status(err), want)
		}
	}
}

func TestABootstrapTokenLetsAnAgentInUntilItExpires(t *testing.T) {
	url, hash, s := start(t)
	secret := func(id string, expires time.Time) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "bootstrap-token-" + id, Namespace: "kube-system"},
			Data:       map[string][]byte{"token-secret": []byte("0123456789abcdef"), "expiration": []byte(expires.Format(time.RFC3339))},
		}
	}
	var client kubernetes.Interface = fake.NewClientset(secret("youngs", time.Now().Add(time.Hour)), secret("expire", time.Now().Add(-time.Hour)))
	s.SetReady(client)
	for _, c := range []struct{ token, path, want string }{
		{"youngs.0123456789abcdef", "/v1-k3s/readyz", "<nil>"},
		{"youngs.0123456789abcdef", "/v1-k3s/server-bootstrap", "403 forbidden"},
		{"youngs.fedcba9876543210", "/v1-k3s/readyz", "401 not authorized"},
		{"expire.0123456789abcdef", "/v1-k3s/readyz", "401 not authorized"},
	} {
		_, err := connect(t, url, token.Token{CAHash: hash, Password: c.token}).Get(c.path)
		if got := status(err); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.token, c.path, got, c.want)
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
	if got := status(ask("other")); got != "403 unable to verify password for node worker: hash does not match" {
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
	_, err = client.Do(http.MethodPost, "/v1-k3s/serving-kubelet.crt", request, header)
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
