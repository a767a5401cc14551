package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/token"
)

const etcdEndpoint = "https://127.0.0.1:2379"

// errNoDatastore says why a server without etcd can't start here.
var errNoDatastore = errors.New("preparing server: this distribution has no sqlite: the only datastore is embedded etcd, so set cluster-init: true")

// etcdExists says whether an earlier start has left an etcd; then it is used whatever the flags say.
func etcdExists(l layout.Layout) bool {
	_, err := os.Stat(l.Server("db", "etcd", "member", "wal"))
	return err == nil
}

// startEtcd runs the embedded etcd with one member and waits until it serves.
func startEtcd(ctx context.Context, opts options.Server, nodeName string, nodeIP net.IP) (*embed.Etcd, error) {
	dir := opts.Server("db", "etcd")
	if err := layout.MakeDirs(0o700, dir); err != nil {
		return nil, err
	}
	name, err := memberName(opts.Layout, nodeName)
	if err != nil {
		return nil, err
	}
	config := embed.NewConfig()
	config.Name, config.Dir = name, dir
	config.LogLevel, config.LogOutputs = "warn", []string{"stderr"}
	config.ListenClientUrls = urls("https", "2379", "127.0.0.1", nodeIP.String())
	config.AdvertiseClientUrls = urls("https", "2379", nodeIP.String())
	config.ListenPeerUrls = urls("https", "2380", "127.0.0.1", nodeIP.String())
	config.AdvertisePeerUrls = urls("https", "2380", nodeIP.String())
	config.ListenMetricsUrls = urls("http", "2381", "127.0.0.1")
	config.ListenClientHttpUrls = urls("https", "2382", "127.0.0.1")
	config.InitialCluster = name + "=" + config.AdvertisePeerUrls[0].String()
	config.ClusterState = embed.ClusterStateFlagNew
	config.WarningUnaryRequestDuration = embed.DefaultWarningUnaryRequestDuration
	config.ClientTLSInfo = serverTLS(opts, "server-client", "server-ca")
	config.PeerTLSInfo = serverTLS(opts, "peer-server-client", "peer-ca")

	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return nil, fmt.Errorf("starting etcd: %w", err)
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return etcd, nil
	case <-ctx.Done():
		etcd.Close()
		return nil, ctx.Err()
	}
}

func serverTLS(opts options.Server, cert, ca string) transport.TLSInfo {
	return transport.TLSInfo{
		CertFile: opts.TLS("etcd", cert+".crt"), KeyFile: opts.TLS("etcd", cert+".key"),
		TrustedCAFile: opts.TLS("etcd", ca+".crt"), ClientCertAuth: true,
	}
}

func urls(scheme, port string, hosts ...string) []url.URL {
	var result []url.URL
	seen := map[string]bool{}
	for _, host := range hosts {
		if !seen[host] {
			seen[host] = true
			result = append(result, url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port)})
		}
	}
	return result
}

// memberName is <node>-<8 hex>, made once.
func memberName(l layout.Layout, nodeName string) (string, error) {
	file := l.Server("db", "etcd", "name")
	if content, err := os.ReadFile(file); err == nil {
		return strings.TrimSpace(string(content)), nil
	}
	suffix, err := token.Generate(4)
	if err != nil {
		return "", err
	}
	name := nodeName + "-" + suffix
	return name, layout.WriteFile(file, []byte(name), 0o600)
}

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

// waitForMembership returns when etcd knows this member under its present address.
func waitForMembership(ctx context.Context, client *clientv3.Client, name string, nodeIP net.IP) error {
	expected := "https://" + net.JoinHostPort(nodeIP.String(), "2380")
	for {
		err := checkMembership(ctx, client, name, expected)
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

func checkMembership(ctx context.Context, client *clientv3.Client, name, expected string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	members, err := client.MemberList(ctx)
	if err != nil {
		return err
	}
	var found []string
	for _, member := range members.Members {
		for _, peer := range member.PeerURLs {
			if member.Name == name && peer == expected {
				return nil
			}
			found = append(found, member.Name+"="+peer)
		}
	}
	return fmt.Errorf("this server is a not a member of the etcd cluster. Found %v, expect: %s=%s", found, name, expected)
}
