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

// connectionFlags say where the server is and where its files are.
func connectionFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "data-dir", Aliases: []string{"d"}, Value: layout.DefaultDataDir, EnvVars: []string{"K3S_DATA_DIR"}, Usage: "Folder to hold state"},
		&cli.StringFlag{Name: "token", Aliases: []string{"t"}, EnvVars: []string{"K3S_TOKEN"}, Usage: "Shared secret of the server"},
		&cli.StringFlag{Name: "server", Aliases: []string{"s"}, Value: "https://127.0.0.1:6443", EnvVars: []string{"K3S_URL"}, Usage: "Server to connect to"},
	}
}

func layoutFrom(c *cli.Context) layout.Layout {
	return layout.Layout{DataDir: strings.TrimRight(c.String("data-dir"), "/")}
}

// serverClient connects as the server's own user.
func serverClient(c *cli.Context) (*join.Client, error) {
	text := c.String("token")
	if text == "" {
		content, err := os.ReadFile(layoutFrom(c).Server("token"))
		if err != nil {
			return nil, fmt.Errorf("failed to read the server's token: %w", err)
		}
		text = string(content)
	}
	parsed, err := token.Parse(text, "server")
	if err != nil {
		return nil, err
	}
	return join.Connect(c.String("server"), parsed)
}
