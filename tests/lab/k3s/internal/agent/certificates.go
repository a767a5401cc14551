package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"k3srun.test/lab/k3s/internal/join"
	"k3srun.test/lab/k3s/internal/kubeconfig"
	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/pki"
)

func fetchConfig(client *join.Client) (join.Config, error) {
	var config join.Config
	content, err := client.Get("/v1-k3s/config")
	if err != nil {
		return config, fmt.Errorf("failed to retrieve configuration from server: %w", err)
	}
	return config, json.Unmarshal(content, &config)
}

// fetchCertificates has the server sign this node's keys.
func (n *Node) fetchCertificates(client *join.Client) error {
	for _, ca := range []string{"client-ca.crt", "server-ca.crt"} {
		content, err := client.Get("/v1-k3s/" + ca)
		if err != nil {
			return err
		}
		if err := layout.WriteFile(n.opts.Agent(ca), content, 0o600); err != nil {
			return err
		}
	}
	for _, name := range []string{"serving-kubelet", "client-kubelet", "client-kube-proxy", "client-k3s-controller"} {
		if err := n.fetchCertificate(client, name); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) fetchCertificate(client *join.Client, name string) error {
	key, err := pki.EnsureKey(n.opts.Agent(name + ".key"))
	if err != nil {
		return err
	}
	request, err := pki.Request(key)
	if err != nil {
		return err
	}
	header := http.Header{}
	header.Set(join.HeaderName, n.name)
	header.Set(join.HeaderPassword, n.password)
	header.Set(join.HeaderIP, n.ip.String())
	cert, err := client.Post("/v1-k3s/"+name+".crt", request, header)
	var status join.StatusError
	if errors.As(err, &status) && status.Code == http.StatusForbidden {
		return errors.New("Node password rejected, duplicate hostname or contents of '" + layout.NodePassword +
			"' may not match server node-passwd entry, try enabling a unique node name with the --with-node-id flag")
	}
	if err != nil {
		return fmt.Errorf("failed to retrieve %s.crt: %w", name, err)
	}
	return layout.WriteFile(n.opts.Agent(name+".crt"), cert, 0o600)
}

func (n *Node) writeKubeconfigs() error {
	for file, cert := range map[string]string{
		"kubelet": "client-kubelet", "kubeproxy": "client-kube-proxy", "k3scontroller": "client-k3s-controller",
	} {
		err := kubeconfig.WriteReferring(n.opts.Agent(file+".kubeconfig"), n.apiURL, n.opts.Agent("server-ca.crt"),
			n.opts.Agent(cert+".crt"), n.opts.Agent(cert+".key"))
		if err != nil {
			return err
		}
	}
	return nil
}
