// Package addons writes the packaged manifests below server/manifests and applies what lies there.
package addons

import (
	"context"
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"

	"k3srun.test/lab/k3s/internal/events"
	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
)

const (
	interval = 15 * time.Second
	// firstPause is how long after its readiness a server of k3s applies its first manifest. Until then the cluster has no
	// add-ons at all, and nodes lack the rights that a manifest gives them.
	firstPause = 2 * time.Second
)

//go:embed manifests
var packaged embed.FS

// Deployer keeps the cluster's add-ons like the files in one directory.
type Deployer struct {
	opts    options.Server
	cluster *cluster
	client  kubernetes.Interface
	// applied remembers each file's time and size, so that an unchanged file costs nothing.
	applied map[string]string
}

// New makes a deployer that acts with the rights of config, which are those of client.
func New(config *rest.Config, client kubernetes.Interface, opts options.Server) (*Deployer, error) {
	cluster, err := newCluster(config)
	if err != nil {
		return nil, err
	}
	return &Deployer{opts: opts, cluster: cluster, client: client, applied: map[string]string{}}, nil
}

// Stage rewrites the packaged manifests, and defines the kind that records them.
func (d *Deployer) Stage(ctx context.Context) error {
	if err := d.cluster.ensureAddonType(ctx); err != nil {
		return err
	}
	return walkPackaged(func(name string, content []byte) error {
		if d.disabled(name) {
			return nil
		}
		registry := d.opts.SystemDefaultRegistry
		if registry != "" {
			registry += "/"
		}
		text := strings.NewReplacer(
			"%{CLUSTER_DNS}%", d.opts.ClusterDNS, "%{CLUSTER_DOMAIN}%", d.opts.ClusterDomain,
			"%{SYSTEM_DEFAULT_REGISTRY}%", registry, "%{DEFAULT_LOCAL_STORAGE_PATH}%", filepath.Join(d.opts.DataDir, "storage"),
		).Replace(string(content))
		path := d.path(name)
		if err := layout.MakeDirs(0o700, filepath.Dir(path)); err != nil {
			return err
		}
		logrus.Infof("Writing manifest: %s", path)
		return layout.WriteFile(path, []byte(text), 0o600)
	})
}

// walkPackaged visits the manifests that are part of this executable, by their paths below manifests/.
func walkPackaged(visit func(name string, content []byte) error) error {
	return fs.WalkDir(packaged, "manifests", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := packaged.ReadFile(path)
		if err != nil {
			return err
		}
		return visit(strings.TrimPrefix(path, "manifests/"), content)
	})
}

func (d *Deployer) path(name string) string { return d.opts.Server("manifests", name) }

// Run applies changed files until ctx ends, and deletes the objects of disabled add-ons.
func (d *Deployer) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(firstPause):
	}
	recorder, flush := events.Recorder(d.client, "deploy")
	defer flush()
	if err := d.removeDisabled(ctx); err != nil && ctx.Err() == nil {
		logrus.Errorf("Failed to delete disabled add-ons: %v", err)
	}
	for {
		files, err := manifests(d.opts.Server("manifests"))
		if err != nil {
			logrus.Errorf("Failed to list manifests: %v", err)
		}
		for _, file := range files {
			if name, err := filepath.Rel(d.opts.Server("manifests"), file); err != nil || d.disabled(name) {
				continue
			}
			if err := d.applyFile(ctx, file, recorder); err != nil && ctx.Err() == nil {
				logrus.Errorf("Failed to process config: failed to process %s: %v", file, err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(interval):
		}
	}
}

func (d *Deployer) applyFile(ctx context.Context, file string, recorder record.EventRecorder) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	stamp := info.ModTime().String()
	if d.applied[file] == stamp {
		return nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	addon, err := d.cluster.recordAddon(ctx, addonName(file), file, content)
	if err != nil {
		return err
	}
	recorder.Eventf(addon, corev1.EventTypeNormal, "ApplyingManifest", "Applying manifest at %q", file)
	if err := d.cluster.apply(ctx, content, addonName(file)); err != nil {
		return err
	}
	recorder.Eventf(addon, corev1.EventTypeNormal, "AppliedManifest", "Applied manifest at %q", file)
	d.applied[file] = stamp
	return nil
}

// removeDisabled deletes what an earlier start without the option has deployed.
func (d *Deployer) removeDisabled(ctx context.Context) error {
	return walkPackaged(func(name string, content []byte) error {
		if !d.disabled(name) {
			return nil
		}
		if err := d.cluster.remove(ctx, addonName(name), content); err != nil {
			return err
		}
		if err := os.Remove(d.path(name)); err != nil && !os.IsNotExist(err) {
			return err
		}
		return nil
	})
}

// disabled says whether a manifest, or the folder that it is in, has a name that the operator doesn't want. Most names that
// are given are of add-ons that aren't here.
func (d *Deployer) disabled(name string) bool {
	for _, part := range strings.Split(name, "/") {
		if slices.Contains(d.opts.Disable, strings.TrimSuffix(part, filepath.Ext(part))) {
			return true
		}
	}
	return false
}

// manifests lists the files to apply. X.skip suppresses X.
func manifests(dir string) ([]string, error) {
	var files []string
	skipped := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		switch ext := filepath.Ext(path); ext {
		case ".skip":
			skipped[strings.TrimSuffix(path, ext)] = true
		case ".yaml", ".yml", ".json":
			files = append(files, path)
		}
		return nil
	})
	var kept []string
	for _, file := range files {
		if !skipped[file] {
			kept = append(kept, file)
		}
	}
	return kept, err
}

// addonName is the file's name up to its first dot.
func addonName(file string) string {
	name, _, _ := strings.Cut(filepath.Base(file), ".")
	return name
}
