// Package snapshots saves the datastore into files of this host, and keeps no more of them than wanted.
package snapshots

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	clientv3 "go.etcd.io/etcd/client/v3"

	"k3srun.test/lab/k3s/internal/layout"
)

const (
	partSuffix = ".part"
	zipSuffix  = ".zip"
)

// Store is a folder with the snapshots of one node.
type Store struct {
	// Dir is the folder. Only the one that k3s uses by itself is made; another has to be there.
	Dir  string
	Node string
}

// Default is the store that is used where nobody names another.
func Default(l layout.Layout, node string) Store {
	return Store{Dir: l.Server("db", "snapshots"), Node: node}
}

// Save writes a snapshot called <name>-<node>-<unix time> and returns its name. A compressed one is a zip with one file.
func (s Store) Save(ctx context.Context, client *clientv3.Client, name string, compress bool) (string, error) {
	full := fmt.Sprintf("%s-%s-%d", name, s.Node, time.Now().Unix())
	path := filepath.Join(s.Dir, full)
	logrus.Infof("Saving etcd snapshot to %s", path)
	content, err := client.Snapshot(ctx)
	if err != nil {
		return "", err
	}
	defer content.Close()
	if !compress {
		return full, writePart(path, 0o600, func(file io.Writer) error {
			_, err := io.Copy(file, content)
			return err
		})
	}
	return full + zipSuffix, writePart(path+zipSuffix, 0o644, func(file io.Writer) error {
		archive := zip.NewWriter(file)
		entry, err := archive.Create(full)
		if err != nil {
			return err
		}
		if _, err := io.Copy(entry, content); err != nil {
			return err
		}
		return archive.Close()
	})
}

// writePart gives a file its name when it is complete.
func writePart(path string, mode os.FileMode, write func(io.Writer) error) error {
	part := path + partSuffix
	file, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	defer os.Remove(part)
	if err := write(file); err != nil {
		file.Close()
		return err
	}
	if err := file.Sync(); err != nil {
		file.Close()
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(part, path)
}

// List tells what there is, the oldest first.
func (s Store) List() ([]File, error) {
	entries, err := os.ReadDir(s.Dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []File
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || strings.HasSuffix(info.Name(), partSuffix) {
			continue
		}
		files = append(files, s.file(info))
	}
	slices.SortStableFunc(files, func(a, b File) int { return strings.Compare(a.Status.CreationTime, b.Status.CreationTime) })
	return files, nil
}

// Delete removes snapshots by their names and returns those that were there.
func (s Store) Delete(names []string) ([]string, error) {
	var deleted []string
	for _, name := range names {
		err := os.Remove(filepath.Join(s.Dir, filepath.Base(name)))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return deleted, err
		}
		deleted = append(deleted, name)
	}
	return deleted, nil
}

// Prune removes all snapshots of a name but the youngest. Nothing is removed where none is to be kept.
func (s Store) Prune(name string, keep int) ([]string, error) {
	if keep < 1 {
		return nil, nil
	}
	files, err := s.List()
	if err != nil {
		return nil, err
	}
	var surplus []string
	for _, file := range slices.Backward(files) {
		if !strings.HasPrefix(file.Spec.SnapshotName, name+"-"+s.Node) {
			continue
		}
		if keep > 0 {
			keep--
			continue
		}
		surplus = append(surplus, file.Spec.SnapshotName)
	}
	return s.Delete(surplus)
}
