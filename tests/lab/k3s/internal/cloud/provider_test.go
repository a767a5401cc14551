package cloud

import (
	"context"
	"errors"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestANodeIsWhatItSays(t *testing.T) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker"}}
	if _, err := (instances{}).InstanceMetadata(context.Background(), node); !errors.Is(err, errSilent) {
		t.Errorf("got %v", err)
	}
	node.Annotations = map[string]string{
		"k3s.io/internal-ip": "10.77.0.11", "k3s.io/external-ip": "192.0.2.11,2001:db8::11", "k3s.io/hostname": "worker",
	}
	got, err := (instances{}).InstanceMetadata(context.Background(), node)
	if err != nil {
		t.Fatal(err)
	}
	want := []corev1.NodeAddress{
		{Type: "InternalIP", Address: "10.77.0.11"}, {Type: "ExternalIP", Address: "192.0.2.11"},
		{Type: "ExternalIP", Address: "2001:db8::11"}, {Type: "Hostname", Address: "worker"},
	}
	if got.ProviderID != "k3s://worker" || got.InstanceType != "k3s" || !reflect.DeepEqual(got.NodeAddresses, want) {
		t.Errorf("got %+v", got)
	}
}
