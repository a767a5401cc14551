// Package options declares the command line flags of `k3s server` and `k3s agent`.
package options

import (
	"strings"

	"github.com/urfave/cli/v2"

	"k3srun.test/lab/k3s/internal/layout"
)

// Node is what both roles have in common.
type Node struct {
	layout.Layout
	Debug                                 bool
	Token, TokenFile                      string
	Name                                  string
	WithNodeID                            bool
	IPs, ExternalIPs                      []string
	Labels, Taints                        []string
	BindAddress, FlannelIface, ResolvConf string
	KubeletArgs, KubeProxyArgs            []string
	ProtectKernelDefaults                 bool
	PauseImage                            string
	LoadBalancerPort                      int
	ServerURL                             string
}

// Server is what only `k3s server` has.
type Server struct {
	Node
	AgentToken, AgentTokenFile                   string
	ClusterInit                                  bool
	HTTPSPort                                    int
	AdvertiseAddress                             string
	TLSSANs                                      []string
	ClusterCIDR, ServiceCIDR                     string
	ServiceNodePortRange                         string
	ClusterDNS, ClusterDomain                    string
	FlannelBackend                               string
	DisableNetworkPolicy                         bool
	SecretsEncryption                            bool
	SecretsEncryptionProvider                    string
	SystemDefaultRegistry                        string
	Disable                                      []string
	WriteKubeconfig, WriteKubeconfigMode         string
	WriteKubeconfigGroup                         string
	APIServerArgs, ControllerArgs, SchedulerArgs []string
	ClusterReset                                 bool
	ClusterResetRestorePath                      string
	Snapshots                                    Snapshots
}

// Snapshots says when the datastore is saved, and where.
type Snapshots struct {
	Disabled   bool
	Name, Cron string
	Dir        string
	Retention  int
	Compress   bool
}

func str(name, value, usage string, env ...string) cli.Flag {
	return &cli.StringFlag{Name: name, Value: value, Usage: usage, EnvVars: env}
}

func list(name, usage string) cli.Flag {
	return &cli.StringSliceFlag{Name: name, Usage: usage}
}

func boolean(name, usage string, env ...string) cli.Flag {
	return &cli.BoolFlag{Name: name, Usage: usage, EnvVars: env}
}

func nodeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Usage: "Load configuration from `FILE`", Value: "/etc/rancher/k3s/config.yaml", EnvVars: []string{"K3S_CONFIG_FILE"}},
		boolean("debug", "Turn on debug logs", "K3S_DEBUG"),
		&cli.StringFlag{Name: "data-dir", Aliases: []string{"d"}, Usage: "Folder to hold state", Value: layout.DefaultDataDir, EnvVars: []string{"K3S_DATA_DIR"}},
		&cli.StringFlag{Name: "token", Aliases: []string{"t"}, Usage: "Shared secret used to join a server or agent to a cluster", EnvVars: []string{"K3S_TOKEN"}},
		str("token-file", "", "File containing the token", "K3S_TOKEN_FILE"),
		&cli.StringFlag{Name: "server", Aliases: []string{"s"}, Usage: "Server to connect to", EnvVars: []string{"K3S_URL"}},
		str("node-name", "", "Node name", "K3S_NODE_NAME"),
		boolean("with-node-id", "Append id to node name"),
		list("node-label", "Registering and starting kubelet with set of labels"),
		list("node-taint", "Registering kubelet with set of taints"),
		&cli.StringSliceFlag{Name: "node-ip", Aliases: []string{"i"}, Usage: "IPv4/IPv6 addresses to advertise for node"},
		list("node-external-ip", "IPv4/IPv6 external IP addresses to advertise for node"),
		str("bind-address", "", "k3s bind address (default: 0.0.0.0)"),
		str("resolv-conf", "", "Kubelet resolv.conf file", "K3S_RESOLV_CONF"),
		str("flannel-iface", "", "Override default flannel interface"),
		list("kubelet-arg", "Customized flag for kubelet process"),
		list("kube-proxy-arg", "Customized flag for kube-proxy process"),
		boolean("protect-kernel-defaults", "Kernel tuning behavior. If set, error if kernel tunables are different than kubelet defaults"),
		str("pause-image", "rancher/mirrored-pause:3.6", "Customized pause image for containerd sandbox"),
		&cli.IntFlag{Name: "lb-server-port", Value: 6444, Usage: "Local port for the client load-balancer", EnvVars: []string{"K3S_LB_SERVER_PORT"}},
	}
}

// ServerFlags are the flags of `k3s server`.
func ServerFlags() []cli.Flag {
	return append(append(nodeFlags(),
		str("agent-token", "", "Shared secret used to join agents to the cluster, but not servers", "K3S_AGENT_TOKEN"),
		str("agent-token-file", "", "File containing the agent secret", "K3S_AGENT_TOKEN_FILE"),
		boolean("cluster-init", "Initialize a new cluster using embedded Etcd", "K3S_CLUSTER_INIT"),
		boolean("cluster-reset", "Forget all peers and become sole member of a new cluster", "K3S_CLUSTER_RESET"),
		str("cluster-reset-restore-path", "", "Path to snapshot file to be restored"),
		boolean("etcd-disable-snapshots", "Disable automatic etcd snapshots"),
		str("etcd-snapshot-name", "etcd-snapshot", "Set the base name of etcd snapshots"),
		str("etcd-snapshot-schedule-cron", "0 */12 * * *", "Snapshot interval time in cron spec"),
		str("etcd-snapshot-dir", "", "Directory to save db snapshots"),
		&cli.IntFlag{Name: "etcd-snapshot-retention", Value: 5, Usage: "Number of snapshots to retain"},
		boolean("etcd-snapshot-compress", "Compress etcd snapshot"),
		&cli.IntFlag{Name: "https-listen-port", Value: 6443, Usage: "HTTPS listen port"},
		str("advertise-address", "", "IPv4/IPv6 address that apiserver uses to advertise to members of the cluster"),
		list("tls-san", "Add additional hostnames or IPv4/IPv6 addresses as Subject Alternative Names on the server TLS cert"),
		str("cluster-cidr", "10.42.0.0/16", "IPv4/IPv6 network CIDRs to use for pod IPs"),
		str("service-cidr", "10.43.0.0/16", "IPv4/IPv6 network CIDRs to use for service IPs"),
		str("service-node-port-range", "30000-32767", "Port range to reserve for services with NodePort visibility"),
		str("cluster-dns", "", "IPv4 Cluster IP for coredns service"),
		str("cluster-domain", "cluster.local", "Cluster Domain"),
		str("flannel-backend", "vxlan", "Backend (valid values: 'none', 'vxlan')"),
		boolean("disable-network-policy", "Disable k3s default network policy controller"),
		boolean("secrets-encryption", "Enable secret encryption at rest"),
		str("secrets-encryption-provider", "aescbc", "Secret encryption provider (valid values: 'aescbc', 'secretbox')"),
		str("system-default-registry", "", "Private registry to be used for all system images", "K3S_SYSTEM_DEFAULT_REGISTRY"),
		list("disable", "Do not deploy packaged components and delete any deployed components"),
		&cli.StringFlag{Name: "write-kubeconfig", Aliases: []string{"o"}, Value: layout.Kubeconfig, Usage: "Write kubeconfig for admin client to this file", EnvVars: []string{"K3S_KUBECONFIG_OUTPUT"}},
		str("write-kubeconfig-mode", "", "Write kubeconfig with this mode", "K3S_KUBECONFIG_MODE"),
		str("write-kubeconfig-group", "", "Write kubeconfig with this group", "K3S_KUBECONFIG_GROUP"),
		list("kube-apiserver-arg", "Customized flag for kube-apiserver process"),
		list("kube-controller-manager-arg", "Customized flag for kube-controller-manager process"),
		list("kube-scheduler-arg", "Customized flag for kube-scheduler process"),
	), ignoredFlags(ignoredNode, ignoredServer)...)
}

// AgentFlags are the flags of `k3s agent`.
func AgentFlags() []cli.Flag {
	return append(nodeFlags(), ignoredFlags(ignoredNode)...)
}

// Names lists every name and alias of flags.
func Names(flags []cli.Flag) []string {
	var names []string
	for _, flag := range flags {
		names = append(names, flag.Names()...)
	}
	return names
}

// NodeFrom reads the common options from a parsed command line.
func NodeFrom(c *cli.Context) Node {
	return Node{
		Layout: layout.Layout{DataDir: strings.TrimRight(c.String("data-dir"), "/")},
		Debug:  c.Bool("debug"),
		Token:  c.String("token"), TokenFile: c.String("token-file"),
		Name: c.String("node-name"), WithNodeID: c.Bool("with-node-id"),
		IPs: split(c.StringSlice("node-ip")), ExternalIPs: split(c.StringSlice("node-external-ip")),
		Labels: c.StringSlice("node-label"), Taints: c.StringSlice("node-taint"),
		BindAddress: c.String("bind-address"), FlannelIface: c.String("flannel-iface"), ResolvConf: c.String("resolv-conf"),
		KubeletArgs: c.StringSlice("kubelet-arg"), KubeProxyArgs: c.StringSlice("kube-proxy-arg"),
		ProtectKernelDefaults: c.Bool("protect-kernel-defaults"),
		PauseImage:            c.String("pause-image"),
		LoadBalancerPort:      c.Int("lb-server-port"), ServerURL: c.String("server"),
	}
}

// ServerFrom reads the options of `k3s server` from a parsed command line.
func ServerFrom(c *cli.Context) Server {
	return Server{
		Node:       NodeFrom(c),
		AgentToken: c.String("agent-token"), AgentTokenFile: c.String("agent-token-file"),
		ClusterInit: c.Bool("cluster-init"), HTTPSPort: c.Int("https-listen-port"),
		AdvertiseAddress: c.String("advertise-address"), TLSSANs: split(c.StringSlice("tls-san")),
		ClusterCIDR: c.String("cluster-cidr"), ServiceCIDR: c.String("service-cidr"),
		ServiceNodePortRange: c.String("service-node-port-range"),
		ClusterDNS:           c.String("cluster-dns"), ClusterDomain: c.String("cluster-domain"),
		FlannelBackend: c.String("flannel-backend"), DisableNetworkPolicy: c.Bool("disable-network-policy"),
		SecretsEncryption: c.Bool("secrets-encryption"), SecretsEncryptionProvider: c.String("secrets-encryption-provider"),
		SystemDefaultRegistry: c.String("system-default-registry"), Disable: split(c.StringSlice("disable")),
		WriteKubeconfig: c.String("write-kubeconfig"), WriteKubeconfigMode: c.String("write-kubeconfig-mode"),
		WriteKubeconfigGroup: c.String("write-kubeconfig-group"),
		APIServerArgs:        c.StringSlice("kube-apiserver-arg"), ControllerArgs: c.StringSlice("kube-controller-manager-arg"),
		SchedulerArgs: c.StringSlice("kube-scheduler-arg"),
		ClusterReset:  c.Bool("cluster-reset"), ClusterResetRestorePath: c.String("cluster-reset-restore-path"),
		Snapshots: Snapshots{
			Disabled: c.Bool("etcd-disable-snapshots"), Name: c.String("etcd-snapshot-name"), Cron: c.String("etcd-snapshot-schedule-cron"),
			Dir: c.String("etcd-snapshot-dir"), Retention: c.Int("etcd-snapshot-retention"), Compress: c.Bool("etcd-snapshot-compress"),
		},
	}
}

// split takes the few keys apart that allow commas; all others are taken as they are.
func split(values []string) []string {
	var result []string
	for _, value := range values {
		for _, part := range strings.Split(value, ",") {
			if part = strings.TrimSpace(part); part != "" {
				result = append(result, part)
			}
		}
	}
	return result
}
