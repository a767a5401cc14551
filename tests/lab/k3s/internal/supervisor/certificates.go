package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/sirupsen/logrus"

	"k3srun.test/lab/k3s/internal/join"
	"k3srun.test/lab/k3s/internal/layout"
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
	if name == "" {
		refuse(w, r, http.StatusBadRequest, "node name not set")
		return "", false
	}
	if password == "" {
		refuse(w, r, http.StatusBadRequest, "node password not set")
		return "", false
	}
	err := s.checkPassword(r.Context(), name, password)
	switch {
	case err == nil:
		return name, true
	case errors.Is(err, errNotReady):
		refuse(w, r, http.StatusServiceUnavailable, err.Error())
	case errors.Is(err, nodepassword.ErrRejected):
		refuse(w, r, http.StatusForbidden, fmt.Sprintf("unable to verify password for node %s: %v", name, nodepassword.ErrRejected))
	default:
		logrus.Errorf("Failed to check node password for %s: %v", name, err)
		refuse(w, r, http.StatusInternalServerError, err.Error())
	}
	return "", false
}

// checkPassword asks the cluster. Before that is there, the server's own node shows that it has the file of this host.
func (s *Supervisor) checkPassword(ctx context.Context, name, password string) error {
	if client := s.client.Load(); client != nil {
		return nodepassword.Ensure(ctx, *client, name, password)
	}
	own, err := os.ReadFile(layout.NodePassword)
	if err != nil || name != s.nodeName || !same(password, strings.TrimSpace(string(own))) {
		return errNotReady
	}
	logrus.Infof("Password verified locally for node %s", name)
	return nil
}

func sign(w http.ResponseWriter, r *http.Request, ca *pki.CA, leaf pki.Leaf) {
	request, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		refuse(w, r, http.StatusBadRequest, err.Error())
		return
	}
	cert, err := ca.SignRequest(request, leaf)
	if err != nil {
		refuse(w, r, http.StatusBadRequest, err.Error())
		return
	}
	w.Write(cert)
}
