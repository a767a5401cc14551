package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/sirupsen/logrus"

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
	path, file := "/v1-k3s/"+name+".crt", n.opts.Agent(name+".crt")
	cert, err := client.Do(http.MethodPost, path, request, header)
	var status join.StatusError
	switch {
	case errors.As(err, &status) && status.Code == http.StatusForbidden:
		return errors.New(file + ": Node password rejected, duplicate hostname or contents of '" + layout.NodePassword +
			"' may not match server node-passwd entry, try enabling a unique node name with the --with-node-id flag")
	case errors.As(err, &status):
		return fmt.Errorf("%s: %s%s: %d %s", file, client.URL, path, status.Code, http.StatusText(status.Code))
	case err != nil:
		return fmt.Errorf("%s: %w", file, err)
	}
	return layout.WriteFile(file, cert, 0o600)
}

// rememberServers keeps where the cluster can be reached, for a start without the server.
func (n *Node) rememberServers(client *join.Client) error {
	logrus.Info("Getting list of apiserver endpoints from server")
	content, err := client.Get("/v1-k3s/apiservers")
	if err != nil {
		return err
	}
	var addresses []string
	if err := json.Unmarshal(content, &addresses); err != nil {
		return err
	}
	logrus.Infof("Got apiserver addresses from supervisor: %v", addresses)
	state, err := json.MarshalIndent(map[string]any{"ServerURL": n.opts.ServerURL, "ServerAddresses": addresses}, "", "  ")
	if err != nil {
		return err
	}
	return layout.WriteFile(n.opts.Agent("etc", "k3s-agent-load-balancer.json"), state, 0o644)
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
