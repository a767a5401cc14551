package options

import (
	"sort"

	"github.com/urfave/cli/v2"
)

// The names that k3s knows and this distribution accepts without doing anything about them.
// Using one is said in the log. The value says whether the flag is boolean.
var (
	ignoredNode = map[string]bool{
		"log": false, "v": false, "prefer-bundled-bin": true, "alsologtostderr": true, "vmodule": false, "image-credential-provider-bin-dir": false,
		"image-credential-provider-config": false, "image-service-endpoint": false, "docker": true, "container-runtime-endpoint": false,
		"default-runtime": false, "disable-default-registry-endpoint": true, "nonroot-devices": true,
		"private-registry": false, "snapshotter": false, "airgap-extra-registry": false, "selinux": true,
		"node-internal-dns": false, "node-external-dns": false, "flannel-conf": false, "flannel-cni-conf": false,
		"vpn-auth": false, "vpn-auth-file": false, "enable-pprof": true, "rootless": true, "disable-apiserver-lb": true,
	}
	ignoredServer = map[string]bool{
		"supervisor-port": false, "advertise-port": false, "etcd-arg": false, "apiserver-port": false, "apiserver-bind-address": false, "tls-san-security": true,
		"egress-selector-mode": false, "servicelb-namespace": false, "flannel-ipv6-masq": true, "flannel-external-ip": true,
		"helm-job-image": false, "kube-cloud-controller-manager-arg": false, "kine-tls": true, "datastore-endpoint": false,
		"datastore-cafile": false, "datastore-certfile": false, "datastore-keyfile": false,
		"etcd-expose-metrics": true, "etcd-snapshot-reconcile-interval": false, "etcd-s3": true, "etcd-s3-endpoint": false,
		"etcd-s3-endpoint-ca": false, "etcd-s3-skip-ssl-verify": true, "etcd-s3-session-token": false, "etcd-s3-bucket-lookup-type": false,
		"etcd-s3-bucket": false, "etcd-s3-region": false, "etcd-s3-folder": false, "etcd-s3-access-key": false,
		"etcd-s3-retention": false, "etcd-s3-proxy": false, "etcd-s3-config-secret": false, "etcd-s3-insecure": true, "etcd-s3-timeout": false,
		"etcd-s3-secret-key": false, "default-local-storage-path": false, "disable-scheduler": true,
		"disable-cloud-controller": true, "disable-kube-proxy": true,
		"disable-helm-controller": true, "embedded-registry": true, "supervisor-metrics": true, "multi-cluster-cidr": true,
		"disable-apiserver":          true,
		"disable-controller-manager": true, "disable-etcd": true,
	}
)

// meaningless lists the ignored flags whose components are not here anyway, so that nothing is lost.
var meaningless = map[string]bool{
	"disable-cloud-controller": true, "disable-helm-controller": true,
	"servicelb-namespace": true,
}

func ignoredFlags(sets ...map[string]bool) []cli.Flag {
	var flags []cli.Flag
	for _, set := range sets {
		for name, isBool := range set {
			if isBool {
				flags = append(flags, &cli.BoolFlag{Name: name, Usage: "accepted and ignored", Hidden: true})
			} else {
				flags = append(flags, &cli.StringSliceFlag{Name: name, Usage: "accepted and ignored", Hidden: true})
			}
		}
	}
	return flags
}

// Ignored lists the flags that were given and have no effect here.
func Ignored(c *cli.Context) []string {
	var names []string
	for _, set := range []map[string]bool{ignoredNode, ignoredServer} {
		for name := range set {
			if !meaningless[name] && c.IsSet(name) {
				names = append(names, name)
			}
		}
	}
	sort.Strings(names)
	return names
}
