package cloud

import (
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/wait"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/cloud-provider/app"
	"k8s.io/cloud-provider/app/config"
	"k8s.io/cloud-provider/names"
	"k8s.io/cloud-provider/options"
	cliflag "k8s.io/component-base/cli/flag"
)

// Command is the cloud controller manager with this provider.
func Command() (*cobra.Command, error) {
	settings, err := options.NewCloudControllerManagerOptions()
	if err != nil {
		return nil, err
	}
	make := func(*config.CompletedConfig) cloudprovider.Interface { return provider{} }
	return app.NewCloudControllerManagerCommand(settings, make, app.DefaultInitFuncConstructors, names.CCMControllerAliases(),
		cliflag.NamedFlagSets{}, wait.NeverStop), nil
}
