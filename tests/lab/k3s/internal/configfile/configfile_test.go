package configfile

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func parser(warnings *[]string) Parser {
	return Parser{
		Readers:    []string{"server", "agent", "etcd-snapshot"},
		KnownFlags: map[string][]string{"server": {"token", "node-label", "config", "disable"}},
		Warn:       func(f string, a ...any) { *warnings = append(*warnings, fmt.Sprintf(f, a...)) },
	}
}

func TestFileGoesBeforeTheCommandLine(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "config.yaml"), "token: from-file\nnode-label: [a=b, c=d]\n")
	var warnings []string
	got, err := parser(&warnings).Parse([]string{"k3s", "server", "-c", file, "--token=from-cli"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"k3s", "server", "--token=from-file", "--node-label=a=b", "--node-label=c=d", "-c", file, "--token=from-cli"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestServerDropsUnknownKeysAndAgentPassesThemOn(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "config.yaml"), "token: t\ncolour: red\n")
	var warnings []string
	got, _ := parser(&warnings).Parse([]string{"k3s", "server", "--config=" + file})
	if want := []string{"k3s", "server", "--token=t", "--config=" + file}; !reflect.DeepEqual(got, want) {
		t.Errorf("server: got %q, want %q", got, want)
	}
	if want := []string{"Unknown flag --colour found in config.yaml, skipping\n"}; !reflect.DeepEqual(warnings, want) {
		t.Errorf("warnings: %q", warnings)
	}
	got, _ = parser(&warnings).Parse([]string{"k3s", "agent", "--config=" + file})
	if want := []string{"k3s", "agent", "--token=t", "--colour=red", "--config=" + file}; !reflect.DeepEqual(got, want) {
		t.Errorf("agent: got %q, want %q", got, want)
	}
}

func TestDropInsReplaceOrAppend(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	write(t, file, "disable: [a]\nnode-label: [x=1]\ntoken: one\n")
	write(t, file+".d/10-more.yaml", "disable+: [b, c]\nnode-label: [y=2]\n")
	write(t, file+".d/20-last.yml", "token+: two\n")
	write(t, file+".d/30-ignored.txt", "token: no\n")
	got, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"--disable=a", "--disable=b", "--disable=c", "--node-label=y=2", "--token=one", "--token=two"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDropInsAloneAreEnoughAndNothingIsFine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	if _, err := Read(file); !os.IsNotExist(err) {
		t.Errorf("want not-exist, got %v", err)
	}
	write(t, file+".d/a.yaml", "token: t\n")
	got, err := Read(file)
	if err != nil || !reflect.DeepEqual(got, []string{"--token=t"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

// The hazard that makes a careful writer quote every scalar.
func TestUnquotedScalarsAreYAML11(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "config.yaml"),
		"write-kubeconfig-mode: 0640\nquoted: \"0640\"\ntoken: 123e4\nswitch: on\nempty:\n")
	got, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"--write-kubeconfig-mode=416", "--quoted=0640", "--token=1.23e+06", "--switch=true", "--empty="}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFileThatWasAskedForMustExist(t *testing.T) {
	var warnings []string
	if _, err := parser(&warnings).Parse([]string{"k3s", "server", "-c", "/nonexistent/config.yaml"}); err == nil {
		t.Error("want an error")
	}
}

func TestSnapshotValuesFollowTheSecondWord(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "config.yaml"), "token: t\n")
	t.Setenv("K3S_CONFIG_FILE", file)
	var warnings []string
	got, _ := parser(&warnings).Parse([]string{"k3s", "etcd-snapshot", "ls", "-o", "json"})
	if want := []string{"k3s", "etcd-snapshot", "ls", "--token=t", "-o", "json"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatIsNoMapOfKeysIsToldInTheWordsOfYAML(t *testing.T) {
	for content, want := range map[string]string{
		"a: 1\nb: [c\n": "yaml: line 2: did not find expected ',' or ']'",
		"- a\n":         "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `a` into yaml.MapItem",
	} {
		if _, err := Read(write(t, filepath.Join(t.TempDir(), "config.yaml"), content)); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", content, err, want)
		}
	}
}
