package main

import (
	"context"

	config "github.com/cert-manager/cert-manager/internal/apis/config/webhook"
	"github.com/cert-manager/cert-manager/internal/apis/config/webhook/scheme"
	"github.com/cert-manager/cert-manager/internal/apis/config/webhook/validation"
	cmwebhook "github.com/cert-manager/cert-manager/internal/webhook"
	"github.com/cert-manager/cert-manager/pkg/apis/config/webhook/v1alpha1"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/webhook/configfile"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func webhook(ctx context.Context, args []string) error {
	types, _, err := scheme.NewSchemeAndCodecs()
	if err != nil {
		return err
	}
	cfg := &config.WebhookConfiguration{}
	if err := defaults(types, &v1alpha1.WebhookConfiguration{}, cfg); err != nil {
		return err
	}
	file := configfile.New()
	read := settings{
		name: "webhook", flags: func(flags *pflag.FlagSet) { webhookFlags(flags, cfg) },
		file: file, use: func() { *cfg = *file.Config },
		validate: func() field.ErrorList { return validation.ValidateWebhookConfiguration(cfg, nil) },
		logging:  &cfg.Logging, gates: &cfg.FeatureGates,
	}
	if err := read.read(args); err != nil {
		return err
	}
	server, err := cmwebhook.NewCertManagerWebhookServer(logf.FromContext(ctx), *cfg)
	if err != nil {
		return err
	}
	return server.Run(ctx)
}

func webhookFlags(flags *pflag.FlagSet, cfg *config.WebhookConfiguration) {
	flags.StringVar(&cfg.KubeConfig, "kubeconfig", cfg.KubeConfig, "kubeconfig; the service account if empty")
	flags.Int32Var(&cfg.SecurePort, "secure-port", cfg.SecurePort, "port for the API server's calls")
	flags.Int32Var(&cfg.HealthzPort, "healthz-port", cfg.HealthzPort, "port of /healthz and /livez")
	flags.StringVar(&cfg.MetricsListenAddress, "metrics-listen-address", cfg.MetricsListenAddress, "address of /metrics, 0 for none")
	dynamic := &cfg.TLSConfig.Dynamic
	flags.StringVar(&dynamic.SecretNamespace, "dynamic-serving-ca-secret-namespace", dynamic.SecretNamespace, "namespace of the secret with the CA")
	flags.StringVar(&dynamic.SecretName, "dynamic-serving-ca-secret-name", dynamic.SecretName, "name of the secret with the CA")
	flags.StringSliceVar(&dynamic.DNSNames, "dynamic-serving-dns-names", dynamic.DNSNames, "names in the serving certificate")
	flags.DurationVar(&dynamic.LeafDuration, "dynamic-serving-leaf-duration", dynamic.LeafDuration, "lifetime of the serving certificate")
	flags.BoolVar(&cfg.EnableClientVerification, "enable-client-verification", cfg.EnableClientVerification, "take calls only from known clients")
	flags.StringVar(&cfg.ClientCAPath, "client-ca-path", cfg.ClientCAPath, "file with the clients' CA")
	flags.StringSliceVar(&cfg.ClientCertificateSubjects, "client-subject-names", cfg.ClientCertificateSubjects, "names of the known clients")
}
