// Package notify tells systemd that the service is ready, at the one moment that this means something.
package notify

import (
	"os"

	"github.com/coreos/go-systemd/v22/daemon"
)

const socketVariable = "NOTIFY_SOCKET"

// Socket is where systemd listens.
type Socket struct{ path string }

// Take removes the socket from the environment: the API server, etcd and containerd all tell systemd
// that they are ready, and none of them knows when the node is.
func Take() (Socket, error) {
	socket := Socket{os.Getenv(socketVariable)}
	return socket, os.Unsetenv(socketVariable)
}

// Ready reports readiness; without systemd it does nothing.
func (s Socket) Ready() error {
	if s.path == "" {
		return nil
	}
	if err := os.Setenv(socketVariable, s.path); err != nil {
		return err
	}
	_, err := daemon.SdNotify(true, daemon.SdNotifyReady)
	return err
}
