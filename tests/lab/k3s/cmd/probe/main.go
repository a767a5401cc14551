// probe is the program of test pods: a server that says who answers and who asks, and the clients for it.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const usage = `usage:
  probe serve [ADDRESS]   answer every HTTP request with "<host name> <client address>" (default :8080)
  probe get URL           print the answer; status 1 unless it is 200
  probe lookup NAME       print the addresses of a name
  probe sleep [DURATION]  wait (default: until told to stop)
  probe cat FILE          print a file
  probe write FILE TEXT   write a file
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	command := run
	if applet, ok := applets[filepath.Base(os.Args[0])]; ok {
		command = applet
	}
	if err := command(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	switch arg(0) {
	case "serve":
		return serve(ctx, arg(1))
	case "get":
		return get(ctx, arg(1))
	case "lookup":
		return lookup(ctx, arg(1))
	case "sleep":
		return sleep(ctx, arg(1))
	case "cat":
		content, err := os.ReadFile(arg(1))
		fmt.Print(string(content))
		return err
	case "write":
		return os.WriteFile(arg(1), []byte(arg(2)), 0o644)
	default:
		return fmt.Errorf("unknown command %q\n%s", arg(0), usage)
	}
}

func serve(ctx context.Context, address string) error {
	if address == "" {
		address = ":8080"
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	return listen(ctx, address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, _, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprintf(w, "%s %s\n", host, client)
	}))
}

func listen(ctx context.Context, address string, handler http.Handler) error {
	server := &http.Server{Addr: address, Handler: handler}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func get(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return fetch(ctx, url, os.Stdout)
}

func lookup(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, name)
	for _, address := range addresses {
		fmt.Println(address)
	}
	return err
}

func sleep(ctx context.Context, duration string) error {
	if duration == "" {
		<-ctx.Done()
		return nil
	}
	wait, err := time.ParseDuration(duration)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
	return nil
}
