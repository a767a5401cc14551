package commands

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"k3srun.test/lab/k3s/internal/token"
)

var errNotHere = errors.New("this part of `k3s token` is not in the test distribution")

// Token is `k3s token`.
func Token() *cli.Command {
	missing := func(name, usage string) *cli.Command {
		return &cli.Command{Name: name, Usage: usage, Action: func(*cli.Context) error { return errNotHere }}
	}
	return &cli.Command{
		Name: "token", Usage: "Manage tokens",
		Subcommands: []*cli.Command{
			{Name: "generate", Usage: "Generate and print a bootstrap token, but do not create it on the server", Action: generateToken},
			missing("create", "Create bootstrap tokens on the server"),
			missing("list", "List bootstrap tokens on the server"),
			missing("delete", "Delete bootstrap tokens on the server"),
			missing("rotate", "Rotate original server token with a new server token"),
		},
	}
}

// generateToken prints <6 characters>.<16 characters>, the form of Kubernetes' bootstrap tokens.
func generateToken(*cli.Context) error {
	id, err := token.Generate(3)
	if err != nil {
		return err
	}
	secret, err := token.Generate(8)
	if err != nil {
		return err
	}
	fmt.Printf("%s.%s\n", id, secret)
	return nil
}
