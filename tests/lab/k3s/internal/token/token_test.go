package token

import (
	"strings"
	"testing"
)

var hash = strings.Repeat("ab", 32)

func TestParse(t *testing.T) {
	cases := []struct {
		text string
		want Token
		err  string
	}{
		{text: "K10" + hash + "::server:secret", want: Token{hash, "server", "secret"}},
		{text: "K10" + hash + "::node:a:b\n", want: Token{hash, "node", "a:b"}},
		{text: "secret", want: Token{"", "node", "secret"}},
		{text: "server:secret", want: Token{"", "server", "secret"}},
		{text: "abcdef.0123456789abcdef", want: Token{"", "", "abcdef.0123456789abcdef"}},
		{text: "K10" + hash + "::abcdef.0123456789abcdef", want: Token{hash, "", "abcdef.0123456789abcdef"}},
		{text: "K10abc::server:secret", err: "invalid token CA hash length"},
		{text: "K10secret", err: "invalid token format"},
		{text: "K10" + hash + "::server", err: "invalid token format"},
		{text: " ", err: "token must not be empty"},
	}
	for _, c := range cases {
		got, err := Parse(c.text, "node")
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%q: error %v, want %s", c.text, err, c.err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%q: got %+v, %v", c.text, got, err)
		}
	}
}

func TestFullFormRoundTrip(t *testing.T) {
	for _, want := range []Token{{hash, "server", "secret"}, {hash, "", "abcdef.0123456789abcdef"}} {
		if got, err := Parse(want.String(), "node"); err != nil || got != want {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func TestCheckCAPinsTheBundle(t *testing.T) {
	pem := []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	if err := (Token{CAHash: HashCA(pem)}).CheckCA(pem); err != nil {
		t.Error(err)
	}
	if err := (Token{}).CheckCA(pem); err != nil {
		t.Errorf("a bare password pins nothing: %v", err)
	}
	err := (Token{CAHash: hash}).CheckCA(pem)
	if err == nil || !strings.Contains(err.Error(), "token CA hash does not match the Cluster CA certificate hash: "+hash+" != ") {
		t.Errorf("got %v", err)
	}
}

func TestHashOfAChainIsItsRoot(t *testing.T) {
	leaf := "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	root := "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n"
	if HashCA([]byte(leaf+root)) != digest([]byte{4, 16, 65}) {
		t.Error("want the sha256 of the root's DER")
	}
}
