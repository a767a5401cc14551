// Package supervisor serves port 6443: the few paths by which nodes join, and for all others the API server.
package supervisor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/sirupsen/logrus"
	"k8s.io/client-go/kubernetes"

	"k3srun.test/lab/k3s/internal/authorities"
	"k3srun.test/lab/k3s/internal/credentials"
	"k3srun.test/lab/k3s/internal/encryption"
	"k3srun.test/lab/k3s/internal/join"
	"k3srun.test/lab/k3s/internal/options"
)

// Supervisor answers nodes from the moment it listens, and passes on API requests as soon as it can.
type Supervisor struct {
	opts      options.Server
	cas       *authorities.Set
	passwords credentials.Passwords
	config    join.Config
	api       atomic.Pointer[http.Handler]
	client    atomic.Pointer[kubernetes.Interface]
}

// New makes a supervisor that doesn't listen yet.
func New(opts options.Server, cas *authorities.Set, passwords credentials.Passwords, config join.Config) *Supervisor {
	return &Supervisor{opts: opts, cas: cas, passwords: passwords, config: config}
}

// SetAPI passes requests on to the API server's handler from now on.
func (s *Supervisor) SetAPI(handler http.Handler) { s.api.Store(&handler) }

// SetReady lets nodes register from now on.
func (s *Supervisor) SetReady(client kubernetes.Interface) { s.client.Store(&client) }

// Listen opens the public port, so that a port that is taken is known before anything else starts.
func (s *Supervisor) Listen() (net.Listener, error) {
	address := net.JoinHostPort(s.opts.BindAddress, strconv.Itoa(s.opts.HTTPSPort))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("failed to start supervisor listener: %w", err)
	}
	return listener, nil
}

// Serve answers until ctx ends.
func (s *Supervisor) Serve(ctx context.Context, listener net.Listener) error {
	cert, key := s.opts.TLS("serving-kube-apiserver.crt"), s.opts.TLS("serving-kube-apiserver.key")
	server := &http.Server{
		Handler:   s.routes(),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert},
		ErrorLog:  log.New(logrus.StandardLogger().WriterLevel(logrus.DebugLevel), "", 0),
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.ServeTLS(listener, cert, key); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *Supervisor) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "pong") })
	mux.HandleFunc("GET /cacerts", func(w http.ResponseWriter, _ *http.Request) { w.Write(s.cas.Server.CertPEM) })
	mux.Handle("/static/", http.StripPrefix("/static/", http.FileServer(http.Dir(s.opts.Server("static")))))

	mux.HandleFunc("GET /v1-k3s/config", s.asNode(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.config) }))
	mux.HandleFunc("GET /v1-k3s/readyz", s.asNode(s.readyz))
	mux.HandleFunc("GET /v1-k3s/apiservers", s.asNode(s.apiServers))
	mux.HandleFunc("GET /v1-k3s/client-ca.crt", s.asNode(func(w http.ResponseWriter, _ *http.Request) { w.Write(s.cas.Client.CertPEM) }))
	mux.HandleFunc("GET /v1-k3s/server-ca.crt", s.asNode(func(w http.ResponseWriter, _ *http.Request) { w.Write(s.cas.Server.CertPEM) }))
	mux.HandleFunc("POST /v1-k3s/serving-kubelet.crt", s.asNode(s.servingKubelet))
	mux.HandleFunc("POST /v1-k3s/client-kubelet.crt", s.asNode(s.clientKubelet))
	mux.HandleFunc("POST /v1-k3s/client-kube-proxy.crt", s.asNode(s.clientCert("system:kube-proxy")))
	mux.HandleFunc("POST /v1-k3s/client-k3s-controller.crt", s.asNode(s.clientCert("system:k3s-controller")))
	mux.HandleFunc("GET /v1-k3s/encrypt/status", s.asServer(s.encryptionStatus))
	mux.HandleFunc("/", s.passOn)
	return mux
}

func (s *Supervisor) passOn(w http.ResponseWriter, r *http.Request) {
	if api := s.api.Load(); api != nil {
		(*api).ServeHTTP(w, r)
		return
	}
	sendError(w, http.StatusServiceUnavailable, "apiserver not ready")
}

func (s *Supervisor) readyz(w http.ResponseWriter, _ *http.Request) {
	if s.client.Load() == nil {
		sendError(w, http.StatusServiceUnavailable, "runtime core not ready")
		return
	}
	fmt.Fprint(w, "ok")
}

func (s *Supervisor) apiServers(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, []string{net.JoinHostPort(s.opts.AdvertiseAddress, strconv.Itoa(s.opts.HTTPSPort))})
}

func (s *Supervisor) encryptionStatus(w http.ResponseWriter, _ *http.Request) {
	status, err := encryption.ReadStatus(s.opts.Layout)
	if err != nil {
		logrus.Errorf("secrets-encrypt error: %v", err)
		sendError(w, http.StatusInternalServerError, err.Error())
		return
	}
	writeJSON(w, status)
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		logrus.Errorf("Failed to write response: %v", err)
	}
}

func sendError(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(code)
	fmt.Fprintln(w, message)
}
