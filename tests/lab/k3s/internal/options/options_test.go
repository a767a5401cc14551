package options

import (
	"reflect"
	"testing"

	"github.com/urfave/cli/v2"
)

func parse(t *testing.T, args ...string) (Server, []string) {
	t.Helper()
	var opts Server
	var ignored []string
	app := &cli.App{DisableSliceFlagSeparator: true, Commands: []*cli.Command{{
		Name: "server", Flags: ServerFlags(), Action: func(c *cli.Context) error {
			opts, ignored = ServerFrom(c), Ignored(c)
			return nil
		},
	}}}
	if err := app.Run(append([]string{"k3s", "server"}, args...)); err != nil {
		t.Fatal(err)
	}
	return opts, ignored
}

func TestCommasSplitOnlyTheKeysThatAllowThem(t *testing.T) {
	opts, _ := parse(t, "--tls-san=a,b", "--disable=x,y", "--node-ip=10.0.0.1,fd00::1", "--node-label=l=1,2", "--kubelet-arg=v=a,b")
	for _, c := range []struct{ got, want []string }{
		{opts.TLSSANs, []string{"a", "b"}}, {opts.Disable, []string{"x", "y"}}, {opts.IPs, []string{"10.0.0.1", "fd00::1"}},
		{opts.Labels, []string{"l=1,2"}}, {opts.KubeletArgs, []string{"v=a,b"}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestTheLastScalarWinsAndListsAppend(t *testing.T) {
	opts, _ := parse(t, "--token=file", "--node-label=a=1", "--token=cli", "--node-label=b=2")
	if opts.Token != "cli" || !reflect.DeepEqual(opts.Labels, []string{"a=1", "b=2"}) {
		t.Errorf("got %q %q", opts.Token, opts.Labels)
	}
}

func TestFlagsWithoutEffectAreTold(t *testing.T) {
	opts, ignored := parse(t, "--etcd-s3-retention=3", "--disable-helm-controller", "--disable-network-policy")
	if !opts.DisableNetworkPolicy {
		t.Error("disable-network-policy has no effect")
	}
	if want := []string{"etcd-s3-retention"}; !reflect.DeepEqual(ignored, want) {
		t.Errorf("got %q, want %q", ignored, want)
	}
}
