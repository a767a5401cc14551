package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"
	"sigs.k8s.io/yaml"

	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/snapshots"
)

// EtcdSnapshot is `k3s etcd-snapshot`. All of it is done by the running server.
func EtcdSnapshot() *cli.Command {
	return &cli.Command{
		Name: "etcd-snapshot", Usage: "Manage etcd snapshots",
		Subcommands: []*cli.Command{
			{Name: "save", Usage: "Trigger an immediate etcd snapshot", Flags: snapshotFlags(), Action: saveSnapshot},
			{Name: "delete", Usage: "Delete given snapshot(s)", Flags: snapshotFlags(), Action: deleteSnapshots},
			{
				Name: "ls", Aliases: []string{"list", "l"}, Usage: "List snapshots",
				Flags:  append(snapshotFlags(), &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "(valid values: table, json, yaml)"}),
				Action: listSnapshots,
			},
			{Name: "prune", Usage: "Remove snapshots that match the name prefix that exceed the configured retention count", Flags: snapshotFlags(), Action: pruneSnapshots},
		},
	}
}

// SnapshotFlagNames are the flags of the subcommands, for the filter of unknown keys.
func SnapshotFlagNames() []string {
	return options.Names(append(snapshotFlags(), &cli.StringFlag{Name: "output", Aliases: []string{"o"}}))
}

func snapshotFlags() []cli.Flag {
	return []cli.Flag{
		dataDirFlag(),
		&cli.BoolFlag{Name: "debug", Usage: "Turn on debug logs", EnvVars: []string{"K3S_DEBUG"}},
		&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Usage: "Load configuration from `FILE`", EnvVars: []string{"K3S_CONFIG_FILE"}},
		&cli.StringFlag{Name: "node-name", Usage: "Node name", EnvVars: []string{"K3S_NODE_NAME"}},
		&cli.StringFlag{Name: "etcd-token", Aliases: []string{"t"}, Usage: "Shared secret of the server"},
		&cli.StringFlag{Name: "etcd-server", Aliases: []string{"s"}, Value: localServer, Usage: "Server to connect to"},
		&cli.StringFlag{Name: "dir", Aliases: []string{"etcd-snapshot-dir"}, Usage: "Directory to save db snapshots"},
		&cli.StringFlag{Name: "name", Value: "on-demand", Usage: "Set the base name of the etcd on-demand snapshot"},
		&cli.BoolFlag{Name: "snapshot-compress", Aliases: []string{"etcd-snapshot-compress"}, Usage: "Compress etcd snapshot"},
		&cli.IntFlag{Name: "snapshot-retention", Aliases: []string{"etcd-snapshot-retention"}, Value: 5, Usage: "Number of snapshots to retain"},
	}
}

// carry has the server do something, and reads its answer.
func carry(c *cli.Context, operation string, names []string, answer any) error {
	client, err := serverClient(c, c.String("etcd-server"), c.String("etcd-token"))
	if err != nil {
		return err
	}
	request := snapshots.Request{
		Operation: operation, Names: names, Dir: c.String("dir"), Compress: c.Bool("snapshot-compress"), Retention: c.Int("snapshot-retention"),
	}
	if err := client.Send(http.MethodPost, "/db/snapshot", request, answer); err != nil {
		return seeLog(err)
	}
	return nil
}

func saveSnapshot(c *cli.Context) error {
	var result snapshots.Result
	if err := carry(c, "save", []string{c.String("name")}, &result); err != nil {
		return err
	}
	for _, name := range result.Created {
		logrus.Infof("Snapshot %s saved.", name)
	}
	tellDeleted(result)
	return nil
}

func pruneSnapshots(c *cli.Context) error {
	var result snapshots.Result
	err := carry(c, "prune", []string{c.String("name")}, &result)
	tellDeleted(result)
	return err
}

func deleteSnapshots(c *cli.Context) error {
	names := c.Args().Slice()
	if len(names) == 0 {
		return errors.New("no snapshots given for removal")
	}
	var result snapshots.Result
	if err := carry(c, "delete", names, &result); err != nil {
		return err
	}
	tellDeleted(result)
	for _, name := range names {
		if !slices.Contains(result.Deleted, name) {
			logrus.Warnf("Snapshot %s not found.", name)
		}
	}
	return nil
}

func tellDeleted(result snapshots.Result) {
	for _, name := range result.Deleted {
		logrus.Infof("Snapshot %s deleted.", name)
	}
}

func listSnapshots(c *cli.Context) error {
	format := c.String("output")
	if !slices.Contains([]string{"", "table", "json", "yaml"}, format) {
		return fmt.Errorf("invalid output format: %s", format)
	}
	var list snapshots.List
	if err := carry(c, "list", nil, &list); err != nil {
		return err
	}
	switch format {
	case "json":
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "    ")
		return encoder.Encode(list)
	case "yaml":
		content, err := yaml.Marshal(list)
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(content)
		return err
	default:
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
		fmt.Fprintln(table, "Name\tLocation\tSize\tCreated")
		for _, item := range list.Items {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", item.Spec.SnapshotName, item.Spec.Location, item.Status.Size, item.Status.CreationTime)
		}
		return table.Flush()
	}
}
