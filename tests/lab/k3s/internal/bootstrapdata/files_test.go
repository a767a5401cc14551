package bootstrapdata

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k3srun.test/lab/k3s/internal/process"
)

// stored makes two files and the data that a start would store of them.
func stored(t *testing.T) (paths map[string]string, files Files) {
	t.Helper()
	dir := t.TempDir()
	paths = map[string]string{"PasswdFile": filepath.Join(dir, "passwd"), "ServerCA": filepath.Join(dir, "ca.crt")}
	for _, path := range paths {
		if err := os.WriteFile(path, []byte("first"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := Collect(paths)
	if err != nil {
		t.Fatal(err)
	}
	return paths, files
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAFileThatIsMissingComesBack(t *testing.T) {
	paths, files := stored(t)
	if err := os.Remove(paths["PasswdFile"]); err != nil {
		t.Fatal(err)
	}
	if err := files.Reconcile(paths); err != nil {
		t.Fatal(err)
	}
	if got := content(t, paths["PasswdFile"]); got != "first" {
		t.Errorf("got %q", got)
	}
}

func TestAFileThatWasChangedStopsTheStart(t *testing.T) {
	paths, files := stored(t)
	later := time.Now().Add(time.Minute)
	if err := os.WriteFile(paths["PasswdFile"], []byte("second"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(paths["PasswdFile"], later, later); err != nil {
		t.Fatal(err)
	}
	err := files.Reconcile(paths)
	var abort process.Abort
	if !errors.As(err, &abort) || !strings.HasPrefix(abort.Reason, paths["PasswdFile"]+" newer than datastore and could cause a cluster outage.") {
		t.Errorf("got %v", err)
	}
	if got := content(t, paths["PasswdFile"]); got != "second" {
		t.Errorf("the file must stay as it is, got %q", got)
	}
}

func TestAFileThatIsOlderIsUpdated(t *testing.T) {
	paths, files := stored(t)
	if err := os.WriteFile(paths["ServerCA"], []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := time.Now().Add(-time.Hour)
	if err := os.Chtimes(paths["ServerCA"], before, before); err != nil {
		t.Fatal(err)
	}
	if err := files.Reconcile(paths); err != nil {
		t.Fatal(err)
	}
	if got := content(t, paths["ServerCA"]); got != "first" {
		t.Errorf("got %q", got)
	}
	if info, err := os.Stat(paths["ServerCA"]); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
}
