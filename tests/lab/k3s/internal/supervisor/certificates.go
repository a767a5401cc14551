package supervisor

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/sirupsen/logrus"

	"k3srun.test/lab/k3s/internal/join"
	"k3srun.test/lab/k3s/internal/nodepassword"
	"k3srun.test/lab/k3s/internal/pki"
)

// clientCert signs for an identity that all nodes share.
func (s *Supervisor) clientCert(commonName string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sign(w, r, s.cas.Client, pki.Client(commonName))
	}
}

func (s *Supervisor) clientKubelet(w http.ResponseWriter, r *http.Request) {
	if name, ok := s.checkNode(w, r); ok {
		sign(w, r, s.cas.Client, pki.Client("system:node:"+name, "system:nodes"))
	}
}

func (s *Supervisor) servingKubelet(w http.ResponseWriter, r *http.Request) {
	if name, ok := s.checkNode(w, r); ok {
		sans := append([]string{name, "localhost", "127.0.0.1", "::1"}, strings.Split(r.Header.Get(join.HeaderIP), ",")...)
		sign(w, r, s.cas.Server, pki.Server(name, sans))
	}
}

// checkNode compares the node's password with the one of its first registration.
func (s *Supervisor) checkNode(w http.ResponseWriter, r *http.Request) (string, bool) {
	name, password := r.Header.Get(join.HeaderName), r.Header.Get(join.HeaderPassword)
	if name == "" || password == "" {
		sendError(w, http.StatusBadRequest, "node name or password not set")
		return "", false
	}
	client := s.client.Load()
	if client == nil {
		sendError(w, http.StatusServiceUnavailable, "runtime core not ready")
		return "", false
	}
	err := nodepassword.Ensure(r.Context(), *client, name, password)
	switch {
	case err == nil:
		return name, true
	case errors.Is(err, nodepassword.ErrRejected):
		logrus.Errorf("Failed to validate node password for %s: %v", name, err)
		sendError(w, http.StatusForbidden, err.Error())
	default:
		logrus.Errorf("Failed to check node password for %s: %v", name, err)
		sendError(w, http.StatusInternalServerError, err.Error())
	}
	return "", false
}

func sign(w http.ResponseWriter, r *http.Request, ca *pki.CA, leaf pki.Leaf) {
	request, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		sendError(w, http.StatusBadRequest, err.Error())
		return
	}
	cert, err := ca.SignRequest(request, leaf)
	if err != nil {
		sendError(w, http.StatusBadRequest, err.Error())
		return
	}
	w.Write(cert)
}
