package staging

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func bundle(t *testing.T, content string) []byte {
	t.Helper()
	var buf bytes.Buffer
	compressor, err := zstd.NewWriter(&buf)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewWriter(compressor)
	if err := archive.WriteHeader(&tar.Header{Name: "bin/k3s", Mode: 0o755, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bin/ctr", "bin/bridge"} {
		if err := archive.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: "k3s"}); err != nil {
			t.Fatal(err)
		}
	}
	archive.Close()
	compressor.Close()
	return buf.Bytes()
}

func TestUnpackTwiceThenUpgrade(t *testing.T) {
	dir := t.TempDir()
	one, two := bundle(t, "one"), bundle(t, "two")
	var bins []string
	for _, version := range [][]byte{one, one, two} {
		bin, err := Unpack(dir, version)
		if err != nil {
			t.Fatal(err)
		}
		bins = append(bins, bin)
	}
	if bins[0] != bins[1] || bins[1] == bins[2] {
		t.Errorf("bin directories %q", bins)
	}
	for link, want := range map[string]string{"current/bin/k3s": "two", "previous/bin/ctr": "one", "cni/bridge": "two"} {
		got, err := os.ReadFile(filepath.Join(dir, "data", link))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v", link, got, err)
		}
	}
}
