package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"k3srun.test/lab/k3s/internal/encryption"
)

// rotateTimeout is long enough for the API server to reload its configuration, and for all Secrets.
const rotateTimeout = 5 * time.Minute

// SecretsEncrypt is `k3s secrets-encrypt`.
func SecretsEncrypt() *cli.Command {
	stage := func(name, usage, stage, done string) *cli.Command {
		return &cli.Command{
			Name: name, Usage: usage, Action: func(c *cli.Context) error {
				return changeEncryption(c, encryption.Request{Stage: stage, Force: c.Bool("force"), Skip: c.Bool("skip")}, done)
			},
			Flags: append(connectionFlags(), &cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "Force this stage"},
				&cli.BoolFlag{Name: "skip", Usage: "Skip removing old key"}),
		}
	}
	toggle := func(name, usage string, enable bool, done string) *cli.Command {
		return &cli.Command{Name: name, Usage: usage, Flags: connectionFlags(), Action: func(c *cli.Context) error {
			return changeEncryption(c, encryption.Request{Enable: &enable}, done)
		}}
	}
	return &cli.Command{
		Name: "secrets-encrypt", Usage: "Control secrets encryption and keys rotation",
		Subcommands: []*cli.Command{
			{
				Name: "status", Usage: "Print current status of secrets encryption", Action: encryptionStatus,
				Flags: append(connectionFlags(), &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "Status format. (valid values: text, json)"}),
			},
			toggle("enable", "Enable secrets encryption", true, "secrets-encryption enabled"),
			toggle("disable", "Disable secrets encryption", false, "secrets-encryption disabled"),
			stage("prepare", "Prepare for encryption keys rotation", "prepare", "prepare completed successfully"),
			stage("rotate", "Rotate secrets encryption keys", "rotate", "rotate completed successfully"),
			stage("reencrypt", "Reencrypt all data with new encryption key", "reencrypt_active", "reencryption started"),
			stage("rotate-keys", "Add, rotate, and reencrypt secrets with a new encryption key", "rotate_keys", "keys rotated, reencryption finished"),
		},
	}
}

func changeEncryption(c *cli.Context, request encryption.Request, done string) error {
	client, err := serverClient(c, c.String("server"), c.String("token"))
	if err != nil {
		return err
	}
	client.Timeout = rotateTimeout
	if err := client.Send(http.MethodPut, "/v1-k3s/encrypt/config", request, nil); err != nil {
		return seeLog(err)
	}
	fmt.Println(done)
	return nil
}

func encryptionStatus(c *cli.Context) error {
	client, err := serverClient(c, c.String("server"), c.String("token"))
	if err != nil {
		return err
	}
	content, err := client.Get("/v1-k3s/encrypt/status")
	if err != nil {
		return seeLog(err)
	}
	var status encryption.Status
	if err := json.Unmarshal(content, &status); err != nil {
		return err
	}
	if c.String("output") == "json" {
		indented, err := json.MarshalIndent(status, "", "\t")
		if err != nil {
			return err
		}
		fmt.Println(string(indented))
		return nil
	}
	return printEncryption(status)
}

func printEncryption(status encryption.Status) error {
	if status.Enable == nil {
		fmt.Println("Encryption Status: Disabled, no configuration file found")
		return nil
	}
	state := map[bool]string{true: "Enabled", false: "Disabled"}[*status.Enable]
	hashes := "All hashes match"
	if !status.HashMatch {
		hashes = "hash does not match between " + status.HashError
	}
	fmt.Printf("Encryption Status: %s\nCurrent Rotation Stage: %s\nServer Encryption Hashes: %s\n\n", state, status.Stage, hashes)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "Active\tKey Type\tName\n------\t--------\t----\n")
	for i, key := range append([]string{status.ActiveKey}, status.InactiveKeys...) {
		kind, name, ok := strings.Cut(key, " ")
		if !ok {
			return errors.New("malformed key in the status: " + key)
		}
		mark := ""
		if i == 0 {
			mark = " *"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", mark, kind, name)
	}
	fmt.Fprintln(table)
	return table.Flush()
}
