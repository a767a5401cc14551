package snapshots

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// List is what `k3s etcd-snapshot ls` prints. Without snapshots Items is null.
type List struct {
	Kind       string   `json:"kind"`
	APIVersion string   `json:"apiVersion"`
	Metadata   struct{} `json:"metadata"`
	Items      []File   `json:"items"`
}

// NewList is the form of the Kubernetes API.
func NewList(files []File) List { return List{Kind: "List", APIVersion: "v1", Items: files} }

// File is one snapshot.
type File struct {
	Kind       string   `json:"kind"`
	APIVersion string   `json:"apiVersion"`
	Metadata   Metadata `json:"metadata"`
	Spec       Spec     `json:"spec"`
	Status     Status   `json:"status"`
}

// Metadata has the label by which the snapshots of a node are found.
type Metadata struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
}

// Spec says where a snapshot lies.
type Spec struct {
	SnapshotName string `json:"snapshotName"`
	NodeName     string `json:"nodeName"`
	Location     string `json:"location"`
}

// Status is what is known of the file.
type Status struct {
	Size         string `json:"size"`
	CreationTime string `json:"creationTime"`
	ReadyToUse   bool   `json:"readyToUse"`
}

func (s Store) file(info os.FileInfo) File {
	return File{
		Kind: "ETCDSnapshotFile", APIVersion: "k3s.cattle.io/v1",
		Metadata: Metadata{Name: "local-" + info.Name(), Labels: map[string]string{"etcd.k3s.cattle.io/snapshot-storage-node": s.Node}},
		Spec: Spec{
			SnapshotName: info.Name(), NodeName: s.Node, Location: "file://" + filepath.Join(s.Dir, info.Name()),
		},
		Status: Status{
			Size: fmt.Sprint(info.Size()), CreationTime: info.ModTime().UTC().Format(time.RFC3339), ReadyToUse: true,
		},
	}
}
