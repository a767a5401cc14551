// Package layout names the files and directories that an operator can see.
package layout

import (
	"os"
	"path/filepath"
)

const (
	// DefaultDataDir is the root of the cluster's state on a host.
	DefaultDataDir = "/var/lib/rancher/k3s"
	// NodePassword proves to the server that a node that comes back is the same one.
	NodePassword = "/etc/rancher/node/password"
	// Kubeconfig is the administrator's, rewritten at each start of the server.
	Kubeconfig = "/etc/rancher/k3s/k3s.yaml"
	// ContainerdState holds the container runtime's sockets and mounts.
	ContainerdState = "/run/k3s/containerd"
	// ContainerdSocket is where the kubelet, ctr and crictl find the runtime.
	ContainerdSocket = ContainerdState + "/containerd.sock"
	// SubnetFile is written by flannel and read by its CNI plugin.
	SubnetFile = "/run/flannel/subnet.env"
)

// Layout resolves paths below one data directory.
type Layout struct{ DataDir string }

// Server is a path below server/.
func (l Layout) Server(elem ...string) string {
	return filepath.Join(append([]string{l.DataDir, "server"}, elem...)...)
}

// TLS is a path below server/tls/.
func (l Layout) TLS(elem ...string) string {
	return l.Server(append([]string{"tls"}, elem...)...)
}

// Cred is a path below server/cred/.
func (l Layout) Cred(name string) string { return l.Server("cred", name) }

// Agent is a path below agent/.
func (l Layout) Agent(elem ...string) string {
	return filepath.Join(append([]string{l.DataDir, "agent"}, elem...)...)
}

// Bin is where the unpacked executables of the running version lie.
func (l Layout) Bin(elem ...string) string {
	return filepath.Join(append([]string{l.DataDir, "data", "current", "bin"}, elem...)...)
}

// MakeDirs creates the directories with their modes.
func MakeDirs(mode os.FileMode, dirs ...string) error {
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, mode); err != nil {
			return err
		}
		if err := os.Chmod(dir, mode); err != nil {
			return err
		}
	}
	return nil
}

// WriteFile writes through a temporary file in the same directory, so that no reader sees half of it.
func WriteFile(path string, content []byte, mode os.FileMode) error {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if _, err := temp.Write(content); err != nil {
		temp.Close()
		return err
	}
	if err := temp.Chmod(mode); err != nil {
		temp.Close()
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
