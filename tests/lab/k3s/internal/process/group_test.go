package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestMain lets this executable be its own child.
func TestMain(m *testing.M) {
	switch os.Getenv("CHILD") {
	case "":
		os.Exit(m.Run())
	case "returns an error":
		os.Exit(Component(func() error { return errors.New("unknown flag: --colour") }))
	case "exits":
		os.Exit(7)
	case "ends":
		os.Exit(Component(func() error { return nil }))
	case "stays":
		time.Sleep(time.Minute)
	}
}

func child(t *testing.T, ctx context.Context, behaviour string) *Group {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	group := NewGroup(ctx)
	group.Child("kubelet", nil, func(cmd *exec.Cmd) {
		cmd.Path, cmd.Env, cmd.Err = self, append(os.Environ(), "CHILD="+behaviour), nil
	})
	return group
}

func TestAnErrorThatAComponentReturnsIsReportedInItsWords(t *testing.T) {
	err := child(t, context.Background(), "returns an error").Wait()
	var ended EndedError
	var fatal FatalError
	if !errors.As(err, &ended) || errors.As(err, &fatal) || err.Error() != "kubelet exited: unknown flag: --colour" {
		t.Errorf("got %T %v", err, err)
	}
}

func TestAComponentThatExitsTakesTheProcessWithItsStatus(t *testing.T) {
	var fatal FatalError
	if err := child(t, context.Background(), "exits").Wait(); !errors.As(err, &fatal) || fatal.Code != 7 {
		t.Errorf("got %T %v", err, err)
	}
}

func TestAnEndWithoutAnErrorIsUnexpected(t *testing.T) {
	if err := child(t, context.Background(), "ends").Wait(); err == nil || err.Error() != "kubelet exited: unexpectedly" {
		t.Errorf("got %v", err)
	}
}

func TestATaskMayEndButNotFail(t *testing.T) {
	group := NewGroup(context.Background())
	group.Task(func(context.Context) error { return nil })
	group.Task(func(context.Context) error { return errors.New("no such network interface") })
	if err := group.Wait(); err == nil || err.Error() != "no such network interface" {
		t.Errorf("got %v", err)
	}
}

func TestStoppingTheGroupStopsItsChildren(t *testing.T) {
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(context.Background())
	group := child(t, ctx, "stays")
	time.AfterFunc(50*time.Millisecond, func() { cancel(stop) })
	if err := group.Wait(); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func TestOnePartThatFailsEndsTheGroup(t *testing.T) {
	group := NewGroup(context.Background())
	ended := make(chan struct{})
	group.Go("waits", func(ctx context.Context) error {
		<-ctx.Done()
		close(ended)
		return nil
	})
	group.Go("etcd", func(context.Context) error { return errors.New("disk full") })
	if err := group.Wait(); err == nil || err.Error() != "etcd exited: disk full" {
		t.Errorf("got %v", err)
	}
	<-ended
}
