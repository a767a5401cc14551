package control

import (
	"context"
	"time"

	"github.com/sirupsen/logrus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/process"
)

// StartControllers runs what works on the API.
func StartControllers(group *process.Group, opts options.Server) {
	group.Child("kube-controller-manager", controllerArgs(opts))
	group.Child("kube-scheduler", schedulerArgs(opts))
}

// StartCloudController runs the controllers that k3s has in the place of a cloud's, as soon as a manifest has given them their
// rights. Until they have seen a node, nothing is scheduled on it.
func StartCloudController(ctx context.Context, group *process.Group, client kubernetes.Interface, opts options.Server) error {
	logrus.Info("Waiting for cloud-controller-manager privileges to become available")
	for {
		if _, err := client.RbacV1().ClusterRoleBindings().Get(ctx, "k3s-cloud-controller-manager", metav1.GetOptions{}); err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second / 2):
		}
	}
	group.Child("cloud-controller-manager", cloudControllerArgs(opts))
	return nil
}

func controllerArgs(opts options.Server) []string {
	kubeconfig := opts.Cred("controller.kubeconfig")
	return process.Args(map[string]string{
		"allocate-node-cidrs":       "true",
		"authentication-kubeconfig": kubeconfig,
		"authorization-kubeconfig":  kubeconfig,
		"bind-address":              "127.0.0.1",
		"cluster-cidr":              opts.ClusterCIDR,
		"cluster-signing-kube-apiserver-client-cert-file": opts.TLS("client-ca.crt"),
		"cluster-signing-kube-apiserver-client-key-file":  opts.TLS("client-ca.key"),
		"cluster-signing-kubelet-client-cert-file":        opts.TLS("client-ca.crt"),
		"cluster-signing-kubelet-client-key-file":         opts.TLS("client-ca.key"),
		"cluster-signing-kubelet-serving-cert-file":       opts.TLS("server-ca.crt"),
		"cluster-signing-kubelet-serving-key-file":        opts.TLS("server-ca.key"),
		"cluster-signing-legacy-unknown-cert-file":        opts.TLS("server-ca.crt"),
		"cluster-signing-legacy-unknown-key-file":         opts.TLS("server-ca.key"),
		"controllers":                      "*,tokencleaner",
		"kubeconfig":                       kubeconfig,
		"profiling":                        "false",
		"root-ca-file":                     opts.TLS("server-ca.crt"),
		"secure-port":                      "10257",
		"service-account-private-key-file": opts.TLS("service.current.key"),
		"service-cluster-ip-range":         opts.ServiceCIDR,
		"tls-cert-file":                    opts.TLS("kube-controller-manager", "kube-controller-manager.crt"),
		"tls-private-key-file":             opts.TLS("kube-controller-manager", "kube-controller-manager.key"),
		"use-service-account-credentials":  "true",
	}, opts.ControllerArgs)
}

func cloudControllerArgs(opts options.Server) []string {
	kubeconfig := opts.Cred("cloud-controller.kubeconfig")
	return process.Args(map[string]string{
		"allocate-node-cidrs":             "true",
		"authentication-kubeconfig":       kubeconfig,
		"authorization-kubeconfig":        kubeconfig,
		"bind-address":                    "127.0.0.1",
		"cloud-provider":                  "k3s",
		"cluster-cidr":                    opts.ClusterCIDR,
		"configure-cloud-routes":          "false",
		"controllers":                     "*,-route,-service",
		"kubeconfig":                      kubeconfig,
		"leader-elect-resource-name":      "k3s-cloud-controller-manager",
		"node-status-update-frequency":    "1m0s",
		"profiling":                       "false",
		"secure-port":                     "10258",
		"use-service-account-credentials": "false",
	}, nil)
}

func schedulerArgs(opts options.Server) []string {
	kubeconfig := opts.Cred("scheduler.kubeconfig")
	return process.Args(map[string]string{
		"authentication-kubeconfig": kubeconfig,
		"authorization-kubeconfig":  kubeconfig,
		"bind-address":              "127.0.0.1",
		"kubeconfig":                kubeconfig,
		"profiling":                 "false",
		"secure-port":               "10259",
		"tls-cert-file":             opts.TLS("kube-scheduler", "kube-scheduler.crt"),
		"tls-private-key-file":      opts.TLS("kube-scheduler", "kube-scheduler.key"),
	}, opts.SchedulerArgs)
}
