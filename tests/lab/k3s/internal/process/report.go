package process

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// exitReturned is the status of a child whose component returned an error. Any other status but 0 means
// that the component itself ended the process, which in k3s ends everything with the same status.
const exitReturned = 70

// reportFD is where a child writes the error that its component returned.
const reportFD = 3

// openReport gives a child that is about to start its report. The returned function turns the result of
// the child's Wait into the reported error, if there is one.
func openReport(cmd *exec.Cmd) (func(error) error, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = []*os.File{writer}
	return func(result error) error {
		defer reader.Close()
		writer.Close()
		var exit *exec.ExitError
		if !errors.As(result, &exit) || exit.ExitCode() != exitReturned {
			return result
		}
		text, err := io.ReadAll(reader)
		if err != nil || len(text) == 0 {
			return errors.New("unknown error")
		}
		return errors.New(strings.TrimSpace(string(text)))
	}, nil
}

// Component is the body of a child: it runs a component and returns the status to exit with.
func Component(run func() error) int {
	// The pipe isn't for the programs that the component starts.
	syscall.CloseOnExec(reportFD)
	err := run()
	if err == nil {
		return 0
	}
	report := os.NewFile(reportFD, "report")
	if _, writeErr := io.WriteString(report, err.Error()); writeErr != nil {
		io.WriteString(os.Stderr, err.Error()+"\n")
	}
	return exitReturned
}
