package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"strings"
)

// image is one entry of a docker archive: a single layer with a few static executables.
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
	Entrypoint []string `json:"Entrypoint"`
	Env        []string `json:"Env"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

// writeImages makes a docker archive with all images, as `docker save` would.
func writeImages(out string, items []string) error {
	return replace(out, func(file *os.File) error {
		archive := tar.NewWriter(file)
		var manifest []image
		for _, item := range items {
			entry, err := addImage(archive, item)
			if err != nil {
				return err
			}
			manifest = append(manifest, entry)
		}
		content, err := json.Marshal(manifest)
		if err != nil {
			return err
		}
		if err := addFile(archive, "manifest.json", content, 0o644); err != nil {
			return err
		}
		return archive.Close()
	})
}

func addImage(archive *tar.Writer, item string) (image, error) {
	parts := strings.Split(item, ",")
	head := strings.SplitN(parts[0], "=", 3)
	if len(head) != 3 {
		return image{}, fmt.Errorf("%q is not REPOSITORY:TAG=ENTRYPOINT=FILE", item)
	}
	tag, entrypoint := head[0], head[1]
	layer, err := makeLayer(append([]string{entrypoint + "=" + head[2]}, parts[1:]...))
	if err != nil {
		return image{}, err
	}
	layerName := digest(layer)
	config, err := json.Marshal(imageConfig{
		Architecture: "amd64", OS: "linux",
		Config: containerConfig{Entrypoint: []string{entrypoint}, Env: []string{"PATH=/usr/bin:/bin"}},
		RootFS: rootFS{Type: "layers", DiffIDs: []string{"sha256:" + layerName}},
	})
	if err != nil {
		return image{}, err
	}
	entry := image{Config: digest(config) + ".json", RepoTags: []string{tag}, Layers: []string{layerName + ".tar"}}
	if err := addFile(archive, entry.Config, config, 0o644); err != nil {
		return image{}, err
	}
	return entry, addFile(archive, entry.Layers[0], layer, 0o644)
}

// makeLayer packs "/path=file" as an executable and "/path->target" as a symbolic link.
func makeLayer(items []string) ([]byte, error) {
	var buf bytes.Buffer
	layer := tar.NewWriter(&buf)
	made := map[string]bool{}
	for _, dir := range []string{"bin", "etc", "usr", "usr/bin", "tmp", "var"} {
		mode := int64(0o755)
		if dir == "tmp" {
			mode = 0o1777
		}
		made[dir] = true
		if err := layer.WriteHeader(&tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: mode}); err != nil {
			return nil, err
		}
	}
	for _, item := range items {
		if name, target, ok := strings.Cut(item, "->"); ok {
			header := &tar.Header{Name: strings.TrimPrefix(name, "/"), Typeflag: tar.TypeSymlink, Linkname: target}
			if err := layer.WriteHeader(header); err != nil {
				return nil, err
			}
			continue
		}
		name, file, ok := strings.Cut(item, "=")
		if !ok {
			return nil, fmt.Errorf("%q is neither /PATH=FILE nor /PATH->TARGET", item)
		}
		name = strings.TrimPrefix(name, "/")
		if dir := path.Dir(name); dir != "." && !made[dir] {
			return nil, fmt.Errorf("%s: only bin, usr/bin, etc, tmp and var are there", name)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := addFile(layer, name, content, 0o755); err != nil {
			return nil, err
		}
	}
	err := layer.Close()
	return buf.Bytes(), err
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
