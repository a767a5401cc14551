// Package nodepassword makes sure that a node name belongs to one host: the password that came with the
// first registration is kept, hashed, in the Secret <node>.node-password.k3s.
package nodepassword

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/scrypt"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const secretType corev1.SecretType = "k3s.cattle.io/node-password"

// ErrRejected means that another host has registered under this name.
var ErrRejected = errors.New("hash does not match")

// Ensure keeps the password of a new node and checks that of a known one.
func Ensure(ctx context.Context, client kubernetes.Interface, node, password string) error {
	secrets := client.CoreV1().Secrets(metav1.NamespaceSystem)
	name := node + ".node-password.k3s"
	secret, err := secrets.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		hash, err := hashPassword(password)
		if err != nil {
			return err
		}
		immutable := true
		_, err = secrets.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Type:       secretType, Immutable: &immutable,
			Data: map[string][]byte{"hash": []byte(hash)},
		}, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	if err := verify(string(secret.Data["hash"]), password); err != nil {
		return fmt.Errorf("unable to verify hash for node '%s': %w", node, err)
	}
	return nil
}

// Forget removes the password of a node that is no more.
func Forget(ctx context.Context, client kubernetes.Interface, node string) error {
	err := client.CoreV1().Secrets(metav1.NamespaceSystem).Delete(ctx, node+".node-password.k3s", metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// hashPassword has the form $1:<salt>:<scrypt hash>.
func hashPassword(password string) (string, error) {
	salt := make([]byte, 8)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	derived, err := derive(password, salt)
	if err != nil {
		return "", err
	}
	return "$1:" + hex.EncodeToString(salt) + ":" + base64.RawStdEncoding.EncodeToString(derived), nil
}

func verify(hash, password string) error {
	parts := strings.Split(hash, ":")
	if len(parts) != 3 || parts[0] != "$1" {
		return errors.New("unknown hash format")
	}
	salt, err := hex.DecodeString(parts[1])
	if err != nil {
		return err
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	got, err := derive(password, salt)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(got, want) != 1 {
		return ErrRejected
	}
	return nil
}

func derive(password string, salt []byte) ([]byte, error) {
	return scrypt.Key([]byte(password), salt, 1<<15, 8, 1, 64)
}
