package snapshots

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"strings"
)

// Unpack makes a plain file of a snapshot, to be removed by the caller. One that is plain already is returned as it is.
func Unpack(path, dir string) (plain string, err error) {
	if !strings.HasSuffix(path, zipSuffix) {
		return path, nil
	}
	archive, err := zip.OpenReader(path)
	if err != nil {
		return "", err
	}
	defer archive.Close()
	if len(archive.File) != 1 {
		return "", fmt.Errorf("%s has %d files instead of one", path, len(archive.File))
	}
	content, err := archive.File[0].Open()
	if err != nil {
		return "", err
	}
	defer content.Close()
	file, err := os.CreateTemp(dir, "snapshot-*")
	if err != nil {
		return "", err
	}
	defer file.Close()
	_, err = io.Copy(file, content)
	return file.Name(), err
}
