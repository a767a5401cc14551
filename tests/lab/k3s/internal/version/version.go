// Package version says what this build is. The build script sets the values.
package version

import (
	"fmt"
	"runtime"
)

var (
	// Version is the Kubernetes version with the suffix that marks this distribution.
	Version = "v0.0.0+k3s-lab"
	// Commit identifies the sources.
	Commit = "unknown"
)

// String is what `k3s --version` prints.
func String() string {
	return fmt.Sprintf("k3s version %s (%s)\ngo version %s\n", Version, Commit, runtime.Version())
}
