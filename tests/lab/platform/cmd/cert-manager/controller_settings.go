package main

import (
	"slices"

	config "github.com/cert-manager/cert-manager/internal/apis/config/controller"
	known "github.com/cert-manager/cert-manager/internal/apis/config/controller/v1alpha1"
	cmcontroller "github.com/cert-manager/cert-manager/pkg/controller"
	dnsutil "github.com/cert-manager/cert-manager/pkg/issuer/acme/dns/util"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"
)

func controllerFlags(flags *pflag.FlagSet, cfg *config.ControllerConfiguration) {
	flags.StringVar(&cfg.KubeConfig, "kubeconfig", cfg.KubeConfig, "kubeconfig; the service account if empty")
	flags.StringVar(&cfg.Namespace, "namespace", cfg.Namespace, "the only namespace to look at; all if empty")
	flags.StringVar(&cfg.ClusterResourceNamespace, "cluster-resource-namespace", cfg.ClusterResourceNamespace, "namespace of the secrets of ClusterIssuers")
	flags.StringSliceVar(&cfg.Controllers, "controllers", cfg.Controllers, "controllers to run: NAME, -NAME, *")
	flags.BoolVar(&cfg.EnableCertificateOwnerRef, "enable-certificate-owner-ref", cfg.EnableCertificateOwnerRef, "delete a Secret with its Certificate")
	flags.IntVar(&cfg.MaxConcurrentChallenges, "max-concurrent-challenges", cfg.MaxConcurrentChallenges, "challenges at a time")
	flags.IntVar(&cfg.NumberOfConcurrentWorkers, "concurrent-workers", cfg.NumberOfConcurrentWorkers, "workers of each controller")
	flags.StringVar(&cfg.MetricsListenAddress, "metrics-listen-address", cfg.MetricsListenAddress, "address of /metrics")
	flags.DurationVar(&cfg.CertificateRequestMinimumBackoffDuration, "certificate-request-minimum-backoff-duration", cfg.CertificateRequestMinimumBackoffDuration, "wait after a first failure")
	leaderElectionFlags(flags, &cfg.LeaderElectionConfig.LeaderElectionConfig)

	shim := &cfg.IngressShimConfig
	flags.StringVar(&shim.DefaultIssuerName, "default-issuer-name", shim.DefaultIssuerName, "issuer of Ingresses that name none")
	flags.StringVar(&shim.DefaultIssuerKind, "default-issuer-kind", shim.DefaultIssuerKind, "its kind")
	flags.StringVar(&shim.DefaultIssuerGroup, "default-issuer-group", shim.DefaultIssuerGroup, "its group")

	http01 := &cfg.ACMEHTTP01Config
	flags.StringVar(&http01.SolverImage, "acme-http01-solver-image", http01.SolverImage, "image that answers challenges")
	flags.StringSliceVar(&http01.SolverNameservers, "acme-http01-solver-nameservers", http01.SolverNameservers, "name servers of the self check")
	dns01 := &cfg.ACMEDNS01Config
	flags.StringSliceVar(&dns01.RecursiveNameservers, "dns01-recursive-nameservers", dns01.RecursiveNameservers, "name servers of the DNS-01 check")
	flags.BoolVar(&dns01.RecursiveNameserversOnly, "dns01-recursive-nameservers-only", dns01.RecursiveNameserversOnly, "ask no other name servers")
}

// enabledControllers are the names in --controllers, where * is the library's default and a leading - excludes.
// Those for CertificateSigningRequests and the Gateway API are not offered: the lab has neither.
func enabledControllers(cfg *config.ControllerConfiguration) []string {
	var names []string
	for _, name := range known.DefaultEnabledControllers {
		wanted := slices.Contains(cfg.Controllers, "*") || slices.Contains(cfg.Controllers, name)
		if wanted && !slices.Contains(cfg.Controllers, "-"+name) {
			names = append(names, name)
		}
	}
	return names
}

func contextOptions(cfg *config.ControllerConfiguration) (cmcontroller.ContextOptions, error) {
	http01, dns01, shim := cfg.ACMEHTTP01Config, cfg.ACMEDNS01Config, cfg.IngressShimConfig
	var sizes [4]resource.Quantity
	for i, text := range []string{
		http01.SolverResourceRequestCPU, http01.SolverResourceRequestMemory, http01.SolverResourceLimitsCPU, http01.SolverResourceLimitsMemory,
	} {
		var err error
		if sizes[i], err = resource.ParseQuantity(text); err != nil {
			return cmcontroller.ContextOptions{}, err
		}
	}
	nameservers := dns01.RecursiveNameservers
	if len(nameservers) == 0 {
		nameservers = dnsutil.RecursiveNameservers
	}
	return cmcontroller.ContextOptions{
		Kubeconfig: cfg.KubeConfig, APIServerHost: cfg.APIServerHost,
		KubernetesAPIQPS: cfg.KubernetesAPIQPS, KubernetesAPIBurst: cfg.KubernetesAPIBurst,
		Namespace: cfg.Namespace,
		IssuerOptions: cmcontroller.IssuerOptions{
			ClusterResourceNamespace:        cfg.ClusterResourceNamespace,
			ClusterIssuerAmbientCredentials: cfg.ClusterIssuerAmbientCredentials,
			IssuerAmbientCredentials:        cfg.IssuerAmbientCredentials,
		},
		ACMEOptions: cmcontroller.ACMEOptions{
			HTTP01SolverImage:              http01.SolverImage,
			HTTP01SolverResourceRequestCPU: sizes[0], HTTP01SolverResourceRequestMemory: sizes[1],
			HTTP01SolverResourceLimitsCPU: sizes[2], HTTP01SolverResourceLimitsMemory: sizes[3],
			ACMEHTTP01SolverRunAsNonRoot: http01.SolverRunAsNonRoot,
			HTTP01SolverNameservers:      http01.SolverNameservers,
			DNS01Nameservers:             nameservers,
			DNS01CheckAuthoritative:      !dns01.RecursiveNameserversOnly,
			DNS01CheckRetryPeriod:        dns01.CheckRetryPeriod,
		},
		IngressShimOptions: cmcontroller.IngressShimOptions{
			DefaultIssuerName: shim.DefaultIssuerName, DefaultIssuerKind: shim.DefaultIssuerKind, DefaultIssuerGroup: shim.DefaultIssuerGroup,
			DefaultAutoCertificateAnnotations: shim.DefaultAutoCertificateAnnotations,
			ExtraCertificateAnnotations:       shim.ExtraCertificateAnnotations,
		},
		CertificateOptions: cmcontroller.CertificateOptions{
			EnableOwnerRef:                           cfg.EnableCertificateOwnerRef,
			CopiedAnnotationPrefixes:                 cfg.CopiedAnnotationPrefixes,
			CertificateRequestMinimumBackoffDuration: cfg.CertificateRequestMinimumBackoffDuration,
		},
		SchedulerOptions: cmcontroller.SchedulerOptions{MaxConcurrentChallenges: cfg.MaxConcurrentChallenges},
	}, nil
}
