package snapshots

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// store has a snapshot for each name, each a second younger than the one before it.
func store(t *testing.T, names ...string) Store {
	t.Helper()
	s := Store{Dir: t.TempDir(), Node: "master"}
	for i, name := range names {
		path, when := filepath.Join(s.Dir, name), time.Unix(int64(1000+i), 0)
		if err := os.WriteFile(path, []byte("data"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func names(t *testing.T, s Store) []string {
	t.Helper()
	files, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var result []string
	for _, file := range files {
		result = append(result, file.Spec.SnapshotName)
	}
	return result
}

func TestPruneKeepsTheYoungestOfOneName(t *testing.T) {
	s := store(t, "many-master-1", "other-master-1", "many-master-2", "many-master-3")
	deleted, err := s.Prune("many", 1)
	if err != nil || !reflect.DeepEqual(deleted, []string{"many-master-2", "many-master-1"}) {
		t.Errorf("got %q, %v", deleted, err)
	}
	if got := names(t, s); !reflect.DeepEqual(got, []string{"other-master-1", "many-master-3"}) {
		t.Errorf("left %q", got)
	}
	if deleted, err := s.Prune("many", 0); err != nil || deleted != nil {
		t.Errorf("nothing to keep: got %q, %v", deleted, err)
	}
}

func TestDeleteTellsWhatWasThere(t *testing.T) {
	s := store(t, "a-master-1")
	deleted, err := s.Delete([]string{"nosuch", "a-master-1"})
	if err != nil || !reflect.DeepEqual(deleted, []string{"a-master-1"}) {
		t.Errorf("got %q, %v", deleted, err)
	}
}

func TestAListOfNoneIsNull(t *testing.T) {
	files, err := store(t).List()
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(NewList(files))
	if want := `{"kind":"List","apiVersion":"v1","metadata":{},"items":null}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestAnItemHasTheFormOfTheAPI(t *testing.T) {
	files, err := store(t, "a-master-1").List()
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(files[0])
	want := `{"kind":"ETCDSnapshotFile","apiVersion":"k3s.cattle.io/v1","metadata":{"name":"local-a-master-1",` +
		`"labels":{"etcd.k3s.cattle.io/snapshot-storage-node":"master"}},"spec":{"snapshotName":"a-master-1","nodeName":"master",` +
		`"location":"` + files[0].Spec.Location + `"},"status":{"size":"4","creationTime":"1970-01-01T00:16:40Z","readyToUse":true}}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}
