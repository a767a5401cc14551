package snapshots

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Request is what the command asks of the server, which alone may touch the datastore.
type Request struct {
	Operation string   `json:"operation"`
	Names     []string `json:"name,omitempty"`
	Dir       string   `json:"dir,omitempty"`
	Compress  bool     `json:"compress,omitempty"`
	Retention int      `json:"retention,omitempty"`
}

// Result is what has changed.
type Result struct {
	Created []string `json:"created,omitempty"`
	Deleted []string `json:"deleted,omitempty"`
}

// Carry does what was asked and returns a Result, or a List.
func (s Store) Carry(ctx context.Context, client *clientv3.Client, request Request) (any, error) {
	if request.Dir != "" {
		s.Dir = request.Dir
	}
	switch request.Operation {
	case "list":
		files, err := s.List()
		return NewList(files), err
	case "delete":
		deleted, err := s.Delete(request.Names)
		return Result{Deleted: deleted}, err
	}
	if len(request.Names) != 1 {
		return nil, fmt.Errorf("%s needs one name, not %q", request.Operation, request.Names)
	}
	var result Result
	var err error
	switch request.Operation {
	case "save":
		var created string
		if created, err = s.Save(ctx, client, request.Names[0], request.Compress); err != nil {
			return nil, err
		}
		result.Created = []string{created}
	case "prune":
	default:
		return nil, fmt.Errorf("unknown operation %q", request.Operation)
	}
	result.Deleted, err = s.Prune(request.Names[0], request.Retention)
	return result, err
}
