// Package staging unpacks the executables that travel inside the k3s executable.
package staging

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// plugins are the executables that the container runtime calls for the network.
var plugins = []string{"bandwidth", "bridge", "firewall", "flannel", "host-local", "loopback", "portmap"}

// Unpack extracts a tar.zst into DATA/data/<sha256>/bin, once, and points the links "current" and
// "previous" at this version and the one before. It returns the version's bin directory.
func Unpack(dataDir string, bundle []byte) (string, error) {
	root := filepath.Join(dataDir, "data")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(root, ".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()

	sum := sha256.Sum256(bundle)
	version := hex.EncodeToString(sum[:])
	dir := filepath.Join(root, version)
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		temp := dir + "-tmp"
		if err := os.RemoveAll(temp); err != nil {
			return "", err
		}
		if err := extract(temp, bundle); err != nil {
			return "", fmt.Errorf("extracting data: %w", err)
		}
		if err := os.Rename(temp, dir); err != nil {
			return "", err
		}
	}
	if err := flip(root, version); err != nil {
		return "", err
	}
	return filepath.Join(dir, "bin"), nil
}

func flip(root, version string) error {
	current, previous := filepath.Join(root, "current"), filepath.Join(root, "previous")
	target := filepath.Join(root, version)
	old, err := os.Readlink(current)
	if err == nil && old == target {
		return nil
	}
	if err == nil {
		if err := relink(old, previous); err != nil {
			return err
		}
	}
	if err := relink(target, current); err != nil {
		return err
	}
	return linkPlugins(filepath.Join(target, "bin"), filepath.Join(root, "cni"))
}

// linkPlugins keeps the path of the CNI plugins the same across upgrades: it is in the runtime's configuration.
func linkPlugins(bin, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, plugin := range plugins {
		if _, err := os.Stat(filepath.Join(bin, plugin)); os.IsNotExist(err) {
			continue
		}
		if err := relink(filepath.Join(bin, plugin), filepath.Join(dir, plugin)); err != nil {
			return err
		}
	}
	return nil
}

func relink(target, link string) error {
	temp := link + ".tmp"
	_ = os.Remove(temp)
	if err := os.Symlink(target, temp); err != nil {
		return err
	}
	return os.Rename(temp, link)
}

func extract(dir string, bundle []byte) error {
	decoder, err := zstd.NewReader(bytes.NewReader(bundle))
	if err != nil {
		return err
	}
	defer decoder.Close()
	archive := tar.NewReader(decoder)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		path := filepath.Join(dir, header.Name)
		if !strings.HasPrefix(path, dir) {
			return fmt.Errorf("%s lies outside of the archive", header.Name)
		}
		if err := extractOne(path, header, archive); err != nil {
			return err
		}
	}
}

func extractOne(path string, header *tar.Header, content io.Reader) error {
	if header.Typeflag == tar.TypeDir {
		return os.MkdirAll(path, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if header.Typeflag == tar.TypeSymlink {
		return os.Symlink(header.Linkname, path)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, header.FileInfo().Mode())
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

func lock(path string) (func(), error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		file.Close()
		return nil, err
	}
	return func() { file.Close() }, nil
}
