package certificates

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k3srun.test/lab/k3s/internal/authorities"
	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/pki"
)

// host is a server after its first start.
func host(t *testing.T) Host {
	t.Helper()
	opts := options.Server{ServiceCIDR: "10.43.0.0/16", ClusterDomain: "cluster.local"}
	opts.Layout = layout.Layout{DataDir: t.TempDir()}
	cas, err := authorities.Ensure(opts, "master", net.IPv4(10, 77, 0, 10))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(opts.Agent(), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"client-kubelet", "serving-kubelet", "client-kube-proxy", "client-k3s-controller"} {
		if err := cas.Client.EnsureLeaf(opts.Agent(name+".crt"), opts.Agent(name+".key"), pki.Client(name)); err != nil {
			t.Fatal(err)
		}
	}
	return Find(opts.Layout)
}

func TestCheckTellsEachCertificateAndItsChain(t *testing.T) {
	certificates, err := host(t).Check([]string{"admin", "etcd"})
	if err != nil || len(certificates) != 8 {
		t.Fatalf("got %d, %v", len(certificates), err)
	}
	got := certificates[0]
	if got.Filename != "client-admin.crt" || got.Subject != "system:admin" || got.Status != "OK" || got.Usages[0] != "ClientAuth" || Rounded(got.ResidualTime) != "1 year" {
		t.Errorf("got %+v", got)
	}
	if ca := certificates[1]; ca.Subject != ca.Issuer || ca.Usages[0] != "CertSign" || Rounded(ca.ResidualTime) != "10 years" {
		t.Errorf("got %+v", ca)
	}
}

func TestRotateKeepsACopyAndTheAuthorities(t *testing.T) {
	h := host(t)
	backup, err := h.Rotate(nil)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(backup) != h.layout.Server() {
		t.Errorf("backup in %s", backup)
	}
	for path, want := range map[string]bool{
		h.layout.TLS("client-admin.crt"): false, h.layout.TLS("etcd", "client.key"): false, h.layout.Agent("client-kubelet.crt"): false,
		h.layout.TLS("server-ca.crt"): true, h.layout.TLS("service.key"): true,
		filepath.Join(backup, "client-admin.key"): true, filepath.Join(backup, "client-kubelet.crt"): true,
	} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	if info, err := os.Stat(filepath.Join(backup, "client-admin.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
}

func TestAnUnknownServiceChangesNothing(t *testing.T) {
	h := host(t)
	if _, err := h.Rotate([]string{"nosuch"}); err == nil || err.Error() != "service nosuch is not recognized" {
		t.Errorf("got %v", err)
	}
	if found, err := filepath.Glob(h.layout.Server("tls-*")); err != nil || found != nil {
		t.Errorf("got %q, %v", found, err)
	}
}

func TestRounded(t *testing.T) {
	for d, want := range map[time.Duration]string{day: "1 day", 40 * day: "40 days", 364 * day: "1 year", 10 * 365 * day: "10 years"} {
		if got := Rounded(d); got != want {
			t.Errorf("%s: got %s, want %s", d, got, want)
		}
	}
}
