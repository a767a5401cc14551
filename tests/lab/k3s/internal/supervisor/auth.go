package supervisor

import (
	"context"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	bootstrap "k8s.io/cluster-bootstrap/token/api"
)

// group is what a caller belongs to. Agents and servers have paths of their own; neither may use the other's.
type group string

const (
	anonymous group = ""
	agents    group = "k3s:agent"
	servers   group = "k3s:server"
)

var errPassword = errors.New("invalid username/password combination")

// only admits one group. Wrong credentials are refused as such; good ones of others, and none, are forbidden.
func (s *Supervisor) only(members group, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller, err := s.identify(r)
		switch {
		case err != nil:
			logrus.Errorf("Failed to authenticate request from %s: %v", r.RemoteAddr, err)
			refuse(w, r, http.StatusUnauthorized, "not authorized")
		case caller != members:
			refuse(w, r, http.StatusForbidden, "forbidden")
		default:
			next(w, r)
		}
	}
}

// identify finds out who asks: a node by its certificate, whatever password comes with it; anybody by a password or by a
// bootstrap token.
func (s *Supervisor) identify(r *http.Request) (group, error) {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 && s.knownNode(r) == nil {
		return agents, nil
	}
	if user, password, ok := r.BasicAuth(); ok {
		switch {
		case user == "node" && same(password, s.passwords.Agent):
			return agents, nil
		case user == "server" && same(password, s.passwords.Server):
			return servers, nil
		}
		return anonymous, errPassword
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return agents, s.knownToken(r.Context(), token)
	}
	return anonymous, nil
}

func same(given, wanted string) bool {
	return subtle.ConstantTimeCompare([]byte(given), []byte(wanted)) == 1
}

// knownNode accepts the certificate of a node that has a Node object: such a node needs no current token.
func (s *Supervisor) knownNode(r *http.Request) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.cas.Client.CertPEM)
	cert := r.TLS.PeerCertificates[0]
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return err
	}
	name, isNode := strings.CutPrefix(cert.Subject.CommonName, "system:node:")
	if !isNode || !slices.Contains(cert.Subject.Organization, "system:nodes") {
		return errors.New("certificate doesn't belong to a node")
	}
	client := s.client.Load()
	if client == nil {
		return errNotReady
	}
	_, err := (*client).CoreV1().Nodes().Get(r.Context(), name, metav1.GetOptions{})
	return err
}

// knownToken accepts <id>.<secret> of a bootstrap token that has not expired.
func (s *Supervisor) knownToken(ctx context.Context, token string) error {
	client := s.client.Load()
	if client == nil {
		return errNotReady
	}
	id, given, _ := strings.Cut(token, ".")
	secret, err := (*client).CoreV1().Secrets(metav1.NamespaceSystem).Get(ctx, bootstrap.BootstrapTokenSecretPrefix+id, metav1.GetOptions{})
	if err != nil {
		return errPassword
	}
	expires, err := time.Parse(time.RFC3339, string(secret.Data[bootstrap.BootstrapTokenExpirationKey]))
	if err == nil && time.Now().After(expires) || !same(given, string(secret.Data[bootstrap.BootstrapTokenSecretKey])) {
		return errPassword
	}
	return nil
}
