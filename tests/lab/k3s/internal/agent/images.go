package agent

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/sirupsen/logrus"
)

// importImages loads every archive in dir. The images are pinned, so that the kubelet doesn't collect them.
func importImages(ctx context.Context, client *containerd.Client, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if !isArchive(path) {
			continue
		}
		start := time.Now()
		logrus.Infof("Importing images from %s", path)
		if err := importArchive(ctx, client, path); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			logrus.Errorf("Error encountered while importing %s: %v", path, err)
			continue
		}
		logrus.Infof("Imported images from %s in %s", path, time.Since(start))
	}
	return nil
}

func isArchive(path string) bool {
	for _, suffix := range []string{".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst"} {
		if strings.HasSuffix(path, suffix) {
			return true
		}
	}
	return false
}

func importArchive(ctx context.Context, client *containerd.Client, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	content, err := decompressed(path, file)
	if err != nil {
		return err
	}
	defer content.Close()
	imported, err := client.Import(ctx, content)
	if err != nil {
		return err
	}
	for _, image := range imported {
		image.Labels = map[string]string{"io.cri-containerd.image": "managed", "io.cri-containerd.pinned": "pinned"}
		if _, err := client.ImageService().Update(ctx, image, "labels"); err != nil {
			return err
		}
		if err := containerd.NewImage(client, image).Unpack(ctx, "overlayfs"); err != nil {
			return err
		}
		logrus.Infof("Imported %s", image.Name)
		if err := tagWithDigest(ctx, client, image); err != nil {
			return err
		}
	}
	return nil
}

// tagWithDigest gives an image a second name, by which it is found when somebody asks for exactly this one.
func tagWithDigest(ctx context.Context, client *containerd.Client, image images.Image) error {
	name := image.Name
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		name = name[:colon]
	}
	image.Name = name + "@" + image.Target.Digest.String()
	if _, err := client.ImageService().Create(ctx, image); err != nil && !errdefs.IsAlreadyExists(err) {
		return err
	}
	logrus.Infof("Tagged %s", image.Name)
	return nil
}

func decompressed(path string, file io.Reader) (io.ReadCloser, error) {
	switch {
	case strings.HasSuffix(path, "gz"):
		return gzip.NewReader(file)
	case strings.HasSuffix(path, "zst"):
		decoder, err := zstd.NewReader(file)
		if err != nil {
			return nil, err
		}
		return decoder.IOReadCloser(), nil
	default:
		return io.NopCloser(file), nil
	}
}
