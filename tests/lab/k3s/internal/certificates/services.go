// Package certificates looks at the certificates of this host, and lets the next start make new ones.
package certificates

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"k3srun.test/lab/k3s/internal/layout"
)

// dynamicListener is the service whose certificate k3s makes while it runs.
const dynamicListener = "k3s-server"

// Host is what runs on this host, as far as its files tell.
type Host struct {
	layout   layout.Layout
	IsServer bool
}

// Find looks at the data directory.
func Find(l layout.Layout) Host {
	_, err := os.Stat(l.TLS())
	return Host{layout: l, IsServer: err == nil}
}

// files are the certificates of each service, without their suffix.
func (h Host) files() map[string][]string {
	l := h.layout
	files := map[string][]string{
		"kubelet":        {l.Agent("client-kubelet"), l.Agent("serving-kubelet")},
		"kube-proxy":     {l.Agent("client-kube-proxy")},
		"k3s-controller": {l.Agent("client-k3s-controller")},
	}
	if !h.IsServer {
		return files
	}
	for service, names := range map[string][]string{
		"admin":              {"client-admin"},
		"api-server":         {"client-kube-apiserver", "serving-kube-apiserver"},
		"auth-proxy":         {"client-auth-proxy"},
		"cloud-controller":   {"client-k3s-cloud-controller"},
		"controller-manager": {"client-controller", "kube-controller-manager/kube-controller-manager"},
		"etcd":               {"etcd/client", "etcd/server-client", "etcd/peer-server-client"},
		"scheduler":          {"client-scheduler", "kube-scheduler/kube-scheduler"},
		"supervisor":         {"client-supervisor"},
		dynamicListener:      nil,
	} {
		files[service] = []string{}
		for _, name := range names {
			files[service] = append(files[service], l.TLS(name))
		}
	}
	return files
}

// chosen are the wanted services in their order, or all.
func (h Host) chosen(services []string) ([]string, error) {
	var all []string
	for service := range h.files() {
		all = append(all, service)
	}
	slices.Sort(all)
	if len(services) == 0 {
		return all, nil
	}
	for _, service := range services {
		if !slices.Contains(all, service) {
			return nil, fmt.Errorf("service %s is not recognized", service)
		}
	}
	return services, nil
}

// Rotate removes the certificates and keys of services, after a copy of all was made. It returns the copy's folder.
func (h Host) Rotate(services []string) (string, error) {
	chosen, err := h.chosen(services)
	if err != nil {
		return "", err
	}
	backup, err := h.backup()
	if err != nil {
		return "", err
	}
	for _, service := range chosen {
		if service == dynamicListener {
			logrus.Info("Rotating dynamic listener certificate")
		} else {
			logrus.Infof("Rotating certificates for %s", service)
		}
		for _, file := range h.files()[service] {
			for _, path := range []string{file + ".crt", file + ".key"} {
				if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
					return "", err
				}
			}
		}
	}
	return backup, nil
}

// backup copies a server's folder and the agent's certificates into one folder beside it.
func (h Host) backup() (string, error) {
	backup := h.layout.Agent(fmt.Sprintf("tls-%d", time.Now().Unix()))
	if h.IsServer {
		backup = h.layout.Server(filepath.Base(backup))
		if err := layout.CopyDir(h.layout.TLS(), backup); err != nil {
			return "", err
		}
	} else if err := layout.MakeDirs(0o700, backup); err != nil {
		return "", err
	}
	own, err := os.ReadDir(h.layout.Agent())
	if err != nil {
		return "", err
	}
	for _, entry := range own {
		if ext := filepath.Ext(entry.Name()); ext != ".crt" && ext != ".key" {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			return "", err
		}
		target := filepath.Join(backup, entry.Name())
		if _, err := os.Stat(target); err == nil {
			continue // a key that both roles have
		}
		if err := layout.CopyFile(h.layout.Agent(entry.Name()), target, info.Mode().Perm()); err != nil {
			return "", err
		}
	}
	return backup, nil
}
