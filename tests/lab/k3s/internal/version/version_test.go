package version

import (
	"strings"
	"testing"
)

func TestTheNameOfTheCalledFileComesFirst(t *testing.T) {
	if got := Text(".k3s.new"); !strings.HasPrefix(got, ".k3s.new version v0.0.0+k3s-lab (unknown)\ngo version go1.") {
		t.Errorf("got %q", got)
	}
}
