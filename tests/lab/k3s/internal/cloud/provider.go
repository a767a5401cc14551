// Package cloud is what k3s has in the place of a cloud: a provider that believes what nodes say of themselves in their
// annotations. With it a node has its addresses, its type, and no taint of an unknown one.
package cloud

import (
	"context"
	"errors"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	cloudprovider "k8s.io/cloud-provider"

	"k3srun.test/lab/k3s/internal/nodeconfig"
)

// Name is the provider's, and the type of its instances.
const Name = "k3s"

// errSilent is the state of a node between its registration and its first words.
var errSilent = errors.New("address annotations not yet set")

func init() {
	cloudprovider.RegisterCloudProvider(Name, func(io.Reader) (cloudprovider.Interface, error) { return provider{}, nil })
}

// provider has instances and nothing else.
type provider struct{}

func (provider) Initialize(cloudprovider.ControllerClientBuilder, <-chan struct{}) {}
func (provider) LoadBalancer() (cloudprovider.LoadBalancer, bool)                  { return nil, false }
func (provider) Instances() (cloudprovider.Instances, bool)                        { return nil, false }
func (provider) InstancesV2() (cloudprovider.InstancesV2, bool)                    { return instances{}, true }
func (provider) Zones() (cloudprovider.Zones, bool)                                { return nil, false }
func (provider) Clusters() (cloudprovider.Clusters, bool)                          { return nil, false }
func (provider) Routes() (cloudprovider.Routes, bool)                              { return nil, false }
func (provider) ProviderName() string                                              { return Name }
func (provider) HasClusterID() bool                                                { return true }

type instances struct{}

func (instances) InstanceExists(context.Context, *corev1.Node) (bool, error)   { return true, nil }
func (instances) InstanceShutdown(context.Context, *corev1.Node) (bool, error) { return false, nil }

func (instances) InstanceMetadata(_ context.Context, node *corev1.Node) (*cloudprovider.InstanceMetadata, error) {
	internal := node.Annotations[nodeconfig.InternalIP]
	if internal == "" {
		return nil, errSilent
	}
	metadata := &cloudprovider.InstanceMetadata{ProviderID: Name + "://" + node.Name, InstanceType: Name}
	add := func(kind corev1.NodeAddressType, list string) {
		for _, address := range strings.Split(list, ",") {
			if address != "" {
				metadata.NodeAddresses = append(metadata.NodeAddresses, corev1.NodeAddress{Type: kind, Address: address})
			}
		}
	}
	add(corev1.NodeInternalIP, internal)
	add(corev1.NodeExternalIP, node.Annotations[nodeconfig.ExternalIP])
	add(corev1.NodeHostName, node.Annotations[nodeconfig.Hostname])
	return metadata, nil
}
