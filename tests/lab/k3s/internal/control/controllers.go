package control

import (
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/process"
)

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
		"leader-elect":                     "false",
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

func schedulerArgs(opts options.Server) []string {
	kubeconfig := opts.Cred("scheduler.kubeconfig")
	return process.Args(map[string]string{
		"authentication-kubeconfig": kubeconfig,
		"authorization-kubeconfig":  kubeconfig,
		"bind-address":              "127.0.0.1",
		"kubeconfig":                kubeconfig,
		"leader-elect":              "false",
		"profiling":                 "false",
		"secure-port":               "10259",
		"tls-cert-file":             opts.TLS("kube-scheduler", "kube-scheduler.crt"),
		"tls-private-key-file":      opts.TLS("kube-scheduler", "kube-scheduler.key"),
	}, opts.SchedulerArgs)
}
