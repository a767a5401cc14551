package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"k3srun.test/lab/k3s/internal/control"
	"k3srun.test/lab/k3s/internal/encryption"
	"k3srun.test/lab/k3s/internal/snapshots"
	"k3srun.test/lab/k3s/internal/token"
)

// What the commands of an operator ask of a running server.

func (s *Supervisor) bootstrap(w http.ResponseWriter, r *http.Request) {
	files, err := control.Bootstrap(r.Context(), s.opts, s.passwords.Server)
	if err != nil {
		fail(w, r, "server-bootstrap", err)
		return
	}
	writeJSON(w, files)
}

func (s *Supervisor) encryptionStatus(w http.ResponseWriter, r *http.Request) {
	if s.client.Load() == nil {
		fail(w, r, "secret-encrypt", errNotReady)
		return
	}
	status, err := encryption.ReadStatus(s.opts.Layout)
	if err != nil {
		fail(w, r, "secret-encrypt", err)
		return
	}
	writeJSON(w, status)
}

func (s *Supervisor) changeEncryption(w http.ResponseWriter, r *http.Request) {
	client := s.client.Load()
	if client == nil {
		fail(w, r, "secret-encrypt", errNotReady)
		return
	}
	var request encryption.Request
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		refuse(w, r, http.StatusBadRequest, err.Error())
		return
	}
	changer := encryption.Changer{Opts: s.opts, NodeName: s.nodeName, Client: *client, Store: func(ctx context.Context) error {
		return control.SaveBootstrap(ctx, s.opts, s.passwords.Server)
	}}
	if err := changer.Change(r.Context(), request); err != nil {
		fail(w, r, "secret-encrypt", err)
	}
}

// rotateToken changes the files and the datastore. This process keeps the old password: nodes join with it until the restart.
func (s *Supervisor) rotateToken(w http.ResponseWriter, r *http.Request) {
	var request struct {
		NewToken string `json:"newToken"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		refuse(w, r, http.StatusBadRequest, err.Error())
		return
	}
	if err := s.rotate(r.Context(), request.NewToken); err != nil {
		fail(w, r, "token", err)
	}
}

func (s *Supervisor) rotate(ctx context.Context, text string) error {
	if text == "" {
		generated, err := token.Generate(16)
		if err != nil {
			return err
		}
		text = generated
	}
	parsed, err := token.Parse(text, "server")
	if err != nil {
		return fmt.Errorf("new token: %w", err)
	}
	if err := s.passwords.Rotate(s.opts, s.cas.Server.CertPEM, parsed.Password); err != nil {
		return err
	}
	return control.RotateBootstrap(ctx, s.opts, s.passwords.Server, parsed.Password)
}

func (s *Supervisor) carrySnapshot(w http.ResponseWriter, r *http.Request) {
	var request snapshots.Request
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		refuse(w, r, http.StatusBadRequest, err.Error())
		return
	}
	client, err := control.EtcdClient(s.opts.Layout)
	if err != nil {
		fail(w, r, "etcd-snapshot", err)
		return
	}
	defer client.Close()
	result, err := s.snapshots.Carry(r.Context(), client, request)
	if err != nil {
		fail(w, r, "etcd-snapshot", err)
		return
	}
	writeJSON(w, result)
}
