package commands

import (
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"

	"k3srun.test/lab/k3s/internal/encryption"
)

// SecretsEncrypt is `k3s secrets-encrypt`.
func SecretsEncrypt() *cli.Command {
	return &cli.Command{
		Name: "secrets-encrypt", Usage: "Control secrets encryption",
		Subcommands: []*cli.Command{{
			Name: "status", Usage: "Print current status of secrets encryption",
			Flags:  append(connectionFlags(), &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "Status format. (valid values: text, json)"}),
			Action: encryptionStatus,
		}},
	}
}

func encryptionStatus(c *cli.Context) error {
	client, err := serverClient(c)
	if err != nil {
		return err
	}
	content, err := client.Get("/v1-k3s/encrypt/status")
	if err != nil {
		return fmt.Errorf("see server log for details: %w", err)
	}
	if c.String("output") == "json" {
		fmt.Printf("%s", content)
		return nil
	}
	var status encryption.Status
	if err := json.Unmarshal(content, &status); err != nil {
		return err
	}
	printEncryption(status)
	return nil
}

func printEncryption(status encryption.Status) {
	if status.Enable == nil {
		fmt.Println("Encryption Status: Disabled, no configuration file found")
		return
	}
	state := "Disabled"
	if *status.Enable {
		state = "Enabled"
	}
	hashes := "All hashes match"
	if !status.HashMatch {
		hashes = "hash does not match between servers: " + status.HashError
	}
	fmt.Printf("Encryption Status: %s\nCurrent Rotation Stage: %s\nServer Encryption Hashes: %s\n\n", state, status.Stage, hashes)
	fmt.Println("Active  Key Type  Name\n------  --------  ----")
	fmt.Printf(" *      %-8s  %s\n", keyType(status.ActiveKey), status.ActiveKey)
	for _, key := range status.InactiveKeys {
		fmt.Printf("        %-8s  %s\n", keyType(key), key)
	}
}

func keyType(name string) string {
	if name == "secretboxkey" {
		return "XSalsa20-POLY1305"
	}
	return "AES-CBC"
}
