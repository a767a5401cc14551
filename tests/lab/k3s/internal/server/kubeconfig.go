package server

import (
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/sirupsen/logrus"

	"k3srun.test/lab/k3s/internal/kubeconfig"
	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
)

// writeKubeconfig rewrites the administrator's file. A mode or group that can't be applied is only told, as in k3s.
func writeKubeconfig(opts options.Server) error {
	host := opts.BindAddress
	if host == "" || host == "0.0.0.0" {
		host = "127.0.0.1"
	}
	url := "https://" + net.JoinHostPort(host, strconv.Itoa(opts.HTTPSPort))
	content, err := kubeconfig.Embedded(url, opts.TLS("server-ca.crt"), opts.TLS("client-admin.crt"), opts.TLS("client-admin.key"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(opts.WriteKubeconfig), 0o755); err != nil {
		return err
	}
	if err := layout.WriteFile(opts.WriteKubeconfig, content, 0o600); err != nil {
		return err
	}
	applyMode(opts)
	applyGroup(opts)
	logrus.Infof("Wrote kubeconfig %s", opts.WriteKubeconfig)
	return nil
}

func applyMode(opts options.Server) {
	if opts.WriteKubeconfigMode == "" {
		return
	}
	mode, err := strconv.ParseInt(opts.WriteKubeconfigMode, 8, 0)
	if err != nil {
		logrus.Errorf("Failed to set %s to mode %s: %v", opts.WriteKubeconfig, opts.WriteKubeconfigMode, err)
		return
	}
	if err := os.Chmod(opts.WriteKubeconfig, os.FileMode(mode)); err != nil {
		logrus.Errorf("Failed to set %s to mode %s: %v", opts.WriteKubeconfig, os.FileMode(mode), err)
	}
}

func applyGroup(opts options.Server) {
	if opts.WriteKubeconfigGroup == "" {
		return
	}
	gid, err := strconv.Atoi(opts.WriteKubeconfigGroup)
	if err != nil {
		group, lookupErr := user.LookupGroup(opts.WriteKubeconfigGroup)
		if lookupErr != nil {
			logrus.Errorf("Failed to set %s to group %s: %v", opts.WriteKubeconfig, opts.WriteKubeconfigGroup, lookupErr)
			return
		}
		gid, _ = strconv.Atoi(group.Gid)
	}
	if err := os.Chown(opts.WriteKubeconfig, -1, gid); err != nil {
		logrus.Errorf("Failed to set %s to group %s: %v", opts.WriteKubeconfig, opts.WriteKubeconfigGroup, err)
	}
}
