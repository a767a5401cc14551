package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	bootstrap "k8s.io/cluster-bootstrap/token/api"

	"k3srun.test/lab/k3s/internal/token"
)

const (
	defaultGroup = "system:bootstrappers:k3s:default-node-token"
	keepRecord   = "\x1b[33mWARNING\x1b[0m: Recommended to keep a record of the old token. If restoring from a snapshot, you must use the token associated with that snapshot."
)

// Token is `k3s token`.
func Token() *cli.Command {
	return &cli.Command{
		Name: "token", Usage: "Manage tokens",
		Subcommands: []*cli.Command{
			{
				Name: "create", Usage: "Create bootstrap tokens on the server", Action: createToken,
				Flags: []cli.Flag{
					dataDirFlag(), &cli.StringFlag{Name: "description", Usage: "A human friendly description of how this token is used"},
					&cli.DurationFlag{Name: "ttl", Value: 24 * time.Hour, Usage: "The duration before the token is automatically deleted"},
				},
			},
			{Name: "delete", Usage: "Delete bootstrap tokens on the server", Flags: []cli.Flag{dataDirFlag()}, Action: deleteTokens},
			{Name: "generate", Usage: "Generate and print a bootstrap token, but do not create it on the server", Action: generateToken},
			{
				Name: "list", Usage: "List bootstrap tokens on the server", Action: listTokens,
				Flags: []cli.Flag{dataDirFlag(), &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "Output format. (valid values: text, json)"}},
			},
			{
				Name: "rotate", Usage: "Rotate original server token with a new server token", Action: rotateToken,
				Flags: append(connectionFlags(), &cli.StringFlag{Name: "new-token", Usage: "New token that replaces existing token"}),
			},
		},
	}
}

func rotateToken(c *cli.Context) error {
	fmt.Println(keepRecord)
	client, err := serverClient(c, c.String("server"), c.String("token"))
	if err != nil {
		return err
	}
	request := map[string]string{"newToken": c.String("new-token")}
	if err := client.Send(http.MethodPut, "/v1-k3s/token", request, nil); err != nil {
		return err
	}
	fmt.Println("Token rotated, restart k3s nodes with new token")
	return nil
}

// newToken has the form of Kubernetes' bootstrap tokens: <6 characters>.<16 characters>.
func newToken() (id, secret string, err error) {
	if id, err = token.Generate(3); err != nil {
		return "", "", err
	}
	secret, err = token.Generate(8)
	return id, secret, err
}

func generateToken(*cli.Context) error {
	id, secret, err := newToken()
	if err != nil {
		return err
	}
	fmt.Printf("%s.%s\n", id, secret)
	return nil
}

func cluster(c *cli.Context) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", layoutFrom(c).Cred("admin.kubeconfig"))
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

func createToken(c *cli.Context) error {
	client, err := cluster(c)
	if err != nil {
		return err
	}
	id, secret, err := newToken()
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(layoutFrom(c).TLS("server-ca.crt"))
	if err != nil {
		return err
	}
	data := map[string]string{
		bootstrap.BootstrapTokenIDKey: id, bootstrap.BootstrapTokenSecretKey: secret, bootstrap.BootstrapTokenExtraGroupsKey: defaultGroup,
		bootstrap.BootstrapTokenUsagePrefix + "authentication": "true", bootstrap.BootstrapTokenUsagePrefix + "signing": "true",
		bootstrap.BootstrapTokenExpirationKey: time.Now().Add(c.Duration("ttl")).UTC().Format(time.RFC3339),
	}
	if description := c.String("description"); description != "" {
		data[bootstrap.BootstrapTokenDescriptionKey] = description
	}
	_, err = client.CoreV1().Secrets(metav1.NamespaceSystem).Create(c.Context, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: bootstrap.BootstrapTokenSecretPrefix + id},
		Type:       bootstrap.SecretTypeBootstrapToken, StringData: data,
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	fmt.Println(token.Token{CAHash: token.HashCA(ca), Password: id + "." + secret})
	return nil
}

func deleteTokens(c *cli.Context) error {
	client, err := cluster(c)
	if err != nil {
		return err
	}
	for _, given := range c.Args().Slice() {
		id, _, _ := strings.Cut(given, ".")
		err := client.CoreV1().Secrets(metav1.NamespaceSystem).Delete(c.Context, bootstrap.BootstrapTokenSecretPrefix+id, metav1.DeleteOptions{})
		if err != nil {
			return fmt.Errorf("failed to delete bootstrap token %q: %w", err.Error(), err)
		}
		fmt.Printf("bootstrap token %q deleted\n", id)
	}
	return nil
}

func listTokens(c *cli.Context) error {
	client, err := cluster(c)
	if err != nil {
		return err
	}
	tokens, err := bootstrapTokens(c.Context, client)
	if err != nil {
		return err
	}
	if c.String("output") == "json" {
		return json.NewEncoder(os.Stdout).Encode(tokens)
	}
	table := tabwriter.NewWriter(os.Stdout, 10, 4, 3, ' ', 0)
	fmt.Fprintln(table, "TOKEN\tTTL\tEXPIRES\tUSAGES\tDESCRIPTION\tEXTRA GROUPS")
	for _, t := range tokens {
		expires, err := time.Parse(time.RFC3339, t.Expires)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", t.id, duration.ShortHumanDuration(time.Until(expires)), t.Expires,
			strings.Join(t.Usages, ","), t.Description, strings.Join(t.Groups, ","))
	}
	return table.Flush()
}

// bootstrapToken shows the id of a token only in the table, and its secret nowhere.
type bootstrapToken struct {
	id          string
	Token       struct{} `json:"token"`
	Description string   `json:"description,omitempty"`
	Expires     string   `json:"expires,omitempty"`
	Usages      []string `json:"usages"`
	Groups      []string `json:"groups,omitempty"`
}

func bootstrapTokens(ctx context.Context, client kubernetes.Interface) ([]bootstrapToken, error) {
	secrets, err := client.CoreV1().Secrets(metav1.NamespaceSystem).List(ctx,
		metav1.ListOptions{FieldSelector: "type=" + string(bootstrap.SecretTypeBootstrapToken)})
	if err != nil {
		return nil, err
	}
	tokens := []bootstrapToken{}
	for _, secret := range secrets.Items {
		t := bootstrapToken{
			id:          string(secret.Data[bootstrap.BootstrapTokenIDKey]),
			Expires:     string(secret.Data[bootstrap.BootstrapTokenExpirationKey]),
			Description: string(secret.Data[bootstrap.BootstrapTokenDescriptionKey]),
		}
		for _, usage := range []string{"authentication", "signing"} {
			if string(secret.Data[bootstrap.BootstrapTokenUsagePrefix+usage]) == "true" {
				t.Usages = append(t.Usages, usage)
			}
		}
		if groups := string(secret.Data[bootstrap.BootstrapTokenExtraGroupsKey]); groups != "" {
			t.Groups = strings.Split(groups, ",")
		}
		tokens = append(tokens, t)
	}
	return tokens, nil
}
