package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	config "github.com/cert-manager/cert-manager/internal/apis/config/controller"
	"github.com/cert-manager/cert-manager/internal/apis/config/controller/scheme"
	"github.com/cert-manager/cert-manager/internal/apis/config/controller/validation"
	"github.com/cert-manager/cert-manager/internal/pem"
	"github.com/cert-manager/cert-manager/pkg/apis/config/controller/v1alpha1"
	cmcontroller "github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/controller/configfile"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/acme"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/vault"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/venafi"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

func controller(ctx context.Context, args []string) error {
	types, _, err := scheme.NewSchemeAndCodecs()
	if err != nil {
		return err
	}
	cfg := &config.ControllerConfiguration{}
	if err := defaults(types, &v1alpha1.ControllerConfiguration{}, cfg); err != nil {
		return err
	}
	file := configfile.New()
	read := settings{
		name: "controller", flags: func(flags *pflag.FlagSet) { controllerFlags(flags, cfg) },
		file: file, use: func() { *cfg = *file.Config },
		validate: func() field.ErrorList { return validation.ValidateControllerConfiguration(cfg, nil) },
		logging:  &cfg.Logging, gates: &cfg.FeatureGates,
	}
	if err := read.read(args); err != nil {
		return err
	}
	sizes := cfg.PEMSizeLimitsConfig
	pem.SetGlobalSizeLimits(pem.NewSizeLimitsFromConfig(sizes.MaxCertificateSize, sizes.MaxPrivateKeySize, sizes.MaxChainLength, sizes.MaxBundleSize))
	return runControllers(ctx, cfg)
}

// runControllers serves metrics and health at once, and starts the controllers when it holds the lease.
func runControllers(ctx context.Context, cfg *config.ControllerConfiguration) error {
	options, err := contextOptions(cfg)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	factory, err := cmcontroller.NewContextFactory(ctx, options)
	if err != nil {
		return err
	}
	shared, err := factory.Build()
	if err != nil {
		return err
	}
	if err := serveMetrics(ctx, group, shared, cfg.MetricsListenAddress); err != nil {
		return err
	}
	health := healthz.NewServer(cfg.LeaderElectionConfig.HealthzTimeout)
	listener, err := net.Listen("tcp", cfg.HealthzListenAddress)
	if err != nil {
		return err
	}
	group.Go(func() error { return health.Start(ctx, listener) })

	if cfg.LeaderElectionConfig.Enabled {
		elected := make(chan struct{})
		group.Go(func() error { return lead(ctx, cfg, factory, health.LeaderHealthzAdaptor, elected) })
		select {
		case <-elected:
		case <-ctx.Done():
			return group.Wait()
		}
	}
	for _, name := range enabledControllers(cfg) {
		run, err := cmcontroller.Known()[name](factory)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		group.Go(func() error { return run.Run(cfg.NumberOfConcurrentWorkers, ctx) })
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	return group.Wait()
}

func serveMetrics(ctx context.Context, group *errgroup.Group, shared *cmcontroller.Context, address string) error {
	certificates, acme := shared.SharedInformerFactory.Certmanager().V1(), shared.SharedInformerFactory.Acme().V1()
	shared.Metrics.SetupACMECollector(acme.Challenges().Lister())
	shared.Metrics.SetupCertificateCollector(certificates.Certificates().Lister())
	shared.Metrics.SetupIssuerCollector(certificates.Issuers().Lister())
	shared.Metrics.SetupClusterIssuerCollector(certificates.ClusterIssuers().Lister())
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := shared.Metrics.NewServer(listener)
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		late, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return server.Shutdown(late)
	})
	return nil
}

// lead closes `elected` once the lease is held, and ends with an error when it is lost.
func lead(ctx context.Context, cfg *config.ControllerConfiguration, factory *cmcontroller.ContextFactory, watchdog *leaderelection.HealthzAdaptor, elected chan struct{}) error {
	own, err := factory.Build("leader-election")
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	election := cfg.LeaderElectionConfig
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, election.Namespace, "cert-manager-controller",
		own.Client.CoreV1(), own.Client.CoordinationV1(),
		resourcelock.ResourceLockConfig{Identity: host + "-external-cert-manager-controller", EventRecorder: own.Recorder})
	if err != nil {
		return err
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Name: "cert-manager-controller", Lock: lock, WatchDog: watchdog, ReleaseOnCancel: true,
		LeaseDuration: election.LeaseDuration, RenewDeadline: election.RenewDeadline, RetryPeriod: election.RetryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { close(elected) },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	watchdog.SetLeaderElection(elector)
	elector.Run(ctx)
	if ctx.Err() == nil {
		return errors.New("the lease is lost")
	}
	return nil
}
