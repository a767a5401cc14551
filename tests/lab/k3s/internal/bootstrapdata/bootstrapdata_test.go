package bootstrapdata

import (
	"strings"
	"testing"
)

func TestOnlyTheSamePassphraseOpens(t *testing.T) {
	sealed, err := Seal("password", []byte("the keys"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sealed, "keys") {
		t.Error("the content must not be readable")
	}
	if plain, err := Open("password", sealed); err != nil || string(plain) != "the keys" {
		t.Errorf("got %q, %v", plain, err)
	}
	for passphrase, text := range map[string]string{"other": sealed, "password": sealed[:20], "": "short"} {
		if _, err := Open(passphrase, text); err == nil {
			t.Errorf("passphrase %q must not open %q", passphrase, text)
		}
	}
}

func TestKeyIsDerivedFromThePassword(t *testing.T) {
	if got, want := Key("password"), "/bootstrap/5e884898da28"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
