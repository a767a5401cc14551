package layout

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// CopyDir copies folders and files with their modes.
func CopyDir(source, target string) error {
	return filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return MakeDirs(info.Mode().Perm(), filepath.Join(target, name))
		}
		return CopyFile(path, filepath.Join(target, name), info.Mode().Perm())
	})
}

// CopyFile copies a file into one that isn't there yet.
func CopyFile(source, target string, mode os.FileMode) error {
	from, err := os.Open(source)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		return err
	}
	return to.Close()
}
