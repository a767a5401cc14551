package encryption

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
	"k8s.io/component-base/metrics/legacyregistry"

	"k3srun.test/lab/k3s/internal/events"
	"k3srun.test/lab/k3s/internal/options"
)

// The stages of a change of keys.
const (
	stagePrepare  = "prepare"
	stageRotate   = "rotate"
	stageActive   = "reencrypt_active"
	stageFinished = "reencrypt_finished"
	// stageRotateKeys is asked for, but never noted: it is all the others in one.
	stageRotateKeys = "rotate_keys"
)

// reloadTimeout is how long the API server may take to read its configuration again.
const reloadTimeout = time.Minute

// Request is what the command asks of the server. Exactly one of Stage and Enable is set.
type Request struct {
	Stage  string `json:"stage,omitempty"`
	Enable *bool  `json:"enable,omitempty"`
	Force  bool   `json:"force,omitempty"`
	Skip   bool   `json:"skip,omitempty"`
}

// Changer works on the configuration of a running server.
type Changer struct {
	Opts     options.Server
	NodeName string
	Client   kubernetes.Interface
	// Store saves the changed files in the datastore: without that the next start would refuse them.
	Store func(context.Context) error
}

// Change does what was asked. What has to be written again in the datastore is, before or after it returns, as in k3s.
func (c Changer) Change(ctx context.Context, request Request) error {
	s, err := read(c.Opts.Layout)
	if err != nil {
		return err
	}
	if s == nil {
		return fmt.Errorf("secrets encryption is not enabled: no configuration file found")
	}
	if request.Enable != nil {
		return c.toggle(ctx, s, *request.Enable)
	}
	allowed := map[string][]string{
		stagePrepare: {"start", stageFinished}, stageRotate: {stagePrepare}, stageActive: {stageRotate},
		stageRotateKeys: {"start", stageFinished},
	}[request.Stage]
	if allowed == nil {
		return fmt.Errorf("unknown stage %s requested", request.Stage)
	}
	if !slices.Contains(allowed, s.stage) && !request.Force {
		return fmt.Errorf("incorrect stage: %s found on node %s", s.stage, c.NodeName)
	}
	switch request.Stage {
	case stagePrepare:
		if err := s.addDatedKey(); err != nil {
			return err
		}
		s.keys = append(s.keys[1:], s.keys[0])
		return c.write(ctx, s, stagePrepare)
	case stageRotate:
		last := len(s.keys) - 1
		s.keys = append([]key{s.keys[last]}, s.keys[:last]...)
		return c.write(ctx, s, stageRotate)
	case stageActive:
		if err := c.write(ctx, s, stageActive); err != nil {
			return err
		}
		go c.later(func(ctx context.Context) error { return c.finish(ctx, s, request.Skip) })
		return nil
	default:
		return c.rotateKeys(ctx, s)
	}
}

func (c Changer) rotateKeys(ctx context.Context, s *state) error {
	before := reloads()
	if err := s.addDatedKey(); err != nil {
		return err
	}
	logrus.Infof("Rotating secrets-encryption %s keys\n", s.provider)
	if err := c.write(ctx, s, stageActive); err != nil {
		return err
	}
	if err := awaitReload(ctx, before); err != nil {
		return err
	}
	return c.finish(ctx, s, false)
}

// toggle puts the plain provider before or after the encrypting one. Secrets follow as they are written.
func (c Changer) toggle(ctx context.Context, s *state, enable bool) error {
	if s.enabled == enable {
		return nil
	}
	logrus.Info(map[bool]string{true: "Enabling secrets encryption", false: "Disabling secrets encryption"}[enable])
	s.enabled = enable
	if err := c.write(ctx, s, s.stage); err != nil {
		return err
	}
	go c.later(c.reencrypt)
	return nil
}

func (c Changer) write(ctx context.Context, s *state, stage string) error {
	s.stage = stage
	if err := s.write(c.Opts.Layout); err != nil {
		return err
	}
	return c.Store(ctx)
}

// finish writes all Secrets with the first key and drops the others.
func (c Changer) finish(ctx context.Context, s *state, keepKeys bool) error {
	if err := c.reencrypt(ctx); err != nil {
		return err
	}
	if !keepKeys {
		for _, old := range s.keys[1:] {
			logrus.Infof("Removing %s key:  Name: %s, Secret: [REDACTED]", s.provider, old.Name)
		}
		s.keys = s.keys[:1]
	}
	return c.write(ctx, s, stageFinished)
}

func (c Changer) later(work func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := work(ctx); err != nil {
		logrus.Errorf("Failed to reencrypt secrets: %v", err)
	}
}

func (c Changer) reencrypt(ctx context.Context) error {
	count := 0
	list := metav1.ListOptions{Limit: 100}
	for {
		page, err := c.Client.CoreV1().Secrets(metav1.NamespaceAll).List(ctx, list)
		if err != nil {
			return err
		}
		for _, secret := range page.Items {
			if err := c.rewrite(ctx, &secret); err != nil {
				return fmt.Errorf("failed to update secret %s/%s: %w", secret.Namespace, secret.Name, err)
			}
			count++
		}
		if list.Continue = page.Continue; list.Continue == "" {
			break
		}
	}
	recorder, flush := events.Recorder(c.Client, "secrets-reencrypt")
	defer flush()
	recorder.Eventf(events.Node(c.NodeName), corev1.EventTypeNormal, "SecretsUpdateComplete", "reencrypted %d secrets", count)
	return nil
}

func (c Changer) rewrite(ctx context.Context, secret *corev1.Secret) error {
	secrets := c.Client.CoreV1().Secrets(secret.Namespace)
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		_, err := secrets.Update(ctx, secret, metav1.UpdateOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if apierrors.IsConflict(err) {
			if fresh, err := secrets.Get(ctx, secret.Name, metav1.GetOptions{}); err == nil {
				secret = fresh
			}
		}
		return err
	})
}

// awaitReload waits until the API server of this process has read its configuration again. It looks by itself.
func awaitReload(ctx context.Context, before float64) error {
	for deadline := time.Now().Add(reloadTimeout); reloads() <= before; {
		if time.Now().After(deadline) {
			return fmt.Errorf("the API server has not reloaded its encryption config within %s", reloadTimeout)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	logrus.Infof("encryption config reloaded successfully %.0f times", reloads())
	return nil
}

func reloads() float64 {
	families, err := legacyregistry.DefaultGatherer.Gather()
	if err != nil {
		return 0
	}
	total := 0.0
	for _, family := range families {
		if family.GetName() != "apiserver_encryption_config_controller_automatic_reloads_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "status" && label.GetValue() == "success" {
					total += metric.GetCounter().GetValue()
				}
			}
		}
	}
	return total
}
