package agent

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/sirupsen/logrus"

	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/process"
)

const cniConfig = `{
  "name":"cbr0",
  "cniVersion":"1.0.0",
  "plugins":[
    {
      "type":"flannel",
      "delegate":{
        "hairpinMode":true,
        "forceAddress":true,
        "isDefaultGateway":true
      }
    },
    {
      "type":"portmap",
      "capabilities":{
        "portMappings":true
      }
    },
    {
      "type":"bandwidth",
      "capabilities":{
        "bandwidth":true
      }
    }
  ]
}
`

// writeNetworkConfig leaves the settings of flannel and of the CNI plugins.
func (n *Node) writeNetworkConfig() error {
	if n.config.FlannelBackend == "none" {
		return nil
	}
	conf, err := json.MarshalIndent(map[string]any{
		"Network": n.config.ClusterCIDR, "EnableIPv6": false, "EnableIPv4": true, "IPv6Network": "::/0",
		"Backend": map[string]any{"Type": n.config.FlannelBackend},
	}, "", "\t")
	if err != nil {
		return err
	}
	if err := layout.WriteFile(n.flannelConf(), conf, 0o644); err != nil {
		return err
	}
	return layout.WriteFile(n.opts.Agent("etc", "cni", "net.d", "10-flannel.conflist"), []byte(cniConfig), 0o644)
}

func (n *Node) flannelConf() string { return n.opts.Agent("etc", "flannel", "net-conf.json") }

func (n *Node) startKubeProxy(group *process.Group) {
	args := map[string]string{
		"cluster-cidr":                      n.config.ClusterCIDR,
		"conntrack-max-per-core":            "0",
		"conntrack-tcp-timeout-close-wait":  "0s",
		"conntrack-tcp-timeout-established": "0s",
		"healthz-bind-address":              "127.0.0.1",
		"hostname-override":                 n.name,
		"kubeconfig":                        n.opts.Agent("kubeproxy.kubeconfig"),
		"proxy-mode":                        "iptables",
	}
	group.Child("kube-proxy", process.Args(args, n.opts.KubeProxyArgs))
}

// setKernelParameters switches on what packets between pods and nodes need. A host where this can't be
// done may still work, so a failure is only told.
func setKernelParameters() {
	for name, value := range map[string]string{
		"net/ipv4/conf/all/forwarding":        "1",
		"net/ipv4/conf/default/forwarding":    "1",
		"net/ipv6/conf/all/forwarding":        "1",
		"net/ipv6/conf/default/forwarding":    "1",
		"net/bridge/bridge-nf-call-iptables":  "1",
		"net/bridge/bridge-nf-call-ip6tables": "1",
	} {
		path := filepath.Join("/proc/sys", name)
		if content, err := os.ReadFile(path); err == nil && string(content) == value+"\n" {
			continue
		}
		logrus.Infof("Set sysctl '%s' to %s", name, value)
		if err := os.WriteFile(path, []byte(value), 0o640); err != nil {
			logrus.Errorf("Failed to set sysctl: %v", err)
		}
	}
}
