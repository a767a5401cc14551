package control

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/pflag"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	encryptionconfig "k8s.io/apiserver/pkg/server/options/encryptionconfig/controller"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/cli/globalflag"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	apioptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"

	"k3srun.test/lab/k3s/internal/options"
	"k3srun.test/lab/k3s/internal/process"
)

// apiPort is where the API server listens on loopback; clients reach it through the supervisor's port.
const apiPort = 6444

// advertised is a listener that gives another port than its own: the one for the Service "kubernetes".
type advertised struct {
	net.Listener
	port int
}

func (a advertised) Addr() net.Addr {
	own, ok := a.Listener.Addr().(*net.TCPAddr)
	if !ok {
		return a.Listener.Addr()
	}
	return &net.TCPAddr{IP: own.IP, Port: a.port}
}

// encryptionReload is how often the API server looks whether its configuration of encryption has changed.
const encryptionReload = 5 * time.Second

// startAPIServer runs kube-apiserver in this process and returns its handler, which the supervisor
// serves on the public port.
func startAPIServer(group *process.Group, args []string, publicPort int) (http.Handler, error) {
	ctx := group.Context()
	encryptionconfig.EncryptionConfigFileChangePollDuration = encryptionReload
	completed, err := completeOptions(ctx, args)
	if err != nil {
		return nil, err
	}
	config, err := app.NewConfig(completed)
	if err != nil {
		return nil, err
	}
	serving := *config.KubeAPIs.ControlPlane.Generic.SecureServing
	serving.Listener = advertised{serving.Listener, publicPort}
	config.KubeAPIs.ControlPlane.Generic.SecureServing = &serving

	completedConfig, err := config.Complete()
	if err != nil {
		return nil, err
	}
	chain, err := app.CreateServerChain(completedConfig)
	if err != nil {
		return nil, err
	}
	prepared, err := chain.PrepareRun()
	if err != nil {
		return nil, err
	}
	group.Go("apiserver", prepared.Run)
	return chain.GenericAPIServer.Handler, nil
}

func completeOptions(ctx context.Context, args []string) (apioptions.CompletedOptions, error) {
	s := apioptions.NewServerRunOptions()
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	named := s.Flags()
	globalflag.AddGlobalFlags(named.FlagSet("global"), "kube-apiserver", logs.SkipLoggingConfigurationFlags())
	for _, set := range named.FlagSets {
		flags.AddFlagSet(set)
	}
	var none apioptions.CompletedOptions
	if err := flags.Parse(args); err != nil {
		return none, err
	}
	registry := s.GenericServerRunOptions.ComponentGlobalsRegistry
	if err := registry.Set(); err != nil {
		return none, err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	if err := logsapi.ValidateAndApply(s.Logs, registry.FeatureGateFor("kube")); err != nil {
		return none, err
	}
	completed, err := s.Complete(ctx)
	if err != nil {
		return none, err
	}
	if errs := completed.Validate(); len(errs) != 0 {
		return none, utilerrors.NewAggregate(errs)
	}
	return completed, nil
}

func apiServerArgs(opts options.Server, advertise net.IP) []string {
	tls := opts.TLS
	defaults := map[string]string{
		"advertise-address":  advertise.String(),
		"allow-privileged":   "true",
		"anonymous-auth":     "false",
		"api-audiences":      "https://kubernetes.default.svc." + opts.ClusterDomain + ",k3s",
		"authorization-mode": "Node,RBAC",
		"bind-address":       "127.0.0.1",
		"cert-dir":           opts.TLS("temporary-certs"),
		"client-ca-file":     tls("client-ca.crt"),

		"enable-admission-plugins":           "NodeRestriction",
		"enable-aggregator-routing":          "true",
		"enable-bootstrap-token-auth":        "true",
		"etcd-cafile":                        tls("etcd/server-ca.crt"),
		"etcd-certfile":                      tls("etcd/client.crt"),
		"etcd-keyfile":                       tls("etcd/client.key"),
		"etcd-servers":                       etcdEndpoint,
		"kubelet-certificate-authority":      tls("server-ca.crt"),
		"kubelet-client-certificate":         tls("client-kube-apiserver.crt"),
		"kubelet-client-key":                 tls("client-kube-apiserver.key"),
		"kubelet-preferred-address-types":    "InternalIP,ExternalIP,Hostname",
		"profiling":                          "false",
		"proxy-client-cert-file":             tls("client-auth-proxy.crt"),
		"proxy-client-key-file":              tls("client-auth-proxy.key"),
		"requestheader-allowed-names":        "system:auth-proxy",
		"requestheader-client-ca-file":       tls("request-header-ca.crt"),
		"requestheader-extra-headers-prefix": "X-Remote-Extra-",
		"requestheader-group-headers":        "X-Remote-Group",
		"requestheader-username-headers":     "X-Remote-User",
		"secure-port":                        strconv.Itoa(apiPort),
		"service-account-issuer":             "https://kubernetes.default.svc." + opts.ClusterDomain,
		"service-account-key-file":           tls("service.key"),
		"service-account-signing-key-file":   tls("service.current.key"),
		"service-cluster-ip-range":           opts.ServiceCIDR,
		"service-node-port-range":            opts.ServiceNodePortRange,
		"storage-backend":                    "etcd3",
		"tls-cert-file":                      tls("serving-kube-apiserver.crt"),
		"tls-private-key-file":               tls("serving-kube-apiserver.key"),
	}
	if opts.SecretsEncryption {
		defaults["encryption-provider-config"] = opts.Cred("encryption-config.json")
		defaults["encryption-provider-config-automatic-reload"] = "true"
	}
	return process.Args(defaults, opts.APIServerArgs)
}
