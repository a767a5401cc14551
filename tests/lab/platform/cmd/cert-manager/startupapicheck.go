package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cert-manager/cert-manager/internal/kube"
	"github.com/cert-manager/cert-manager/pkg/util/cmapichecker"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/wait"
)

// startupapicheck is called `check api --wait=TIME` by the chart's hook, and ends once the webhook answers.
func startupapicheck(ctx context.Context, args []string) error {
	flags := pflag.NewFlagSet("startupapicheck check api", pflag.ContinueOnError)
	limit := flags.Duration("wait", 0, "how long to try")
	interval := flags.Duration("interval", 5*time.Second, "time between two tries")
	namespace := flags.String("namespace", ownNamespace(), "namespace of the request that is tried")
	kubeconfig := flags.String("kubeconfig", "", "kubeconfig; the service account if empty")
	flags.BoolP("verbose", "v", false, "accepted; the reason of each failure is always told")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 2 || flags.Arg(0) != "check" || flags.Arg(1) != "api" {
		return errors.New("usage: startupapicheck check api [--wait=TIME]")
	}
	restConfig, err := kube.BuildClientConfig("", *kubeconfig)
	if err != nil {
		return err
	}
	checker, err := cmapichecker.New(restConfig, *namespace)
	if err != nil {
		return err
	}
	var last error
	err = wait.PollUntilContextTimeout(ctx, *interval, max(*limit, time.Nanosecond), true, func(ctx context.Context) (bool, error) {
		if last = checker.Check(ctx); last != nil {
			fmt.Println("not ready:", last)
		}
		return last == nil, nil
	})
	if err != nil {
		return errors.Join(err, last)
	}
	fmt.Println("The cert-manager API is ready")
	return nil
}

// ownNamespace is that of the pod, where the chart gives it the right to try.
func ownNamespace() string {
	name, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if err != nil {
		return "default"
	}
	return string(name)
}
