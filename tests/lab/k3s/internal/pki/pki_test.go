package pki

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestLeafGrowsItsSANsAndIsOtherwiseKept(t *testing.T) {
	dir := t.TempDir()
	ca, err := EnsureCA(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"), "k3s-server-ca")
	if err != nil {
		t.Fatal(err)
	}
	cert, key := filepath.Join(dir, "a.crt"), filepath.Join(dir, "a.key")
	ensure := func(sans ...string) []byte {
		t.Helper()
		if err := ca.EnsureLeaf(cert, key, Server("kube-apiserver", sans)); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(cert)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	first := ensure("127.0.0.1", "localhost")
	if !reflect.DeepEqual(first, ensure("localhost")) {
		t.Error("a certificate with more SANs than wanted must be kept")
	}
	grown, err := parseCert(ensure("203.0.113.10"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := sansOf(grown), []string{"localhost", "203.0.113.10", "127.0.0.1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNewAuthorityMeansNewLeaf(t *testing.T) {
	dir := t.TempDir()
	one, _ := EnsureCA(filepath.Join(dir, "1.crt"), filepath.Join(dir, "1.key"), "one")
	two, _ := EnsureCA(filepath.Join(dir, "2.crt"), filepath.Join(dir, "2.key"), "two")
	cert, key := filepath.Join(dir, "a.crt"), filepath.Join(dir, "a.key")
	for _, ca := range []*CA{one, two} {
		if err := ca.EnsureLeaf(cert, key, Client("system:admin", "system:masters")); err != nil {
			t.Fatal(err)
		}
		content, _ := os.ReadFile(cert)
		leaf, err := parseCert(content)
		if err != nil {
			t.Fatal(err)
		}
		if err := leaf.CheckSignatureFrom(ca.cert); err != nil {
			t.Error(err)
		}
	}
}

func TestRequestIsSignedWithTheSignersNames(t *testing.T) {
	dir := t.TempDir()
	ca, _ := EnsureCA(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"), "ca")
	key, _ := EnsureKey(filepath.Join(dir, "kubelet.key"))
	request, err := Request(key)
	if err != nil {
		t.Fatal(err)
	}
	content, err := ca.SignRequest(request, Client("system:node:worker", "system:nodes"))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := parseCert(content)
	if err != nil {
		t.Fatal(err)
	}
	if cert.Subject.CommonName != "system:node:worker" || cert.Subject.Organization[0] != "system:nodes" {
		t.Errorf("subject %v", cert.Subject)
	}
}
