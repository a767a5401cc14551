// pack makes the two archives of a build, without a registry and the same bytes for the same inputs:
//
//	pack bundle OUT.tar.zst NAME=FILE... NAME->TARGET...
//	pack images OUT.tar REPOSITORY:TAG=ENTRYPOINT=FILE[,/PATH=FILE...]...
package main

import (
	"archive/tar"
	"fmt"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
)

func main() {
	if len(os.Args) < 4 {
		fail(fmt.Errorf("usage: pack bundle|images OUT ITEM..."))
	}
	var err error
	switch os.Args[1] {
	case "bundle":
		err = writeBundle(os.Args[2], os.Args[3:])
	case "images":
		err = writeImages(os.Args[2], os.Args[3:])
	default:
		err = fmt.Errorf("unknown command %q", os.Args[1])
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "pack:", err)
	os.Exit(1)
}

// writeBundle makes the archive of executables that k3s carries.
func writeBundle(out string, items []string) error {
	return replace(out, func(file *os.File) error {
		compressor, err := zstd.NewWriter(file, zstd.WithEncoderLevel(zstd.SpeedDefault))
		if err != nil {
			return err
		}
		archive := tar.NewWriter(compressor)
		for _, item := range items {
			if err := addToBundle(archive, item); err != nil {
				return err
			}
		}
		if err := archive.Close(); err != nil {
			return err
		}
		return compressor.Close()
	})
}

func addToBundle(archive *tar.Writer, item string) error {
	if name, target, ok := strings.Cut(item, "->"); ok {
		return archive.WriteHeader(&tar.Header{Name: "bin/" + name, Typeflag: tar.TypeSymlink, Linkname: target})
	}
	name, path, ok := strings.Cut(item, "=")
	if !ok {
		return fmt.Errorf("%q is neither NAME=FILE nor NAME->TARGET", item)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return addFile(archive, "bin/"+name, content, 0o755)
}

func addFile(archive *tar.Writer, name string, content []byte, mode int64) error {
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := archive.Write(content)
	return err
}

// replace writes a file beside its place and renames it, so that a build that breaks off leaves no half of one.
func replace(path string, write func(*os.File) error) error {
	file, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		file.Close()
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}
