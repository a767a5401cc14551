package addons

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

var addonResource = schema.GroupVersionResource{Group: "k3s.cattle.io", Version: "v1", Resource: "addons"}

// cluster applies and deletes objects of any kind.
type cluster struct {
	dynamic dynamic.Interface
	mapper  *restmapper.DeferredDiscoveryRESTMapper
}

func newCluster(config *rest.Config) (*cluster, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	discovery, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	return &cluster{dynamic: client, mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(discovery))}, nil
}

func (c *cluster) apply(ctx context.Context, manifest []byte, addon string) error {
	return c.each(manifest, func(client dynamic.ResourceInterface, object *unstructured.Unstructured) error {
		_, err := client.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: "deploy@k3s", Force: true})
		if err != nil {
			name := types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}
			err = fmt.Errorf("failed to update %s %s for  %s/%s: %w", name, object.GroupVersionKind(), metav1.NamespaceSystem, addon, err)
		}
		return err
	})
}

func (c *cluster) remove(ctx context.Context, addon string, manifest []byte) error {
	err := c.dynamic.Resource(addonResource).Namespace(metav1.NamespaceSystem).Delete(ctx, addon, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil // it was never deployed, or is gone
	}
	if err != nil {
		return err
	}
	return c.each(manifest, func(client dynamic.ResourceInterface, object *unstructured.Unstructured) error {
		policy := metav1.DeletePropagationBackground
		err := client.Delete(ctx, object.GetName(), metav1.DeleteOptions{PropagationPolicy: &policy})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
}

func (c *cluster) each(manifest []byte, do func(dynamic.ResourceInterface, *unstructured.Unstructured) error) error {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(object.Object) == 0 {
			continue
		}
		client, err := c.clientFor(object)
		if err != nil {
			return err
		}
		if err := do(client, object); err != nil {
			return err
		}
	}
}

func (c *cluster) clientFor(object *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := object.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		c.mapper.Reset()
		mapping, err = c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return c.dynamic.Resource(mapping.Resource), nil
	}
	namespace := object.GetNamespace()
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	return c.dynamic.Resource(mapping.Resource).Namespace(namespace), nil
}

// ensureAddonType defines the kind that records what was deployed from which file.
func (c *cluster) ensureAddonType(ctx context.Context) error {
	content, err := packagedType()
	if err != nil {
		return err
	}
	logrus.Info("Creating embedded CRD addons.k3s.cattle.io")
	if err := c.apply(ctx, content, "addons"); err != nil {
		return err
	}
	for {
		_, err := c.dynamic.Resource(addonResource).List(ctx, metav1.ListOptions{Limit: 1})
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// recordAddon notes that a file is deployed. It returns the note, which events are about.
func (c *cluster) recordAddon(ctx context.Context, name, source string, content []byte) (*corev1.ObjectReference, error) {
	sum := sha256.Sum256(content)
	addon := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "k3s.cattle.io/v1", "kind": "Addon",
		"metadata": map[string]any{"name": name, "namespace": metav1.NamespaceSystem},
		"spec":     map[string]any{"source": source, "checksum": hex.EncodeToString(sum[:])},
	}}
	written, err := c.dynamic.Resource(addonResource).Namespace(metav1.NamespaceSystem).
		Apply(ctx, name, addon, metav1.ApplyOptions{FieldManager: "deploy@k3s", Force: true})
	if err != nil {
		return nil, err
	}
	return &corev1.ObjectReference{
		APIVersion: "k3s.cattle.io/v1", Kind: "Addon", Namespace: metav1.NamespaceSystem, Name: name, UID: written.GetUID(),
	}, nil
}
