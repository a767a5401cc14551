package agent

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/sirupsen/logrus"

	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/loadbalancer"
	"k3srun.test/lab/k3s/internal/notify"
	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/process"
	"k3srun.test/lab/k3s/internal/version"
)

// Run is `k3s agent`: it returns when the agent has ended. args is the merged command line.
func Run(ctx context.Context, opts options.Node, systemd notify.Socket, args []string) error {
	joinToken, err := agentToken(opts)
	if err != nil {
		return err
	}
	if opts.ServerURL == "" {
		return errors.New("--server is required")
	}
	logrus.Infof("Starting k3s agent %s (%s)", version.Version, version.Commit)
	group := process.NewGroup(ctx)
	if err := start(group, opts, joinToken, systemd, args); err != nil {
		cause := context.Cause(group.Context())
		group.Shutdown(err)
		_ = group.Wait()
		if cause != nil {
			return cause
		}
		return err
	}
	return group.Wait()
}

func start(group *process.Group, opts options.Node, joinToken string, systemd notify.Socket, args []string) error {
	local, err := loadbalancer.Start(group.Context(), opts.LoadBalancerPort, opts.ServerURL)
	if err != nil {
		logrus.Warnf("Error starting load balancer: %v", err)
		return err
	}
	node, err := New(opts, local, args)
	if err != nil {
		return err
	}
	if err := node.Run(group, opts.ServerURL, local, joinToken); err != nil {
		return err
	}
	logrus.Info("k3s agent is up and running")
	return systemd.Ready()
}

// agentToken is required unless an earlier join has left a certificate.
func agentToken(opts options.Node) (string, error) {
	text := opts.Token
	if text == "" && opts.TokenFile != "" {
		content, err := layout.ReadAwaited(opts.TokenFile)
		if err != nil {
			return "", err
		}
		text = string(content)
	}
	if strings.TrimSpace(text) != "" {
		return text, nil
	}
	if _, err := os.Stat(opts.Agent("client-kubelet.crt")); err != nil {
		return "", errors.New("--token is required")
	}
	return "", nil
}
