// Package loadbalancer forwards the agent's local port to the server's port 6443. TLS goes through it
// untouched, so the components on the host keep their connection target when the server's address changes.
package loadbalancer

import (
	"context"
	"io"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/sirupsen/logrus"
)

// dialTimeout is longer than a client waits: of a server that doesn't answer the client's own timeout tells first.
const dialTimeout = 15 * time.Second

// Start listens on 127.0.0.1:port and forwards to the host of serverURL until ctx ends.
// It returns the local address as a URL of the same scheme.
func Start(ctx context.Context, port int, serverURL string) (string, error) {
	server, err := url.Parse(serverURL)
	if err != nil {
		return "", err
	}
	target := server.Host
	if server.Port() == "" {
		target = net.JoinHostPort(server.Hostname(), "443")
	}
	local := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	listener, err := net.Listen("tcp", local)
	if err != nil {
		return "", err
	}
	logrus.Infof("Running load balancer k3s-agent-load-balancer %s -> [%s]", local, target)
	context.AfterFunc(ctx, func() { listener.Close() })
	go accept(ctx, listener, target)
	return server.Scheme + "://" + local, nil
}

func accept(ctx context.Context, listener net.Listener, target string) {
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			logrus.Errorf("Load balancer: %v", err)
			time.Sleep(time.Second)
			continue
		}
		go forward(ctx, conn, target)
	}
}

func forward(ctx context.Context, from net.Conn, target string) {
	defer from.Close()
	dialer := net.Dialer{Timeout: dialTimeout}
	to, err := dialer.DialContext(ctx, "tcp", target)
	if err != nil {
		logrus.Debugf("Load balancer: %v", err)
		return
	}
	defer to.Close()
	finished := make(chan struct{}, 2)
	relay := func(dst, src net.Conn) {
		_, _ = io.Copy(dst, src)
		finished <- struct{}{}
	}
	go relay(to, from)
	go relay(from, to)
	<-finished
}
