// images makes a docker archive of images with one static program each, without a registry and the same bytes
// for the same inputs:
//
//	images OUT.tar REPOSITORY:TAG=FILE[,ARGUMENT]...
//
// The program lies in /bin under its own name and runs, with the argument, as a user who is not root. Images of the same
// program share its layer.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// user is who the programs run as where a pod doesn't say: a pod that must not be root can't start otherwise.
const user = "65532:65532"

type image struct {
	Config   string
	RepoTags []string
	Layers   []string
}

type imageConfig struct {
	Architecture string          `json:"architecture"`
	OS           string          `json:"os"`
	Config       containerConfig `json:"config"`
	RootFS       rootFS          `json:"rootfs"`
}

type containerConfig struct {
	User       string   `json:"User"`
	Entrypoint []string `json:"Entrypoint"`
	Env        []string `json:"Env"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: images OUT.tar REPOSITORY:TAG=FILE[,ARGUMENT]...")
		os.Exit(2)
	}
	if err := writeArchive(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

// writeArchive writes beside the place and renames, so that a build that breaks off leaves no half of an archive.
func writeArchive(out string, items []string) error {
	file, err := os.Create(out + ".part")
	if err != nil {
		return err
	}
	defer file.Close()
	archive, layers := tar.NewWriter(file), map[string]string{}
	var manifest []image
	for _, item := range items {
		entry, err := addImage(archive, layers, item)
		if err != nil {
			return fmt.Errorf("%s: %w", item, err)
		}
		manifest = append(manifest, entry)
	}
	if _, err := addJSON(archive, "manifest.json", manifest); err != nil {
		return err
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return os.Rename(out+".part", out)
}

func addImage(archive *tar.Writer, layers map[string]string, item string) (image, error) {
	tag, program, _ := strings.Cut(item, "=")
	file, argument, _ := strings.Cut(program, ",")
	if tag == "" || file == "" {
		return image{}, fmt.Errorf("is not REPOSITORY:TAG=FILE[,ARGUMENT]")
	}
	layer, there := layers[file]
	if !there {
		var err error
		if layer, err = addLayer(archive, file); err != nil {
			return image{}, err
		}
		layers[file] = layer
	}
	entrypoint := []string{"/bin/" + filepath.Base(file)}
	if argument != "" {
		entrypoint = append(entrypoint, argument)
	}
	config, err := addJSON(archive, "", imageConfig{
		Architecture: "amd64", OS: "linux",
		Config: containerConfig{User: user, Entrypoint: entrypoint, Env: []string{"PATH=/bin"}},
		RootFS: rootFS{Type: "layers", DiffIDs: []string{"sha256:" + layer}},
	})
	return image{Config: config, RepoTags: []string{tag}, Layers: []string{layer + ".tar.gz"}}, err
}

// addLayer adds a layer, compressed, and returns the checksum of its contents.
func addLayer(archive *tar.Writer, program string) (string, error) {
	var packed bytes.Buffer
	sum := sha256.New()
	compressor, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return "", err
	}
	if err := writeLayer(io.MultiWriter(sum, compressor), program); err != nil {
		return "", err
	}
	if err := compressor.Close(); err != nil {
		return "", err
	}
	layer := hex.EncodeToString(sum.Sum(nil))
	return layer, addFile(archive, layer+".tar.gz", 0o644, int64(packed.Len()), &packed)
}

// addJSON adds a file, which is named after its checksum if it has no name, and returns the name.
func addJSON(archive *tar.Writer, name string, value any) (string, error) {
	content, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	if name == "" {
		sum := sha256.Sum256(content)
		name = hex.EncodeToString(sum[:]) + ".json"
	}
	return name, addFile(archive, name, 0o644, int64(len(content)), bytes.NewReader(content))
}

func writeLayer(out io.Writer, program string) error {
	file, err := os.Open(program)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	layer := tar.NewWriter(out)
	for _, folder := range []tar.Header{{Name: "bin/", Mode: 0o755}, {Name: "etc/", Mode: 0o755}, {Name: "tmp/", Mode: 0o1777}} {
		folder.Typeflag = tar.TypeDir
		if err := layer.WriteHeader(&folder); err != nil {
			return err
		}
	}
	if err := addFile(layer, "bin/"+filepath.Base(program), 0o755, info.Size(), file); err != nil {
		return err
	}
	return layer.Close()
}

func addFile(archive *tar.Writer, name string, mode, size int64, content io.Reader) error {
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: size}); err != nil {
		return err
	}
	_, err := io.Copy(archive, content)
	return err
}
