// Package addons writes the packaged manifests below server/manifests and applies what lies there.
package addons

import (
	"context"
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"k8s.io/client-go/rest"

	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
)

const interval = 15 * time.Second

//go:embed manifests/*.yaml
var packaged embed.FS

// Deployer keeps the cluster's add-ons like the files in one directory.
type Deployer struct {
	opts    options.Server
	cluster *cluster
	// applied remembers each file's time and size, so that an unchanged file costs nothing.
	applied map[string]string
}

// New makes a deployer that acts with the rights of config.
func New(config *rest.Config, opts options.Server) (*Deployer, error) {
	cluster, err := newCluster(config)
	if err != nil {
		return nil, err
	}
	return &Deployer{opts: opts, cluster: cluster, applied: map[string]string{}}, nil
}

// Stage rewrites the packaged manifests, and applies the roles without which no node can register.
func (d *Deployer) Stage(ctx context.Context) error {
	if err := fs.WalkDir(packaged, "manifests", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return d.stage(path, entry.Name())
	}); err != nil {
		return err
	}
	if err := d.cluster.ensureAddonType(ctx); err != nil {
		return err
	}
	return d.applyFile(ctx, d.opts.Server("manifests", "rolebindings.yaml"))
}

func (d *Deployer) stage(path, name string) error {
	if d.disabled(name) {
		return nil
	}
	content, err := packaged.ReadFile(path)
	if err != nil {
		return err
	}
	registry := d.opts.SystemDefaultRegistry
	if registry != "" {
		registry += "/"
	}
	text := strings.NewReplacer(
		"%{CLUSTER_DNS}%", d.opts.ClusterDNS, "%{CLUSTER_DOMAIN}%", d.opts.ClusterDomain,
		"%{SYSTEM_DEFAULT_REGISTRY}%", registry, "%{DEFAULT_LOCAL_STORAGE_PATH}%", filepath.Join(d.opts.DataDir, "storage"),
	).Replace(string(content))
	logrus.Infof("Writing manifest: %s", d.opts.Server("manifests", name))
	return layout.WriteFile(d.opts.Server("manifests", name), []byte(text), 0o600)
}

// Run applies changed files until ctx ends, and deletes the objects of disabled add-ons.
func (d *Deployer) Run(ctx context.Context) error {
	d.removeDisabled(ctx)
	for {
		files, err := manifests(d.opts.Server("manifests"))
		if err != nil {
			logrus.Errorf("Failed to list manifests: %v", err)
		}
		for _, file := range files {
			if d.disabled(filepath.Base(file)) {
				continue
			}
			if err := d.applyFile(ctx, file); err != nil && ctx.Err() == nil {
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

func (d *Deployer) applyFile(ctx context.Context, file string) error {
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
	if err := d.cluster.apply(ctx, content); err != nil {
		return err
	}
	if err := d.cluster.recordAddon(ctx, addonName(file), file, content); err != nil {
		return err
	}
	logrus.Infof("Applied manifest %s", file)
	d.applied[file] = stamp
	return nil
}

// removeDisabled deletes what an earlier start without the option has deployed.
func (d *Deployer) removeDisabled(ctx context.Context) {
	for _, name := range d.opts.Disable {
		content, err := packaged.ReadFile("manifests/" + name + ".yaml")
		if err != nil {
			continue // not packaged here: traefik, servicelb, or a name of the operator's own
		}
		if err := d.cluster.remove(ctx, addonName(name), content); err != nil && ctx.Err() == nil {
			logrus.Errorf("Failed to delete disabled add-on %s: %v", name, err)
		}
		_ = os.Remove(d.opts.Server("manifests", name+".yaml"))
	}
}

func (d *Deployer) disabled(file string) bool {
	for _, name := range d.opts.Disable {
		if name == strings.TrimSuffix(strings.TrimSuffix(file, ".yaml"), ".yml") {
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
