package main

import (
	"context"

	config "github.com/cert-manager/cert-manager/internal/apis/config/cainjector"
	"github.com/cert-manager/cert-manager/internal/apis/config/cainjector/scheme"
	"github.com/cert-manager/cert-manager/internal/apis/config/cainjector/validation"
	"github.com/cert-manager/cert-manager/internal/kube"
	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/cert-manager/cert-manager/pkg/apis/config/cainjector/v1alpha1"
	"github.com/cert-manager/cert-manager/pkg/cainjector/configfile"
	injectors "github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	"github.com/cert-manager/cert-manager/pkg/util"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kubernetes "k8s.io/client-go/kubernetes/scheme"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

func cainjector(ctx context.Context, args []string) error {
	types, _, err := scheme.NewSchemeAndCodecs()
	if err != nil {
		return err
	}
	cfg := &config.CAInjectorConfiguration{}
	if err := defaults(types, &v1alpha1.CAInjectorConfiguration{}, cfg); err != nil {
		return err
	}
	file := configfile.New()
	read := settings{
		name: "cainjector", flags: func(flags *pflag.FlagSet) { cainjectorFlags(flags, cfg) },
		file: file, use: func() { *cfg = *file.Config },
		validate: func() field.ErrorList { return validation.ValidateCAInjectorConfiguration(cfg, nil) },
		logging:  &cfg.Logging, gates: &cfg.FeatureGates,
	}
	if err := read.read(args); err != nil {
		return err
	}
	restConfig, err := kube.BuildClientConfig("", cfg.KubeConfig)
	if err != nil {
		return err
	}
	manager, err := ctrl.NewManager(util.RestConfigWithUserAgent(restConfig, "cainjector"), managerOptions(cfg))
	if err != nil {
		return err
	}
	err = injectors.RegisterAllInjectors(ctx, manager, injectors.SetupOptions{
		Namespace:                    cfg.Namespace,
		EnableCertificatesDataSource: cfg.EnableDataSourceConfig.Certificates,
		EnabledReconcilersFor: map[string]bool{
			injectors.MutatingWebhookConfigurationName:   cfg.EnableInjectableConfig.MutatingWebhookConfigurations,
			injectors.ValidatingWebhookConfigurationName: cfg.EnableInjectableConfig.ValidatingWebhookConfigurations,
			injectors.APIServiceName:                     cfg.EnableInjectableConfig.APIServices,
			injectors.CustomResourceDefinitionName:       cfg.EnableInjectableConfig.CustomResourceDefinitions,
		},
	})
	if err != nil {
		return err
	}
	return manager.Start(ctx)
}

// What it reads, and what it injects into.
func kinds() *runtime.Scheme {
	all := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		kubernetes.AddToScheme, certmanagerv1.AddToScheme, apiextensionsv1.AddToScheme, apiregistrationv1.AddToScheme,
	} {
		utilruntime.Must(add(all))
	}
	return all
}

func managerOptions(cfg *config.CAInjectorConfiguration) ctrl.Options {
	// Only the metadata of Secrets is watched; their contents are read from the API server when needed.
	secrets := []client.Object{&corev1.Secret{}}
	options := ctrl.Options{
		Scheme:                        kinds(),
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: secrets}},
		Metrics:                       server.Options{BindAddress: cfg.MetricsListenAddress},
		LeaderElection:                cfg.LeaderElectionConfig.Enabled,
		LeaderElectionID:              "cert-manager-cainjector-leader-election",
		LeaderElectionNamespace:       cfg.LeaderElectionConfig.Namespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &cfg.LeaderElectionConfig.LeaseDuration,
		RenewDeadline:                 &cfg.LeaderElectionConfig.RenewDeadline,
		RetryPeriod:                   &cfg.LeaderElectionConfig.RetryPeriod,
	}
	if cfg.Namespace != "" {
		options.Cache.DefaultNamespaces = map[string]cache.Config{cfg.Namespace: {}}
	}
	return options
}

func cainjectorFlags(flags *pflag.FlagSet, cfg *config.CAInjectorConfiguration) {
	flags.StringVar(&cfg.KubeConfig, "kubeconfig", cfg.KubeConfig, "kubeconfig; the service account if empty")
	flags.StringVar(&cfg.Namespace, "namespace", cfg.Namespace, "the only namespace to look at; all if empty")
	flags.StringVar(&cfg.MetricsListenAddress, "metrics-listen-address", cfg.MetricsListenAddress, "address of /metrics, 0 for none")
	flags.BoolVar(&cfg.EnableDataSourceConfig.Certificates, "enable-certificates-data-source", cfg.EnableDataSourceConfig.Certificates, "take CAs from Certificates")
	leaderElectionFlags(flags, &cfg.LeaderElectionConfig)
}
