// Package commands has the subcommands that an operator runs beside a server.
package commands

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"k3srun.test/lab/k3s/internal/join"
	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/token"
)

const localServer = "https://127.0.0.1:6443"

// connectionFlags say where the server is and where its files are.
func connectionFlags() []cli.Flag {
	return []cli.Flag{
		dataDirFlag(),
		&cli.StringFlag{Name: "token", Aliases: []string{"t"}, EnvVars: []string{"K3S_TOKEN"}, Usage: "Shared secret of the server"},
		&cli.StringFlag{Name: "server", Aliases: []string{"s"}, Value: localServer, EnvVars: []string{"K3S_URL"}, Usage: "Server to connect to"},
	}
}

func dataDirFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "data-dir", Aliases: []string{"d"}, Value: layout.DefaultDataDir, EnvVars: []string{"K3S_DATA_DIR"}, Usage: "Folder to hold state",
	}
}

func layoutFrom(c *cli.Context) layout.Layout {
	return layout.Layout{DataDir: strings.TrimRight(c.String("data-dir"), "/")}
}

// serverClient connects as the server's own user, with the token of this host's server if none is given.
func serverClient(c *cli.Context, server, text string) (*join.Client, error) {
	if text == "" {
		content, err := os.ReadFile(layoutFrom(c).Server("token"))
		if err != nil {
			return nil, err
		}
		text = string(content)
	}
	parsed, err := token.Parse(text, "server")
	if err != nil {
		return nil, err
	}
	return join.Connect(server, parsed)
}

// seeLog is how a refusal of the server is told.
func seeLog(err error) error { return fmt.Errorf("see server log for details: %w", err) }
