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

// Text is what `--version` prints. It begins with the name that the program was called by, whatever that is.
func Text(program string) string {
	return fmt.Sprintf("%s version %s (%s)\ngo version %s\n", program, Version, Commit, runtime.Version())
}
