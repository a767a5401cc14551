package encryption

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes/fake"

	"k3srun.test/lab/k3s/internal/options"
)

func changer(t *testing.T) (c Changer, stored *int) {
	t.Helper()
	opts := server(t, "aescbc")
	if err := Ensure(opts); err != nil {
		t.Fatal(err)
	}
	stored = new(int)
	return Changer{Opts: opts, NodeName: "master", Client: fake.NewClientset(), Store: func(context.Context) error {
		*stored++
		return nil
	}}, stored
}

func summary(t *testing.T, opts options.Server) string {
	t.Helper()
	status, err := ReadStatus(opts.Layout)
	if err != nil {
		t.Fatal(err)
	}
	dated, _, _ := strings.Cut(status.ActiveKey, "key-")
	return fmt.Sprint(*status.Enable, " ", status.Stage, " ", dated, " ", len(status.InactiveKeys), " ", status.HashMatch)
}

func TestTheStagesOfAChangeOfKeys(t *testing.T) {
	c, stored := changer(t)
	off, on := false, true
	for _, step := range []struct {
		request Request
		want    string
	}{
		{Request{Stage: "prepare"}, "true prepare AES-CBC aescbckey 1 true"},
		{Request{Enable: &off}, "false prepare AES-CBC aescbckey 1 true"},
		{Request{Enable: &on}, "true prepare AES-CBC aescbckey 1 true"},
		{Request{Stage: "rotate"}, "true rotate AES-CBC aescbc 1 true"},
	} {
		if err := c.Change(context.Background(), step.request); err != nil {
			t.Fatal(err)
		}
		if got := summary(t, c.Opts); got != step.want {
			t.Errorf("%+v: got %s, want %s", step.request, got, step.want)
		}
	}
	if *stored != 4 {
		t.Errorf("stored %d times", *stored)
	}
	s, err := read(c.Opts.Layout)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.finish(context.Background(), s, false); err != nil {
		t.Fatal(err)
	}
	if got, want := summary(t, c.Opts), "true reencrypt_finished AES-CBC aescbc 0 true"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAStageOutOfItsOrderIsRefused(t *testing.T) {
	c, stored := changer(t)
	err := c.Change(context.Background(), Request{Stage: "rotate"})
	if err == nil || err.Error() != "incorrect stage: start found on node master" || *stored != 0 {
		t.Errorf("got %v, stored %d times", err, *stored)
	}
}
