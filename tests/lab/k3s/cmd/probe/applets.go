package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// applets are the two programs of busybox that test pods use and that crash in the static busybox of Debian:
// its C library can't look names up without shared libraries.
var applets = map[string]func(context.Context, []string) error{"wget": wget, "httpd": httpd}

func wget(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("wget", flag.ContinueOnError)
	flags.Bool("q", false, "quiet")
	seconds := flags.Int("T", 30, "time-out in seconds")
	out := flags.String("O", "", "file to write, - for standard output")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *out != "-" || flags.NArg() != 1 {
		return fmt.Errorf("usage: wget [-q] [-T SECONDS] -O - URL")
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(*seconds)*time.Second)
	defer cancel()
	return fetch(ctx, flags.Arg(0), os.Stdout)
}

func httpd(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("httpd", flag.ContinueOnError)
	flags.Bool("f", false, "stay in the foreground, as always")
	port := flags.String("p", "80", "port")
	home := flags.String("h", ".", "folder to serve")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return listen(ctx, ":"+*port, http.FileServer(http.Dir(*home)))
}

func fetch(ctx context.Context, url string, out io.Writer) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(out, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", response.Status)
	}
	return nil
}
