// k3s is the one executable: it carries all others, unpacks them, and becomes the one that is asked for.
package main

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

const usage = `NAME:
   k3s - Kubernetes, but small and simple (a test distribution that is compatible with k3s from the outside)

USAGE:
   k3s <command> [options]

COMMANDS:
   server           Run management server
   agent            Run node agent
   kubectl          Run kubectl
   ctr              Run ctr
   token            Manage tokens
   etcd-snapshot    Manage etcd snapshots
   secrets-encrypt  Control secrets encryption and keys rotation
   certificate      Manage K3s certificates

OPTIONS:
   --help, -h     show help
   --version, -v  print the version
`

// unknownCommand is the status after a command that is not known.
const unknownCommand = 3

// applets are commands that other projects have made: the executable is called by their names, too.
var applets = []string{"kubectl", "ctr", "crictl"}

// own are the commands of k3s. Each runs under a name of its own.
var own = []string{"server", "agent", "token", "etcd-snapshot", "secrets-encrypt", "certificate"}

func main() {
	args := os.Args
	program := filepath.Base(args[0])
	if slices.Contains(applets, program) {
		args = append([]string{"k3s", program}, args[1:]...)
	}
	if len(args) < 2 {
		fmt.Print(usage)
		return
	}
	switch command := args[1]; {
	case command == "-h" || command == "--help" || command == "help":
		fmt.Print(usage)
	case command == "-v" || command == "--version":
		fmt.Print(version.Text(program))
	case slices.Contains(own, command):
		logrus.Fatal(become("k3s-"+command, args, args))
	case command == "kubectl" || command == "ctr":
		logrus.Fatal(become(command, args, args[1:]))
	case command == "crictl" || command == "check-config" || command == "completion":
		logrus.Fatalf("Error: `k3s %s` is not part of the test distribution %s", command, version.Version)
	case strings.HasPrefix(command, "-"):
		problem := "flag provided but not defined: -" + strings.TrimLeft(command, "-")
		fmt.Print("Incorrect Usage: ", problem, "\n\n", usage)
		logrus.Fatal("Error: ", problem)
	default:
		fmt.Fprintf(os.Stderr, "No help topic for '%s'\n", command)
		os.Exit(unknownCommand)
	}
}

// become unpacks the bundle and replaces this process, which keeps its pid: systemd waits for it.
func become(name string, args, argv []string) error {
	content, err := bundle.ReadFile("bundle/bundle.tar.zst")
	if err != nil {
		return fmt.Errorf("this executable was built without its bundle; use the build script: %w", err)
	}
	dir, err := dataDir(args)
	if err != nil {
		return err
	}
	bin, err := staging.Unpack(dir, content)
	if err != nil {
		return err
	}
	path := bin + string(os.PathListSeparator) + os.Getenv("PATH")
	if err := os.Setenv("PATH", path); err != nil {
		return err
	}
	return unix.Exec(filepath.Join(bin, name), argv, os.Environ())
}

// dataDir is needed before the arguments are parsed. The order of precedence is that of the parser:
// command line, configuration file, environment.
func dataDir(args []string) (string, error) {
	if slices.Contains(own, args[1]) {
		parser := configfile.Parser{Readers: configfile.Readers, Warn: func(string, ...any) {}}
		merged, err := parser.Parse(args)
		if err != nil {
			return "", err
		}
		if dir, ok := configfile.Flag(merged, "data-dir", "d"); ok && dir != "" {
			return strings.TrimRight(dir, "/"), nil
		}
	}
	if dir := os.Getenv("K3S_DATA_DIR"); dir != "" {
		return dir, nil
	}
	return layout.DefaultDataDir, nil
}
