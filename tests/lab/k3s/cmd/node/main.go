// node is the executable behind k3s: unpacked as "k3s", it is the server, the agent and the operator's
// commands; under the names of the components it is those.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"

	"k3srun.test/lab/k3s/internal/agent"
	"k3srun.test/lab/k3s/internal/commands"
	"k3srun.test/lab/k3s/internal/configfile"
	"k3srun.test/lab/k3s/internal/notify"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/process"
	"k3srun.test/lab/k3s/internal/server"
	"k3srun.test/lab/k3s/internal/version"
)

func main() {
	if component, ok := components[filepath.Base(os.Args[0])]; ok {
		os.Exit(component())
	}
	logrus.SetOutput(os.Stderr)
	if err := run(os.Args); err != nil {
		var fatal process.FatalError
		if errors.As(err, &fatal) {
			logrus.Errorf("%v", fatal)
			os.Exit(fatal.Code)
		}
		var abort process.Abort
		if errors.As(err, &abort) {
			logrus.Fatal(abort.Reason)
		}
		logrus.Fatalf("Error: %v", err)
	}
}

func run(args []string) error {
	parser := configfile.Parser{
		Readers: configfile.Readers,
		KnownFlags: map[string][]string{
			"server":        options.Names(options.ServerFlags()),
			"etcd-snapshot": commands.SnapshotFlagNames(),
		},
		Warn: logrus.Warnf,
	}
	args, err := parser.Parse(args)
	if err != nil {
		return process.Abort{Reason: err.Error()}
	}
	app := &cli.App{
		Name: "k3s", Usage: "Kubernetes, but small and simple", HideVersion: true,
		DisableSliceFlagSeparator: true,
		Commands: []*cli.Command{
			{Name: "server", Usage: "Run management server", Flags: options.ServerFlags(), Action: func(c *cli.Context) error {
				opts := options.ServerFrom(c)
				return serve(c, opts.Debug, func(ctx context.Context, systemd notify.Socket) error {
					return server.Run(ctx, opts, systemd, args[1:])
				})
			}},
			{Name: "agent", Usage: "Run node agent", Flags: options.AgentFlags(), Action: func(c *cli.Context) error {
				opts := options.NodeFrom(c)
				return serve(c, opts.Debug, func(ctx context.Context, systemd notify.Socket) error { return agent.Run(ctx, opts, systemd, args[1:]) })
			}},
			commands.EtcdSnapshot(), commands.SecretsEncrypt(), commands.Token(), commands.Certificate(),
		},
	}
	return app.Run(args)
}

// errSignalled ends a service in order.
var errSignalled = errors.New("signal")

// serve runs a service until it fails or is told to stop. A component that ends takes the service with
// it, but not as a failure: the status is 0, and systemd starts it again.
func serve(c *cli.Context, debug bool, service func(context.Context, notify.Socket) error) error {
	if c.Args().Len() > 0 {
		return fmt.Errorf("invalid arguments: %v", c.Args().Slice())
	}
	if debug {
		logrus.SetLevel(logrus.DebugLevel)
	}
	for _, name := range options.Ignored(c) {
		logrus.Warnf("The option %s is accepted, but has no effect in the test distribution %s", name, version.Version)
	}
	if os.Geteuid() != 0 {
		return errors.New("must run as root")
	}
	ctx, cancel := context.WithCancelCause(c.Context)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		logrus.Debugf("Received %v", <-signals)
		cancel(errSignalled)
	}()
	systemd, err := notify.Take()
	if err != nil {
		return err
	}
	err = service(ctx, systemd)
	if errors.Is(err, errSignalled) || process.InOrder(err) {
		return nil
	}
	return err
}
