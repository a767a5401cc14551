package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	bootstrap "k8s.io/cluster-bootstrap/token/api"

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
			{
				Name: "list", Usage: "List bootstrap tokens on the server", Action: listTokens,
				Flags: append(connectionFlags(), &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "Output format. (valid values: text, json)"}),
			},
			missing("create", "Create bootstrap tokens on the server"),
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

func listTokens(c *cli.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", layoutFrom(c).Cred("admin.kubeconfig"))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	secrets, err := client.CoreV1().Secrets(metav1.NamespaceSystem).List(c.Context,
		metav1.ListOptions{FieldSelector: "type=" + string(bootstrap.SecretTypeBootstrapToken)})
	if err != nil {
		return err
	}
	if c.String("output") == "json" {
		return json.NewEncoder(os.Stdout).Encode(summaries(secrets.Items))
	}
	table := tabwriter.NewWriter(os.Stdout, 10, 4, 3, ' ', 0)
	fmt.Fprintln(table, "TOKEN\tEXPIRES\tUSAGES\tDESCRIPTION")
	for _, s := range summaries(secrets.Items) {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.Token, s.Expires, strings.Join(s.Usages, ","), s.Description)
	}
	return table.Flush()
}

type tokenSummary struct {
	Token       string   `json:"token"`
	Expires     string   `json:"expires,omitempty"`
	Usages      []string `json:"usages"`
	Description string   `json:"description,omitempty"`
}

// summaries show the id of each token, and never its secret.
func summaries(secrets []corev1.Secret) []tokenSummary {
	list := []tokenSummary{}
	for _, secret := range secrets {
		summary := tokenSummary{
			Token:       string(secret.Data[bootstrap.BootstrapTokenIDKey]),
			Expires:     string(secret.Data[bootstrap.BootstrapTokenExpirationKey]),
			Description: string(secret.Data[bootstrap.BootstrapTokenDescriptionKey]),
		}
		for key, value := range secret.Data {
			if usage, ok := strings.CutPrefix(key, bootstrap.BootstrapTokenUsagePrefix); ok && string(value) == "true" {
				summary.Usages = append(summary.Usages, usage)
			}
		}
		list = append(list, summary)
	}
	return list
}
