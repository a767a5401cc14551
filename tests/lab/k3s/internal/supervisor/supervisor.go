// Package supervisor serves port 6443: the few paths by which nodes join and commands reach the server, and for all others
// the API server.
package supervisor

import (
	"context"
	"crypto/tls"
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
	"k3srun.test/lab/k3s/internal/join"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/snapshots"
)

// Supervisor answers from the moment it listens, if only that it isn't ready, and passes on API requests as soon as it can.
type Supervisor struct {
	opts      options.Server
	nodeName  string
	cas       *authorities.Set
	passwords credentials.Passwords
	config    join.Config
	snapshots snapshots.Store
	open      atomic.Bool
	api       atomic.Pointer[http.Handler]
	client    atomic.Pointer[kubernetes.Interface]
}

// New makes a supervisor that doesn't listen yet.
func New(opts options.Server, nodeName string, cas *authorities.Set, passwords credentials.Passwords, store snapshots.Store, config join.Config) *Supervisor {
	return &Supervisor{opts: opts, nodeName: nodeName, cas: cas, passwords: passwords, snapshots: store, config: config}
}

// Open answers nodes from now on. Until then every path says that the server is starting.
func (s *Supervisor) Open() { s.open.Store(true) }

// SetAPI passes requests on to the API server's handler from now on.
func (s *Supervisor) SetAPI(handler http.Handler) { s.api.Store(&handler) }

// SetReady lets nodes register and commands work from now on.
func (s *Supervisor) SetReady(client kubernetes.Interface) { s.client.Store(&client) }

// Listen opens the public port, so that a port that is taken is known before anything else starts.
func (s *Supervisor) Listen() (net.Listener, error) {
	address := net.JoinHostPort(s.opts.BindAddress, strconv.Itoa(s.opts.HTTPSPort))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("preparing server: failed to start supervisor listener: %w", err)
	}
	return listener, nil
}

// Serve answers until ctx ends.
func (s *Supervisor) Serve(ctx context.Context, listener net.Listener) error {
	cert, key := s.opts.TLS("serving-kube-apiserver.crt"), s.opts.TLS("serving-kube-apiserver.key")
	server := &http.Server{
		Handler:   s.gate(s.routes()),
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

func (s *Supervisor) gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.open.Load() {
			refuse(w, r, http.StatusServiceUnavailable, "starting")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Supervisor) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "pong") })
	mux.HandleFunc("GET /cacerts", s.text(s.cas.Server.CertPEM))
	mux.Handle("/static/", http.StripPrefix("/static/", http.FileServer(http.Dir(s.opts.Server("static")))))

	for path, handler := range map[string]http.HandlerFunc{
		"GET /v1-k3s/config":                     func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.config) },
		"GET /v1-k3s/readyz":                     s.readyz,
		"GET /v1-k3s/apiservers":                 s.apiServers,
		"GET /v1-k3s/client-ca.crt":              s.text(s.cas.Client.CertPEM),
		"GET /v1-k3s/server-ca.crt":              s.text(s.cas.Server.CertPEM),
		"POST /v1-k3s/serving-kubelet.crt":       s.servingKubelet,
		"POST /v1-k3s/client-kubelet.crt":        s.clientKubelet,
		"POST /v1-k3s/client-kube-proxy.crt":     s.clientCert("system:kube-proxy"),
		"POST /v1-k3s/client-k3s-controller.crt": s.clientCert("system:k3s-controller"),
	} {
		mux.HandleFunc(path, s.only(agents, handler))
	}
	for path, handler := range map[string]http.HandlerFunc{
		"/v1-k3s/server-bootstrap": method(http.MethodGet, s.bootstrap),
		"/v1-k3s/encrypt/status":   method(http.MethodGet, s.encryptionStatus),
		"/v1-k3s/encrypt/config":   method(http.MethodPut, s.changeEncryption),
		"/v1-k3s/token":            method(http.MethodPut, s.rotateToken),
		"/db/snapshot":             method(http.MethodPost, s.carrySnapshot),
	} {
		mux.HandleFunc(path, s.only(servers, handler))
	}
	mux.HandleFunc("/", s.passOn)
	return mux
}

func (s *Supervisor) text(content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write(content)
	}
}

func (s *Supervisor) passOn(w http.ResponseWriter, r *http.Request) {
	if api := s.api.Load(); api != nil {
		(*api).ServeHTTP(w, r)
		return
	}
	refuse(w, r, http.StatusServiceUnavailable, "apiserver not ready")
}

func (s *Supervisor) readyz(w http.ResponseWriter, r *http.Request) {
	if s.client.Load() == nil {
		refuse(w, r, http.StatusServiceUnavailable, errNotReady.Error())
		return
	}
	fmt.Fprint(w, "ok")
}

func (s *Supervisor) apiServers(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, []string{net.JoinHostPort(s.opts.AdvertiseAddress, strconv.Itoa(s.opts.HTTPSPort))})
}
