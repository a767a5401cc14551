package main

import (
	"fmt"

	"github.com/cert-manager/cert-manager/internal/apis/config/shared"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util/configfile"
	utilfeature "github.com/cert-manager/cert-manager/pkg/util/feature"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	cliflag "k8s.io/component-base/cli/flag"
	logsapi "k8s.io/component-base/logs/api/v1"
)

// settings says where the settings of a part come from. A flag wins over the file of --config, which wins over
// the library's defaults.
type settings struct {
	name     string
	flags    func(*pflag.FlagSet)
	file     configfile.ConfigFile
	use      func() // takes over what the file says
	validate func() field.ErrorList
	logging  *logsapi.LoggingConfiguration
	gates    *map[string]bool
}

func (s settings) read(args []string) error {
	path := ""
	parse := func() error {
		flags := pflag.NewFlagSet(s.name, pflag.ContinueOnError)
		flags.StringVar(&path, "config", "", "file with the settings")
		flags.Var(cliflag.NewMapStringBool(s.gates), "feature-gates", "features to switch, NAME=true,...")
		logf.AddFlagsNonDeprecated(s.logging, flags)
		s.flags(flags)
		return flags.Parse(args)
	}
	if err := parse(); err != nil {
		return err
	}
	if path != "" {
		loader, err := configfile.NewConfigurationFSLoader(nil, path)
		if err != nil {
			return err
		}
		if err := loader.Load(s.file); err != nil {
			return err
		}
		s.use()
		if err := parse(); err != nil {
			return err
		}
	}
	if err := s.validate().ToAggregate(); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	if err := logf.ValidateAndApply(s.logging); err != nil {
		return err
	}
	return utilfeature.DefaultMutableFeatureGate.SetFromMap(*s.gates)
}

// defaults fills an internal configuration with what the library has for the versioned one.
func defaults(scheme *runtime.Scheme, versioned, internal runtime.Object) error {
	scheme.Default(versioned)
	return scheme.Convert(versioned, internal, nil)
}

func leaderElectionFlags(flags *pflag.FlagSet, election *shared.LeaderElectionConfig) {
	flags.BoolVar(&election.Enabled, "leader-elect", election.Enabled, "run only while holding the lease")
	flags.StringVar(&election.Namespace, "leader-election-namespace", election.Namespace, "namespace of the lease")
	flags.DurationVar(&election.LeaseDuration, "leader-election-lease-duration", election.LeaseDuration, "how long a lease holds without renewal")
	flags.DurationVar(&election.RenewDeadline, "leader-election-renew-deadline", election.RenewDeadline, "how long the holder tries to renew")
	flags.DurationVar(&election.RetryPeriod, "leader-election-retry-period", election.RetryPeriod, "time between two tries")
}
