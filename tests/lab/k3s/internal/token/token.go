// Package token reads and writes the join token: K10<sha256 of the CA>::<user>:<password>.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

const (
	prefix     = "K10"
	hashLength = 64
)

// bootstrapForm is that of Kubernetes' bootstrap tokens, which belong to no user.
var bootstrapForm = regexp.MustCompile(`^[a-z0-9]{6}\.[a-z0-9]{16}$`)

// Token is what a joining node presents. CAHash is empty for a bare password, which pins no CA; User is for a bootstrap token.
type Token struct {
	CAHash   string
	User     string
	Password string
}

// Parse reads a token; a bare password belongs to defaultUser.
func Parse(text, defaultUser string) (Token, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Token{}, errors.New("token must not be empty")
	}
	rest, full := strings.CutPrefix(text, prefix)
	if !full {
		if bootstrapForm.MatchString(text) {
			return Token{Password: text}, nil
		}
		if user, password, ok := strings.Cut(text, ":"); ok {
			return Token{User: user, Password: password}, nil
		}
		return Token{User: defaultUser, Password: text}, nil
	}
	hash, credentials, ok := strings.Cut(rest, "::")
	if !ok {
		return Token{}, errors.New("invalid token format")
	}
	if len(hash) != hashLength {
		return Token{}, errors.New("invalid token CA hash length")
	}
	if bootstrapForm.MatchString(credentials) {
		return Token{CAHash: hash, Password: credentials}, nil
	}
	user, password, ok := strings.Cut(credentials, ":")
	if !ok {
		return Token{}, errors.New("invalid token format")
	}
	return Token{CAHash: hash, User: user, Password: password}, nil
}

// String is the full form that a person copies to another node.
func (t Token) String() string {
	credentials := t.Password
	if t.User != "" {
		credentials = t.User + ":" + t.Password
	}
	return prefix + t.CAHash + "::" + credentials
}

// HashCA is the pin of a CA bundle: the literal PEM of a single certificate, else the DER of the last (the root).
func HashCA(bundle []byte) string {
	var last []byte
	count := 0
	for rest := bundle; ; count++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		last = block.Bytes
	}
	if count > 1 {
		return digest(last)
	}
	return digest(bundle)
}

// CheckCA fails if the token pins another CA than the bundle that the server showed.
func (t Token) CheckCA(bundle []byte) error {
	if hash := HashCA(bundle); t.CAHash != "" && t.CAHash != hash {
		return fmt.Errorf("token CA hash does not match the Cluster CA certificate hash: %s != %s", t.CAHash, hash)
	}
	return nil
}

// Generate makes a random password of n bytes, in hex.
func Generate(n int) (string, error) {
	buf := make([]byte, n)
	if _, err := rand.Read(buf); err != nil {
		return "", err
	}
	return hex.EncodeToString(buf), nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
