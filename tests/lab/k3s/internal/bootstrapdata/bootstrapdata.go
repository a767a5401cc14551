// Package bootstrapdata seals what a server needs besides its database, so that a snapshot and the token
// are enough to make the cluster again.
package bootstrapdata

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
)

// Prefix is that of all keys in etcd that hold such data.
const Prefix = "/bootstrap/"

// Key is where the data of a cluster with this password lies in etcd.
func Key(password string) string {
	sum := sha256.Sum256([]byte(password))
	return Prefix + hex.EncodeToString(sum[:])[:12]
}

// Seal encrypts with a key that is derived from the passphrase.
func Seal(passphrase string, plain []byte) (string, error) {
	salt := make([]byte, 8)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	gcm, err := cipherFor(passphrase, salt)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, gcm.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	return hex.EncodeToString(salt) + ":" + base64.StdEncoding.EncodeToString(gcm.Seal(nonce, nonce, plain, nil)), nil
}

// Open decrypts what Seal made; it fails for another passphrase.
func Open(passphrase, sealed string) ([]byte, error) {
	const saltHex = 16
	if len(sealed) <= saltHex || sealed[saltHex] != ':' {
		return nil, errors.New("malformed bootstrap data")
	}
	salt, err := hex.DecodeString(sealed[:saltHex])
	if err != nil {
		return nil, err
	}
	content, err := base64.StdEncoding.DecodeString(sealed[saltHex+1:])
	if err != nil {
		return nil, err
	}
	gcm, err := cipherFor(passphrase, salt)
	if err != nil {
		return nil, err
	}
	if len(content) < gcm.NonceSize() {
		return nil, errors.New("malformed bootstrap data")
	}
	return gcm.Open(nil, content[:gcm.NonceSize()], content[gcm.NonceSize():], nil)
}

func cipherFor(passphrase string, salt []byte) (cipher.AEAD, error) {
	key, err := pbkdf2.Key(sha1.New, passphrase, salt, 4096, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
