// Package pki makes the cluster's certificate authorities and certificates, and renews the latter.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"os"
	"time"

	"k3srun.test/lab/k3s/internal/layout"
)

const (
	caLifetime   = 10 * 365 * 24 * time.Hour
	leafLifetime = 365 * 24 * time.Hour
	renewBefore  = 120 * 24 * time.Hour
)

// CA is a certificate authority that signs leaf certificates.
type CA struct {
	CertPEM []byte
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
}

// Leaf is what a certificate is for. Server certificates have SANs, client certificates have none.
type Leaf struct {
	CommonName   string
	Organization []string
	SANs         []string
	Usages       []x509.ExtKeyUsage
}

// Client is a leaf that authenticates commonName, a member of the organizations.
func Client(commonName string, organization ...string) Leaf {
	return Leaf{CommonName: commonName, Organization: organization, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
}

// Server is a leaf for the addresses and names in sans.
func Server(commonName string, sans []string) Leaf {
	return Leaf{CommonName: commonName, SANs: sans, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
}

// Peer is a leaf for both ends of a connection.
func Peer(commonName string, sans []string) Leaf {
	return Leaf{CommonName: commonName, SANs: sans, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
}

// EnsureCA loads an authority, or makes one if its files are absent.
func EnsureCA(certFile, keyFile, name string) (*CA, error) {
	if _, err := os.Stat(certFile); os.IsNotExist(err) {
		if err := createCA(certFile, keyFile, name); err != nil {
			return nil, err
		}
	}
	certPEM, err := os.ReadFile(certFile)
	if err != nil {
		return nil, err
	}
	cert, err := parseCert(certPEM)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", certFile, err)
	}
	key, err := EnsureKey(keyFile)
	if err != nil {
		return nil, err
	}
	return &CA{CertPEM: certPEM, cert: cert, key: key}, nil
}

func createCA(certFile, keyFile, name string) error {
	key, err := EnsureKey(keyFile)
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0),
		Subject:      pkix.Name{CommonName: fmt.Sprintf("%s@%d", name, now.Unix())},
		NotBefore:    now.UTC(), NotAfter: now.Add(caLifetime).UTC(),
		KeyUsage:              x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	return layout.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

// EnsureLeaf keeps a certificate and its key on disk, signed by this authority. It is made anew if it
// is absent, near its end, signed by another authority, or lacks a wanted SAN; SANs never shrink.
func (ca *CA) EnsureLeaf(certFile, keyFile string, leaf Leaf) error {
	if old, err := os.ReadFile(certFile); err == nil {
		if cert, err := parseCert(old); err == nil {
			missing := missingSANs(cert, leaf.SANs)
			if !missing && cert.CheckSignatureFrom(ca.cert) == nil && time.Until(cert.NotAfter) > renewBefore {
				return nil
			}
			if leaf.SANs != nil {
				leaf.SANs = union(leaf.SANs, sansOf(cert))
			}
		}
	}
	key, err := EnsureKey(keyFile)
	if err != nil {
		return err
	}
	certPEM, err := ca.sign(leaf, key.Public())
	if err != nil {
		return err
	}
	return layout.WriteFile(certFile, certPEM, 0o644)
}

// SignRequest signs the public key of a PEM or DER certificate request with the properties of leaf.
func (ca *CA) SignRequest(request []byte, leaf Leaf) ([]byte, error) {
	der := request
	if block, _ := pem.Decode(request); block != nil {
		der = block.Bytes
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, err
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, err
	}
	return ca.sign(leaf, csr.PublicKey)
}

func (ca *CA) sign(leaf Leaf, public any) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, big.NewInt(math.MaxInt64))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: leaf.CommonName, Organization: leaf.Organization},
		NotBefore:    ca.cert.NotBefore, NotAfter: time.Now().Add(leafLifetime).UTC(),
		KeyUsage:    x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: leaf.Usages,
	}
	for _, san := range union(nil, leaf.SANs) {
		if ip := net.ParseIP(san); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, san)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, public, ca.key)
	if err != nil {
		return nil, err
	}
	// The authority goes along, as in k3s: a client that only knows the root can build the chain.
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), ca.CertPEM...), nil
}

// EnsureKey loads an EC private key, or makes one.
func EnsureKey(path string) (*ecdsa.PrivateKey, error) {
	content, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			return nil, err
		}
		return key, layout.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, fmt.Errorf("%s: no PEM block", path)
	}
	return x509.ParseECPrivateKey(block.Bytes)
}

// Request makes a certificate request for the key; the signer decides about names.
func Request(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

func parseCert(content []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, errors.New("no PEM block")
	}
	return x509.ParseCertificate(block.Bytes)
}

func sansOf(cert *x509.Certificate) []string {
	sans := append([]string{}, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		sans = append(sans, ip.String())
	}
	return sans
}

func missingSANs(cert *x509.Certificate, wanted []string) bool {
	return len(union(sansOf(cert), wanted)) > len(union(sansOf(cert), nil))
}

// union keeps order, drops duplicates and spells addresses in their canonical way.
func union(lists ...[]string) []string {
	seen := map[string]bool{}
	var result []string
	for _, list := range lists {
		for _, item := range list {
			if ip := net.ParseIP(item); ip != nil {
				item = ip.String()
			}
			if item != "" && !seen[item] {
				seen[item] = true
				result = append(result, item)
			}
		}
	}
	return result
}
