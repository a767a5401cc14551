package layout

import (
	"fmt"
	"os"
	"time"

	"github.com/sirupsen/logrus"
)

const (
	// fileTimeout is how long a file may be missing that the options name.
	fileTimeout  = 4 * time.Minute
	fileInterval = 2 * time.Second
)

// ReadAwaited reads a file that somebody else may write later. As in k3s a signal doesn't end it, and the line break is in
// what it says.
func ReadAwaited(path string) ([]byte, error) {
	for deadline := time.Now().Add(fileTimeout); ; time.Sleep(fileInterval) {
		content, err := os.ReadFile(path)
		if err == nil || !os.IsNotExist(err) {
			return content, err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("timed out waiting for %s: %w", path, err)
		}
		logrus.Infof("Waiting for %s to be available\n", path)
	}
}
