// Package process runs the parts of a node: goroutines of this process and children of it. The first
// that ends takes the others with it, as in k3s, where all of them share one process.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
)

const (
	// stopTimeout is how long a child may take to end after SIGTERM.
	stopTimeout = 10 * time.Second
	// closeTimeout is how long the parts inside of this process may take to close their files and connections.
	closeTimeout = 3 * time.Second
)

// Group holds what runs together.
type Group struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	// children and parts are those that have not ended yet.
	children, parts sync.WaitGroup
}

// NewGroup makes a group that ends with ctx.
func NewGroup(ctx context.Context) *Group {
	ctx, cancel := context.WithCancelCause(ctx)
	return &Group{ctx: ctx, cancel: cancel}
}

// Context ends as soon as any member has ended or the group is stopped.
func (g *Group) Context() context.Context { return g.ctx }

// Shutdown stops the group because of err. An end in order is told at once: the others take their time to end.
func (g *Group) Shutdown(err error) {
	if g.ctx.Err() == nil && InOrder(err) {
		logrus.Errorf("Shutdown request received: %v", err)
	}
	g.cancel(err)
}

// Wait returns when every child has ended, with the cause of the end. The parts inside of this process
// end with it, so they get some time to do it in order, but no more.
func (g *Group) Wait() error {
	<-g.ctx.Done()
	deadline := time.After(closeTimeout)
	g.children.Wait()
	closed := make(chan struct{})
	go func() {
		g.parts.Wait()
		close(closed)
	}()
	select {
	case <-closed:
	case <-deadline:
	}
	return context.Cause(g.ctx)
}

// Go runs a part inside of this process.
func (g *Group) Go(name string, run func(context.Context) error) {
	g.parts.Add(1)
	go func() {
		defer g.parts.Done()
		if err := run(g.ctx); g.ctx.Err() == nil {
			g.Shutdown(EndedError{Name: name, Err: err})
		}
	}()
}

// Task runs what is to be done beside other things. It may end; its failure ends the group.
func (g *Group) Task(run func(context.Context) error) {
	g.parts.Add(1)
	go func() {
		defer g.parts.Done()
		if err := run(g.ctx); err != nil && g.ctx.Err() == nil {
			g.Shutdown(err)
		}
	}()
}

// Child runs a part as a process of its own, in which this executable is another component. For the system it has the
// name of the service, as in k3s, where all components are in one process; see Named.
func (g *Group) Child(name string, args []string, adjust ...func(*exec.Cmd)) {
	logrus.Infof("Running %s %s", name, args)
	g.children.Add(1)
	go func() {
		defer g.children.Done()
		err := runChild(g.ctx, name, args, adjust)
		if g.ctx.Err() != nil {
			return
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			g.Shutdown(FatalError{Code: max(exit.ExitCode(), 1), Err: EndedError{Name: name, Err: err}})
			return
		}
		g.Shutdown(EndedError{Name: name, Err: err})
	}()
}

// Named gives a child its own name for the system.
func Named(cmd *exec.Cmd) { cmd.Path = filepath.Join(filepath.Dir(cmd.Path), cmd.Args[0]) }

// title is what the system calls this process: the name that it was executed under.
func title() string {
	content, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		return "k3s"
	}
	return strings.TrimSpace(string(content))
}

// Abort is a failure that k3s reports where it happens, without the word "Error".
type Abort struct{ Reason string }

func (a Abort) Error() string { return a.Reason }

// FatalError is the end of a group whose process must end with a status.
type FatalError struct {
	Code int
	Err  error
}

func (e FatalError) Error() string { return e.Err.Error() }

// EndedError is the end of a group in order: the process ends with status 0. It says which member's end was the cause, if
// it was one's.
type EndedError struct {
	Name string
	Err  error
}

func (e EndedError) Error() string {
	if e.Name == "" {
		return e.Err.Error()
	}
	if e.Err == nil {
		return e.Name + " exited: unexpectedly"
	}
	return fmt.Sprintf("%s exited: %v", e.Name, e.Err)
}

// InOrder says whether the process ends with status 0 after err.
func InOrder(err error) bool {
	var fatal FatalError
	var ended EndedError
	return errors.As(err, &ended) && !errors.As(err, &fatal)
}

// Unwrap gives the cause.
func (e EndedError) Unwrap() error { return e.Err }

func runChild(ctx context.Context, name string, args []string, adjust []func(*exec.Cmd)) error {
	// The parent death signal is bound to the thread that forks.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(filepath.Dir(self), title()), args...)
	cmd.Args[0] = name
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	for _, change := range adjust {
		change(cmd)
	}
	reported, err := openReport(cmd)
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	finished := make(chan struct{})
	defer close(finished)
	go terminate(ctx, cmd.Process, finished)
	return reported(cmd.Wait())
}

func terminate(ctx context.Context, process *os.Process, finished <-chan struct{}) {
	select {
	case <-finished:
		return
	case <-ctx.Done():
	}
	_ = process.Signal(syscall.SIGTERM)
	select {
	case <-finished:
	case <-time.After(stopTimeout):
		_ = process.Kill()
	}
}
