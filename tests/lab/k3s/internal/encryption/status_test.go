package encryption

import (
	"os"
	"testing"

	"k3srun.test/lab/k3s/internal/layout"
	"k3srun.test/lab/k3s/internal/options"
)

func server(t *testing.T, provider string) options.Server {
	t.Helper()
	opts := options.Server{SecretsEncryption: true, SecretsEncryptionProvider: provider}
	opts.Layout = layout.Layout{DataDir: t.TempDir()}
	if err := os.MkdirAll(opts.Server("cred"), 0o700); err != nil {
		t.Fatal(err)
	}
	return opts
}

func TestStatusOfAFreshConfiguration(t *testing.T) {
	for provider, key := range map[string]string{"aescbc": "AES-CBC aescbckey", "secretbox": "XSalsa20-POLY1305 secretboxkey"} {
		opts := server(t, provider)
		if err := Ensure(opts); err != nil {
			t.Fatal(err)
		}
		status, err := ReadStatus(opts.Layout)
		if err != nil || status.Enable == nil || !*status.Enable || status.Stage != "start" || status.ActiveKey != key || !status.HashMatch {
			t.Errorf("%s: got %+v, %v", provider, status, err)
		}
		before, _ := os.ReadFile(opts.Cred("encryption-config.json"))
		if err := Ensure(opts); err != nil {
			t.Fatal(err)
		}
		if after, _ := os.ReadFile(opts.Cred("encryption-config.json")); string(after) != string(before) {
			t.Errorf("%s: a second start must keep the key", provider)
		}
	}
}

func TestWithoutTheOptionThereIsNoConfiguration(t *testing.T) {
	opts := server(t, "aescbc")
	opts.SecretsEncryption = false
	if err := Ensure(opts); err != nil {
		t.Fatal(err)
	}
	if status, err := ReadStatus(opts.Layout); err != nil || status.Enable != nil {
		t.Errorf("got %+v, %v", status, err)
	}
}

func TestUnknownProvider(t *testing.T) {
	if err := Ensure(server(t, "rot13")); err == nil {
		t.Error("want an error")
	}
}
