// Package authorities makes the certificate authorities of a cluster and the certificates of its server.
package authorities

import (
	"net"
	"os"

	"k3srun.test/lab/k3s/internal/hostnet"
	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/pki"
	"k3srun.test/lab/k3s/internal/token"
)

// Set is all authorities of a cluster.
type Set struct {
	Client, Server, RequestHeader, EtcdServer, EtcdPeer *pki.CA
}

// Ensure makes what is missing below server/tls and renews what is near its end.
func Ensure(opts options.Server, nodeName string, nodeIP net.IP) (*Set, error) {
	tls := opts.TLS
	if err := layout.MakeDirs(0o700, opts.Server(), opts.TLS(), opts.TLS("temporary-certs"), opts.Server("cred"), opts.Server("db"),
		opts.Server("manifests"), opts.Server("etc"), opts.Server("static"), opts.Server("static", "charts")); err != nil {
		return nil, err
	}
	if err := layout.MakeDirs(0o755, opts.TLS("etcd"), opts.TLS("kube-scheduler"), opts.TLS("kube-controller-manager")); err != nil {
		return nil, err
	}
	var cas Set
	for _, a := range []struct {
		ca   **pki.CA
		file string
		name string
	}{
		{&cas.Client, "client-ca", "k3s-client-ca"},
		{&cas.Server, "server-ca", "k3s-server-ca"},
		{&cas.RequestHeader, "request-header-ca", "k3s-request-header-ca"},
		{&cas.EtcdServer, "etcd/server-ca", "etcd-server-ca"},
		{&cas.EtcdPeer, "etcd/peer-ca", "etcd-peer-ca"},
	} {
		ca, err := pki.EnsureCA(tls(a.file+".crt"), tls(a.file+".key"), a.name)
		if err != nil {
			return nil, err
		}
		*a.ca = ca
	}

	apiSANs, err := servingNames(opts, nodeName, nodeIP)
	if err != nil {
		return nil, err
	}
	local := []string{"localhost", "127.0.0.1", "::1", nodeName, nodeIP.String()}
	for _, c := range []struct {
		ca   *pki.CA
		file string
		leaf pki.Leaf
	}{
		{cas.Client, "client-admin", pki.Client("system:admin", "system:masters")},
		{cas.Client, "client-supervisor", pki.Client("system:k3s-supervisor", "system:masters")},
		{cas.Client, "client-controller", pki.Client("system:kube-controller-manager")},
		{cas.Client, "client-scheduler", pki.Client("system:kube-scheduler")},
		{cas.Client, "client-kube-apiserver", pki.Client("system:apiserver", "system:masters")},
		{cas.Client, "client-k3s-cloud-controller", pki.Client("k3s-cloud-controller-manager")},
		{cas.RequestHeader, "client-auth-proxy", pki.Client("system:auth-proxy")},
		{cas.Server, "serving-kube-apiserver", pki.Server("kube-apiserver", apiSANs)},
		{cas.Server, "kube-scheduler/kube-scheduler", pki.Server("kube-scheduler", local)},
		{cas.Server, "kube-controller-manager/kube-controller-manager", pki.Server("kube-controller-manager", local)},
		{cas.EtcdServer, "etcd/server-client", pki.Peer("etcd-server", local)},
		{cas.EtcdPeer, "etcd/peer-server-client", pki.Peer("etcd-peer", local)},
		{cas.EtcdServer, "etcd/client", pki.Client("etcd-client")},
	} {
		if err := c.ca.EnsureLeaf(tls(c.file+".crt"), tls(c.file+".key"), c.leaf); err != nil {
			return nil, err
		}
	}
	for _, key := range []string{"service.key", "service.current.key"} {
		if err := ensureServiceKey(tls("service.key"), tls(key)); err != nil {
			return nil, err
		}
	}
	return &cas, ensureSecret(opts.Cred("ipsec.psk"))
}

// servingNames are the names and addresses by which clients may reach the API server.
func servingNames(opts options.Server, nodeName string, nodeIP net.IP) ([]string, error) {
	serviceIP, err := hostnet.NthIP(opts.ServiceCIDR, 1)
	if err != nil {
		return nil, err
	}
	names := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + opts.ClusterDomain,
		"localhost", "127.0.0.1", "::1", serviceIP.String(), nodeName, nodeIP.String(), opts.AdvertiseAddress}
	names = append(names, opts.IPs...)
	return append(names, opts.TLSSANs...), nil
}

// ensureSecret keeps a random text that nothing here uses, but that a cluster's data includes.
func ensureSecret(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	secret, err := token.Generate(48)
	if err != nil {
		return err
	}
	return layout.WriteFile(path, []byte(secret), 0o600)
}

func ensureServiceKey(source, path string) error {
	if _, err := pki.EnsureKey(source); err != nil || source == path {
		return err
	}
	content, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	return layout.WriteFile(path, content, 0o600)
}
