package control

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.yaml.in/yaml/v2"

	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/token"
)

const (
	etcdEndpoint = "https://127.0.0.1:2379"
	loopback     = "127.0.0.1"
)

// HasDatastore says whether an earlier start has left an etcd; then it is used whatever the flags say.
func HasDatastore(l layout.Layout) bool {
	_, err := os.Stat(l.Server("db", "etcd", "member", "wal"))
	return err == nil
}

// member is this server as a part of the etcd cluster.
type member struct {
	name string
	ip   net.IP
}

// peerURL is where the cluster knows it.
func (m member) peerURL() string { return "https://" + net.JoinHostPort(m.ip.String(), "2380") }

// start runs the embedded etcd with one member and waits until it serves. A reset listens on loopback only and makes the
// member the only one, whichever the data names.
func (m member) start(ctx context.Context, opts options.Server, reset bool) (*embed.Etcd, error) {
	hosts := []string{loopback, m.ip.String()}
	if reset {
		hosts = hosts[:1]
	}
	settings := etcdSettings(m.name, opts.Server("db", "etcd"))
	settings["advertise-client-urls"] = urls("https", "2379", hosts[len(hosts)-1])
	settings["initial-advertise-peer-urls"] = m.peerURL()
	settings["initial-cluster"] = m.name + "=" + m.peerURL()
	settings["listen-client-urls"] = urls("https", "2379", hosts...)
	settings["listen-client-http-urls"] = urls("https", "2382", loopback)
	settings["listen-metrics-urls"] = urls("http", "2381", loopback)
	settings["listen-peer-urls"] = urls("https", "2380", hosts...)
	settings["client-transport-security"] = serverTLS(opts, "server-client", "server-ca")
	settings["peer-transport-security"] = serverTLS(opts, "peer-server-client", "peer-ca")
	if reset {
		settings["force-new-cluster"] = true
	}
	return startEtcd(ctx, settings)
}

// etcdSettings are what all etcds of a server have in common, in the words of etcd's configuration file. With these times
// a server needs some seconds to elect itself.
func etcdSettings(name, dir string) map[string]any {
	return map[string]any{
		"name": name, "data-dir": dir, "initial-cluster-state": "new",
		"election-timeout": 5000, "heartbeat-interval": 500, "snapshot-count": 10000,
		"warning-unary-request-duration": (300 * time.Millisecond).Nanoseconds(),
		"logger":                         "zap", "log-outputs": []string{"stderr"},
		"socket-options": map[string]bool{"reuse-address": true, "reuse-port": true},
	}
}

// startEtcd leaves the settings beside the data, as in k3s, and starts etcd from them.
func startEtcd(ctx context.Context, settings map[string]any) (*embed.Etcd, error) {
	content, err := yaml.Marshal(settings)
	if err != nil {
		return nil, err
	}
	file := fmt.Sprint(settings["data-dir"], "/config")
	if err := layout.WriteFile(file, content, 0o600); err != nil {
		return nil, err
	}
	config, err := embed.ConfigFromFile(file)
	if err != nil {
		return nil, err
	}
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return etcd, nil
	case <-ctx.Done():
		etcd.Close()
		return nil, ctx.Err()
	}
}

func serverTLS(opts options.Server, cert, ca string) map[string]any {
	return map[string]any{
		"cert-file": opts.TLS("etcd", cert+".crt"), "key-file": opts.TLS("etcd", cert+".key"),
		"trusted-ca-file": opts.TLS("etcd", ca+".crt"), "client-cert-auth": true,
	}
}

func urls(scheme, port string, hosts ...string) string {
	var result []string
	seen := map[string]bool{}
	for _, host := range hosts {
		if !seen[host] {
			seen[host] = true
			result = append(result, scheme+"://"+net.JoinHostPort(host, port))
		}
	}
	return strings.Join(result, ",")
}

// memberName is <node>-<8 hex>, made once.
func memberName(l layout.Layout, nodeName string) (string, error) {
	if name, err := MemberName(l); err == nil {
		return name, nil
	}
	return renameMember(l, nodeName)
}

// renameMember makes another name for a cluster that begins again.
func renameMember(l layout.Layout, nodeName string) (string, error) {
	suffix, err := token.Generate(4)
	if err != nil {
		return "", err
	}
	if err := layout.MakeDirs(0o700, l.Server("db", "etcd"), l.Server("db", "snapshots")); err != nil {
		return "", err
	}
	name := nodeName + "-" + suffix
	return name, layout.WriteFile(memberFile(l), []byte(name), 0o600)
}

// MemberName is how etcd knows this server.
func MemberName(l layout.Layout) (string, error) {
	content, err := os.ReadFile(memberFile(l))
	return strings.TrimSpace(string(content)), err
}

func memberFile(l layout.Layout) string { return l.Server("db", "etcd", "name") }

// EtcdClient connects to the embedded etcd of this host.
func EtcdClient(l layout.Layout) (*clientv3.Client, error) {
	tls := transport.TLSInfo{
		CertFile: l.TLS("etcd", "client.crt"), KeyFile: l.TLS("etcd", "client.key"), TrustedCAFile: l.TLS("etcd", "server-ca.crt"),
	}
	config, err := tls.ClientConfig()
	if err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{Endpoints: []string{etcdEndpoint}, TLS: config, DialTimeout: 5 * time.Second})
}

// awaitMembership returns when etcd knows this member under its present address.
func (m member) awaitMembership(ctx context.Context, client *clientv3.Client) error {
	for {
		err := m.check(ctx, client)
		if err == nil {
			return nil
		}
		logrus.Infof("Failed to test etcd connection: %v", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Second):
		}
	}
}

func (m member) check(ctx context.Context, client *clientv3.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	members, err := client.MemberList(ctx)
	if err != nil {
		return err
	}
	var found []string
	for _, other := range members.Members {
		for _, peer := range other.PeerURLs {
			if other.Name == m.name && peer == m.peerURL() {
				return nil
			}
			found = append(found, other.Name+"="+peer)
		}
	}
	return fmt.Errorf("this server is a not a member of the etcd cluster. Found %v, expect: %s=%s", found, m.name, m.peerURL())
}
