// acmesolver answers one HTTP-01 challenge. It is a program of its own because cert-manager gives it 64 MiB.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cert-manager/cert-manager/pkg/issuer/acme/http/solver"
	"github.com/go-logr/logr"
)

func main() {
	var challenge solver.HTTP01Solver
	flag.IntVar(&challenge.ListenPort, "listen-port", 8089, "port to listen on")
	flag.StringVar(&challenge.Domain, "domain", "", "name that the challenge is for")
	flag.StringVar(&challenge.Token, "token", "", "token of the challenge, the last part of the path")
	flag.StringVar(&challenge.Key, "key", "", "answer")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		late, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		challenge.Shutdown(late)
	}()

	log := logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, nil))
	if err := challenge.Listen(log); !errors.Is(err, http.ErrServerClosed) {
		log.Error(err, "can't answer the challenge")
		os.Exit(1)
	}
}
