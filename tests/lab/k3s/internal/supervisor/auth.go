package supervisor

import (
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// asNode admits the join passwords, and a node that has a certificate and a Node object: such a node
// needs no current token.
func (s *Supervisor) asNode(next http.HandlerFunc) http.HandlerFunc {
	return s.authenticated(next, func(r *http.Request) error {
		if s.hasPassword(r, "node", s.passwords.Agent) || s.hasPassword(r, "server", s.passwords.Server) {
			return nil
		}
		return s.knownNode(r)
	})
}

// asServer admits the server's password only.
func (s *Supervisor) asServer(next http.HandlerFunc) http.HandlerFunc {
	return s.authenticated(next, func(r *http.Request) error {
		if s.hasPassword(r, "server", s.passwords.Server) {
			return nil
		}
		return errors.New("invalid username/password combination")
	})
}

func (s *Supervisor) authenticated(next http.HandlerFunc, check func(*http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := check(r); err != nil {
			logrus.Errorf("Failed to authenticate request from %s: %v", r.RemoteAddr, err)
			sendError(w, http.StatusUnauthorized, "not authorized")
			return
		}
		next(w, r)
	}
}

func (s *Supervisor) hasPassword(r *http.Request, wantUser, wantPassword string) bool {
	user, password, ok := r.BasicAuth()
	return ok && user == wantUser && subtle.ConstantTimeCompare([]byte(password), []byte(wantPassword)) == 1
}

func (s *Supervisor) knownNode(r *http.Request) error {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return errors.New("invalid username/password combination")
	}
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
		return errors.New("runtime core not ready")
	}
	_, err := (*client).CoreV1().Nodes().Get(r.Context(), name, metav1.GetOptions{})
	return err
}
