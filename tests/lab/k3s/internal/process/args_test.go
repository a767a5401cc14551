package process

import (
	"reflect"
	"testing"
)

func TestArgs(t *testing.T) {
	defaults := map[string]string{"profiling": "false", "enable-admission-plugins": "NodeRestriction"}
	cases := []struct {
		extra, want []string
	}{
		{nil, []string{"--enable-admission-plugins=NodeRestriction", "--profiling=false"}},
		{[]string{"profiling=true", "v=2"}, []string{"--enable-admission-plugins=NodeRestriction", "--profiling=true", "--v=2"}},
		{[]string{"enable-admission-plugins+=PodSecurity"}, []string{"--enable-admission-plugins=NodeRestriction,PodSecurity", "--profiling=false"}},
		{[]string{"enable-admission-plugins-=PodSecurity"}, []string{"--enable-admission-plugins=PodSecurity,NodeRestriction", "--profiling=false"}},
		{[]string{"a=1", "a=2"}, []string{"--a=1", "--a=2", "--enable-admission-plugins=NodeRestriction", "--profiling=false"}},
	}
	for _, c := range cases {
		if got := Args(defaults, c.extra); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.extra, got, c.want)
		}
	}
}
