// hello is the application of the lab: it answers with who it is and who asks, as lines `name: value`.
//
//	GET /             pod, node, client, x-forwarded-for, x-real-ip, x-forwarded-proto, host, protocol, method, path
//	GET /healthz      200
//	GET /env/NAME     a variable of its environment, 404 if it has none of that name
//	PUT /data/NAME    keeps the body in the file /data/NAME
//	GET /data/NAME    what that file holds
//
// It listens on port 8080, or on $PORT. After SIGTERM it still answers for a moment, until nobody sends requests any more.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const folder = "/data"

func main() {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /healthz", func(out http.ResponseWriter, _ *http.Request) { fmt.Fprintln(out, "ok") })
	pages.HandleFunc("GET /env/{name}", environment)
	pages.HandleFunc("GET /data/{name}", load)
	pages.HandleFunc("PUT /data/{name}", save)
	pages.HandleFunc("/", whoami)

	server := &http.Server{Addr: ":" + either(os.Getenv("PORT"), "8080"), Handler: pages, ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ended := make(chan error)
	go func() {
		<-ctx.Done()
		time.Sleep(3 * time.Second)
		late, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		ended <- server.Shutdown(late)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
}

func whoami(out http.ResponseWriter, in *http.Request) {
	host, _ := os.Hostname()
	for _, line := range [][2]string{
		{"pod", either(os.Getenv("POD_NAME"), host)},
		{"node", os.Getenv("NODE_NAME")},
		{"client", in.RemoteAddr},
		{"x-forwarded-for", in.Header.Get("X-Forwarded-For")},
		{"x-real-ip", in.Header.Get("X-Real-Ip")},
		{"x-forwarded-proto", in.Header.Get("X-Forwarded-Proto")},
		{"host", in.Host},
		{"protocol", in.Proto},
		{"method", in.Method},
		{"path", in.URL.Path},
	} {
		fmt.Fprintf(out, "%s: %s\n", line[0], line[1])
	}
}

func environment(out http.ResponseWriter, in *http.Request) {
	value, there := os.LookupEnv(in.PathValue("name"))
	if !there {
		http.NotFound(out, in)
		return
	}
	fmt.Fprintln(out, value)
}

func load(out http.ResponseWriter, in *http.Request) {
	reply(out, inFolder(func(root *os.Root) error {
		file, err := root.Open(in.PathValue("name"))
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = io.Copy(out, file)
		return err
	}))
}

func save(out http.ResponseWriter, in *http.Request) {
	reply(out, inFolder(func(root *os.Root) error {
		file, err := root.Create(in.PathValue("name"))
		if err != nil {
			return err
		}
		_, err = io.Copy(file, in.Body)
		return errors.Join(err, file.Close())
	}))
}

func inFolder(do func(*os.Root) error) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	return do(root)
}

func reply(out http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, os.ErrNotExist):
		http.Error(out, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(out, err.Error(), http.StatusInternalServerError)
	}
}

func either(first, second string) string {
	if first != "" {
		return first
	}
	return second
}
