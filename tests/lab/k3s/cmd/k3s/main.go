// k3s is the one executable: it carries all others, unpacks them, and becomes the one that is asked for.
package main

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"k3srun.test/lab/k3s/internal/configfile"
	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/staging"
	"k3srun.test/lab/k3s/internal/version"
)

// The build script puts bundle.tar.zst here before it compiles this package.
//
//go:embed all:bundle
var bundle embed.FS

const usage = `k3s - Kubernetes in one executable (a test distribution that is compatible with k3s from the outside)

Usage:
   k3s <command> [options]

Commands:
   server           Run management server
   agent            Run node agent
   kubectl          Run kubectl
   ctr              Run ctr
   token            Manage tokens
   etcd-snapshot    Manage etcd snapshots
   secrets-encrypt  Show the state of secrets encryption

Options:
   --help, -h     show help
   --version, -v  print the version
`

func main() {
	args := os.Args
	// Called as kubectl or ctr through a link.
	if name := filepath.Base(args[0]); name == "kubectl" || name == "ctr" || name == "crictl" {
		args = append([]string{"k3s", name}, args[1:]...)
	}
	if len(args) < 2 {
		fmt.Print(usage)
		return
	}
	switch args[1] {
	case "-h", "--help", "help":
		fmt.Print(usage)
	case "-v", "--version":
		fmt.Print(version.String())
	case "server", "agent", "kubectl", "ctr", "token", "etcd-snapshot", "secrets-encrypt":
		logrus.Fatal(become(args))
	case "crictl", "check-config", "certificate", "completion":
		logrus.Fatalf("Error: `k3s %s` is not part of the test distribution %s", args[1], version.Version)
	default:
		fmt.Print(usage)
		logrus.Fatalf("Error: No help topic for '%s'", args[1])
	}
}

// become unpacks the bundle and replaces this process, which keeps its pid: systemd waits for it.
func become(args []string) error {
	content, err := bundle.ReadFile("bundle/bundle.tar.zst")
	if err != nil {
		return fmt.Errorf("this executable was built without its bundle; use the build script: %w", err)
	}
	bin, err := staging.Unpack(dataDir(args), content)
	if err != nil {
		return err
	}
	path := bin + string(os.PathListSeparator) + os.Getenv("PATH")
	if err := os.Setenv("PATH", path); err != nil {
		return err
	}
	executable, argv := filepath.Join(bin, "k3s"), args
	if args[1] == "kubectl" || args[1] == "ctr" {
		executable, argv = filepath.Join(bin, args[1]), args[1:]
	}
	return unix.Exec(executable, argv, os.Environ())
}

// dataDir is needed before the arguments are parsed. The order of precedence is that of the parser:
// command line, configuration file, environment.
func dataDir(args []string) string {
	parser := configfile.Parser{Readers: []string{"server", "agent", "etcd-snapshot"}, Warn: func(string, ...any) {}}
	if args[1] != "kubectl" && args[1] != "ctr" {
		if merged, err := parser.Parse(args); err == nil {
			args = merged
		}
		if dir, ok := configfile.Flag(args, "data-dir", "d"); ok && dir != "" {
			return strings.TrimRight(dir, "/")
		}
	}
	if dir := os.Getenv("K3S_DATA_DIR"); dir != "" {
		return dir
	}
	return layout.DefaultDataDir
}
