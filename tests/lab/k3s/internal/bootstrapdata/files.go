package bootstrapdata

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/process"
)

// clockSkew is how much younger than the stored copy a file may be.
const clockSkew = 3 * time.Second

// File is one that is stored, and when it was written.
type File struct {
	Timestamp time.Time
	Content   []byte
}

// Files are stored under names that say nothing about where they lie.
type Files map[string]File

// Collect reads what there is at paths.
func Collect(paths map[string]string) (Files, error) {
	files := Files{}
	for name, path := range paths {
		info, err := os.Stat(path)
		if os.IsNotExist(err) {
			logrus.Warnf("failed to stat %s: %v", name, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		files[name] = File{Timestamp: info.ModTime(), Content: content}
	}
	return files, nil
}

// Reconcile brings the disk to what is stored. A file that is missing or older is written again, and all others with it.
// One that was changed since it was stored stops the start: nobody can know which of the two is meant.
func (f Files) Reconcile(paths map[string]string) error {
	update := false
	var newer []string
	for name, stored := range f {
		path, known := paths[name]
		if !known {
			logrus.Warnf("Unable to lookup path to reconcile %s", name)
			continue
		}
		info, err := os.Stat(path)
		if os.IsNotExist(err) {
			logrus.Warnf("failed to stat %s: %v", name, err)
			logrus.Warnf("%s doesn't exist. continuing...", path)
			update = true
			continue
		}
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.Equal(content, stored.Content) {
			continue
		}
		if info.ModTime().Sub(stored.Timestamp) > clockSkew {
			newer = append(newer, path)
		} else {
			update = true
		}
	}
	if len(newer) > 0 {
		slices.Sort(newer)
		return process.Abort{Reason: strings.Join(newer, ", ") + " newer than datastore and could cause a cluster outage. " +
			"Remove the file(s) from disk and restart to be recreated from datastore."}
	}
	if !update {
		return nil
	}
	return f.Write(paths)
}

// Write puts everything on disk, whatever lies there.
func (f Files) Write(paths map[string]string) error {
	logrus.Warn("Updating bootstrap data on disk from datastore")
	for name, stored := range f {
		path, known := paths[name]
		if !known {
			continue
		}
		mode := os.FileMode(0o600)
		if strings.HasSuffix(path, ".crt") {
			mode = 0o644
		}
		if err := layout.WriteFile(path, stored.Content, mode); err != nil {
			return err
		}
		if err := os.Chtimes(path, stored.Timestamp, stored.Timestamp); err != nil {
			return err
		}
	}
	return nil
}
