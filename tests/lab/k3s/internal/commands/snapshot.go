package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v2"

	"k3srun.test/lab/k3s/internal/agent"
	"k3srun.test/lab/k3s/internal/control"
	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
)

const snapshotTimeout = 2 * time.Minute

// EtcdSnapshot is `k3s etcd-snapshot`.
func EtcdSnapshot() *cli.Command {
	return &cli.Command{
		Name: "etcd-snapshot", Usage: "Manage etcd snapshots",
		Subcommands: []*cli.Command{
			{
				Name: "save", Usage: "Trigger an immediate etcd snapshot",
				Flags:  append(snapshotFlags(), &cli.StringFlag{Name: "name", Value: "on-demand", Usage: "Set the base name of the etcd on-demand snapshot"}),
				Action: saveSnapshot,
			},
			{
				Name: "ls", Aliases: []string{"list", "l"}, Usage: "List snapshots",
				Flags:  append(snapshotFlags(), &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "(valid values: table, json, yaml)"}),
				Action: listSnapshots,
			},
		},
	}
}

// SnapshotFlagNames are the flags of the subcommands, for the filter of unknown keys.
func SnapshotFlagNames() []string {
	return options.Names(append(snapshotFlags(), &cli.StringFlag{Name: "name"}, &cli.StringFlag{Name: "output", Aliases: []string{"o"}}))
}

func snapshotFlags() []cli.Flag {
	return append(connectionFlags(),
		&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Usage: "Load configuration from `FILE`", EnvVars: []string{"K3S_CONFIG_FILE"}},
		&cli.BoolFlag{Name: "debug", Usage: "Turn on debug logs", EnvVars: []string{"K3S_DEBUG"}},
		&cli.StringFlag{Name: "node-name", Usage: "Node name", EnvVars: []string{"K3S_NODE_NAME"}},
		&cli.StringFlag{Name: "etcd-snapshot-dir", Aliases: []string{"dir"}, Usage: "Directory to save db snapshots"},
	)
}

type snapshot struct {
	Metadata struct {
		Name string `json:"name" yaml:"name"`
	} `json:"metadata" yaml:"metadata"`
	Spec struct {
		SnapshotName string `json:"snapshotName" yaml:"snapshotName"`
		NodeName     string `json:"nodeName" yaml:"nodeName"`
		Location     string `json:"location" yaml:"location"`
	} `json:"spec" yaml:"spec"`
	Status struct {
		Size         string `json:"size" yaml:"size"`
		CreationTime string `json:"creationTime" yaml:"creationTime"`
		ReadyToUse   bool   `json:"readyToUse" yaml:"readyToUse"`
	} `json:"status" yaml:"status"`
}

func snapshotDir(c *cli.Context) string {
	if dir := c.String("etcd-snapshot-dir"); dir != "" {
		return dir
	}
	return layoutFrom(c).Server("db", "snapshots")
}

func saveSnapshot(c *cli.Context) error {
	l := layoutFrom(c)
	if _, err := os.Stat(l.Server("db", "etcd", "member", "wal")); err != nil {
		return fmt.Errorf("etcd datastore disabled")
	}
	node, err := agent.NodeName(options.Node{Layout: l, Name: c.String("node-name")})
	if err != nil {
		return err
	}
	dir := snapshotDir(c)
	if c.String("etcd-snapshot-dir") == "" {
		if err := layout.MakeDirs(0o700, dir); err != nil {
			return err
		}
	}
	name := fmt.Sprintf("%s-%s-%d", c.String("name"), node, time.Now().Unix())
	ctx, cancel := context.WithTimeout(c.Context, snapshotTimeout)
	defer cancel()
	if err := writeSnapshot(ctx, l, filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("failed to save etcd snapshot: %w", err)
	}
	logrus.Infof("Snapshot %s saved.", name)
	return nil
}

// writeSnapshot streams the database into a temporary file, and gives it its name when it is complete.
func writeSnapshot(ctx context.Context, l layout.Layout, path string) error {
	client, err := control.EtcdClient(l)
	if err != nil {
		return err
	}
	defer client.Close()
	content, err := client.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer content.Close()
	part := path + ".part"
	file, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(part)
	if _, err := io.Copy(file, content); err != nil {
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

func listSnapshots(c *cli.Context) error {
	node, err := agent.NodeName(options.Node{Layout: layoutFrom(c), Name: c.String("node-name")})
	if err != nil {
		return err
	}
	items, err := findSnapshots(snapshotDir(c), node)
	if err != nil {
		return err
	}
	list := map[string]any{"apiVersion": "k3s.cattle.io/v1", "kind": "ETCDSnapshotFileList", "metadata": map[string]any{}, "items": items}
	switch c.String("output") {
	case "json":
		return json.NewEncoder(os.Stdout).Encode(list)
	case "yaml":
		content, err := yaml.Marshal(list)
		if err != nil {
			return err
		}
		fmt.Print(string(content))
		return nil
	case "table", "":
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
		fmt.Fprintln(table, "Name\tLocation\tSize\tCreated")
		for _, item := range items {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", item.Spec.SnapshotName, item.Spec.Location, item.Status.Size, item.Status.CreationTime)
		}
		return table.Flush()
	default:
		return fmt.Errorf("invalid output format: %s", c.String("output"))
	}
}

func findSnapshots(dir, node string) ([]snapshot, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return []snapshot{}, nil
	}
	if err != nil {
		return nil, err
	}
	items := []snapshot{}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || strings.HasSuffix(info.Name(), ".part") {
			continue
		}
		var item snapshot
		item.Metadata.Name = "local-" + info.Name()
		item.Spec.SnapshotName, item.Spec.NodeName = info.Name(), node
		item.Spec.Location = "file://" + filepath.Join(dir, info.Name())
		item.Status.Size = fmt.Sprint(info.Size())
		item.Status.CreationTime = info.ModTime().UTC().Format(time.RFC3339)
		item.Status.ReadyToUse = true
		items = append(items, item)
	}
	return items, nil
}
