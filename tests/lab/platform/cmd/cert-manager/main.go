// cert-manager is cert-manager's controller, webhook, CA injector and start-up check in one program, which
// names its part in the first argument. cert-manager's own programs are modules that can't be had; its library
// is the real one, and these files only wire it: flags, configuration file, listeners, leader election.
//
// One program instead of four, because what they link is nearly the same: it is compiled, packed and loaded once.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	logf "github.com/cert-manager/cert-manager/pkg/logs"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	parts := map[string]func(context.Context, []string) error{
		"controller": controller, "webhook": webhook, "cainjector": cainjector, "startupapicheck": startupapicheck,
	}
	if len(os.Args) < 2 || parts[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: cert-manager controller|webhook|cainjector|startupapicheck FLAG...")
		os.Exit(2)
	}
	name := os.Args[1]
	logf.InitLogs()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx = logf.NewContext(ctx, logf.Log, name)
	ctrl.SetLogger(logf.FromContext(ctx))
	err := parts[name](ctx, os.Args[2:])
	stop()
	logf.FlushLogs()
	if err != nil {
		fmt.Fprintf(os.Stderr, "cert-manager %s: %v\n", name, err)
		os.Exit(1)
	}
}
