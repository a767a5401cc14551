// Package join is a node's side of the conversation with the supervisor on port 6443.
package join

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"k3srun.test/lab/k3s/internal/token"
)

const timeout = 10 * time.Second

// Headers of a node that asks for a certificate.
const (
	HeaderName     = "k3s-Node-Name"
	HeaderPassword = "k3s-Node-Password"
	HeaderIP       = "k3s-Node-IP"
)

// Config is what agents learn from the server.
type Config struct {
	ClusterCIDR    string
	ServiceCIDR    string
	ClusterDNS     string
	ClusterDomain  string
	FlannelBackend string
	// ServiceNodePortRange is written with a dash.
	ServiceNodePortRange string
	DisableNetworkPolicy bool
}

// StatusError is an answer that isn't a success.
type StatusError struct {
	Code    int
	Message string
}

func (e StatusError) Error() string { return e.Message }

// Client speaks to one server with one identity.
type Client struct {
	URL   string
	Token token.Token
	// CertFile and KeyFile are a client certificate to show if it is there.
	CertFile, KeyFile string
	CA                []byte
	// Timeout is for one request; zero means ten seconds.
	Timeout time.Duration
}

// Connect fetches the server's CA, compares it with the token's pin, and returns a client that trusts it.
func Connect(url string, t token.Token) (*Client, error) {
	client := &Client{URL: strings.TrimRight(url, "/"), Token: t}
	if !strings.HasPrefix(url, "https://") {
		return nil, fmt.Errorf("only https:// URLs are supported, invalid scheme: %s", url)
	}
	insecure := &http.Client{Timeout: timeout, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	ca, err := fetch(insecure, client.URL+"/cacerts")
	if err != nil {
		return nil, fmt.Errorf("failed to get CA certs: %w", err)
	}
	client.CA = ca
	verified, err := client.http()
	if err != nil {
		return nil, err
	}
	if _, err := fetch(verified, client.URL+"/cacerts"); err != nil {
		return nil, fmt.Errorf("CA cert validation failed: %w", err)
	}
	if err := t.CheckCA(ca); err != nil {
		return nil, err
	}
	if t.CAHash == "" {
		logrus.Warn("Cluster CA certificate is not trusted by the host CA bundle, but the token does not include a CA hash. Use the full token from the server's node-token file to enable Cluster CA validation.")
	}
	return client, nil
}

func (c *Client) http() (*http.Client, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.CA) {
		return nil, errors.New("the server's CA is not a PEM certificate")
	}
	config := &tls.Config{RootCAs: pool}
	if c.CertFile != "" {
		if pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile); err == nil {
			config.Certificates = []tls.Certificate{pair}
		} else if !os.IsNotExist(err) {
			return nil, err
		}
	}
	return &http.Client{Timeout: c.timeout(), Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}, nil
}

func (c *Client) timeout() time.Duration {
	if c.Timeout != 0 {
		return c.Timeout
	}
	return timeout
}

// Get reads a path below the server's address.
func (c *Client) Get(path string) ([]byte, error) { return c.Do(http.MethodGet, path, nil, nil) }

// Send passes a value on as JSON, and reads the answer into another one unless that is nil.
func (c *Client) Send(method, path string, value, answer any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	content, err := c.Do(method, path, body, nil)
	if err != nil || answer == nil {
		return err
	}
	return json.Unmarshal(content, answer)
}

// Do sends a body with extra headers.
func (c *Client) Do(method, path string, body []byte, header http.Header) ([]byte, error) {
	client, err := c.http()
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(method, c.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	switch {
	case c.Token.User != "":
		request.SetBasicAuth(c.Token.User, c.Token.Password)
	case c.Token.Password != "":
		request.Header.Set("Authorization", "Bearer "+c.Token.Password)
	}
	return answer(client.Do(request))
}

func fetch(client *http.Client, url string) ([]byte, error) { return answer(client.Get(url)) }

func answer(response *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 10<<20))
	if err != nil {
		return nil, err
	}
	if response.StatusCode < http.StatusBadRequest {
		return content, nil
	}
	var said struct{ Message string }
	if err := json.Unmarshal(content, &said); err != nil || said.Message == "" {
		said.Message = strings.TrimSpace(string(content))
	}
	return nil, StatusError{Code: response.StatusCode, Message: said.Message}
}
