package agent

import (
	"net"
	"strings"

	"go.yaml.in/yaml/v2"

	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/process"
	"k3srun.test/lab/k3s/internal/resolver"
)

// startKubelet gives the kubelet its settings in a file, so that --kubelet-arg flags win over them.
func (n *Node) startKubelet(group *process.Group) error {
	dir := n.opts.Agent("etc", "kubelet.conf.d")
	config, err := yaml.Marshal(n.kubeletConfig())
	if err != nil {
		return err
	}
	if err := layout.WriteFile(dir+"/00-k3s-defaults.conf", config, 0o600); err != nil {
		return err
	}
	args := map[string]string{
		"cloud-provider":    "external",
		"config-dir":        dir,
		"hostname-override": n.name,
		"kubeconfig":        n.opts.Agent("kubelet.kubeconfig"),
		"node-ip":           n.ip.String(),
		"read-only-port":    "0",
	}
	if len(n.opts.Labels) > 0 {
		args["node-labels"] = strings.Join(n.opts.Labels, ",")
	}
	if len(n.opts.Taints) > 0 {
		args["register-with-taints"] = strings.Join(n.opts.Taints, ",")
	}
	group.Child("kubelet", process.Args(args, n.opts.KubeletArgs))
	return nil
}

// kubeletConfig has the names of the kubelet's configuration API.
func (n *Node) kubeletConfig() map[string]any {
	address := n.opts.BindAddress
	if address == "" {
		address = "0.0.0.0"
	}
	return map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"address": address,
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": true, "cacheTTL": "2m0s"},
			"x509":      map[string]any{"clientCAFile": n.opts.Agent("client-ca.crt")},
		},
		"authorization":            map[string]any{"mode": "Webhook"},
		"cgroupDriver":             cgroupDriver(),
		"clusterDNS":               []string{n.config.ClusterDNS},
		"clusterDomain":            n.config.ClusterDomain,
		"containerRuntimeEndpoint": "unix://" + layout.ContainerdSocket,
		"evictionHard":             map[string]string{"imagefs.available": "5%", "nodefs.available": "5%"},
		"evictionMinimumReclaim":   map[string]string{"imagefs.available": "10%", "nodefs.available": "10%"},
		"failSwapOn":               false,
		"healthzBindAddress":       net.IPv4(127, 0, 0, 1).String(),
		"protectKernelDefaults":    n.opts.ProtectKernelDefaults,
		"resolvConf":               n.resolvConf(),
		"serializeImagePulls":      false,
		"staticPodPath":            n.opts.Agent("pod-manifests"),
		"tlsCertFile":              n.opts.Agent("serving-kubelet.crt"),
		"tlsPrivateKeyFile":        n.opts.Agent("serving-kubelet.key"),
		"volumePluginDir":          "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/",
		"registerNode":             true,
	}
}

// resolvConf is what pods inherit.
func (n *Node) resolvConf() string {
	if n.opts.ResolvConf != "" {
		return n.opts.ResolvConf
	}
	return resolver.File(n.opts.Agent("etc", "resolv.conf"))
}
