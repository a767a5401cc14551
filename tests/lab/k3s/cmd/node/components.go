package main

import (
	"context"
	"fmt"
	"os"

	_ "github.com/containerd/containerd/v2/cmd/containerd/builtins" // containerd's plugins
	containerd "github.com/containerd/containerd/v2/cmd/containerd/command"
	ctr "github.com/containerd/containerd/v2/cmd/ctr/app"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // the log format "json"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // metrics of API clients
	_ "k8s.io/component-base/metrics/prometheus/version"  // metrics of the version
	kubectl "k8s.io/kubectl/pkg/cmd"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	kubeproxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"k3srun.test/lab/k3s/internal/cloud"
	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/process"
)

// components are what this executable is under other names. They return the status to exit with.
var components = map[string]func() int{
	"kube-controller-manager":  func() int { return runChild(controllermanager.NewControllerManagerCommand()) },
	"cloud-controller-manager": runCloudController,
	"kube-scheduler":           func() int { return runChild(scheduler.NewSchedulerCommand()) },
	"kube-proxy":               func() int { return runChild(kubeproxy.NewProxyCommand()) },
	"kubelet":                  func() int { return runChild(kubelet.NewKubeletCommand(context.Background())) },
	"containerd":               runContainerd,
	"kubectl":                  runKubectl,
	"ctr":                      runCtr,
}

func runChild(command *cobra.Command) int {
	command.SilenceUsage = true
	return process.Component(func() error { return cli.RunNoErrOutput(command) })
}

func runCloudController() int {
	command, err := cloud.Command()
	if err != nil {
		return process.Component(func() error { return err })
	}
	return runChild(command)
}

func runContainerd() int {
	// etcd, which is in this executable too, has registered the same gRPC metrics.
	prometheus.DefaultRegisterer = prometheus.NewRegistry()
	return process.Component(func() error { return runApp(containerd.App()) })
}

func runKubectl() int {
	if os.Getenv("KUBECONFIG") == "" {
		if _, err := os.Stat(layout.Kubeconfig); err == nil {
			os.Setenv("KUBECONFIG", layout.Kubeconfig)
		}
	}
	return cli.Run(kubectl.NewDefaultKubectlCommand())
}

func runCtr() int {
	setDefault("CONTAINERD_ADDRESS", layout.ContainerdSocket)
	setDefault("CONTAINERD_NAMESPACE", "k8s.io")
	if err := runApp(ctr.New()); err != nil {
		fmt.Fprintln(os.Stderr, "ctr:", err)
		return 1
	}
	return 0
}

// runApp runs an application of urfave/cli: of its version 2 with containerd 2.3, of version 3 with containerd 2.4.
func runApp(app any) error {
	switch app := app.(type) {
	case interface{ Run([]string) error }:
		return app.Run(os.Args)
	case interface {
		Run(context.Context, []string) error
	}:
		return app.Run(context.Background(), os.Args)
	default:
		panic(fmt.Sprintf("no way to run a %T", app))
	}
}

func setDefault(name, value string) {
	if os.Getenv(name) == "" {
		os.Setenv(name, value)
	}
}
