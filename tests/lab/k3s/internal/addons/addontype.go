package addons

import "encoding/json"

// packagedType is the CustomResourceDefinition of addons.k3s.cattle.io.
func packagedType() ([]byte, error) {
	text := map[string]any{"type": "string"}
	return json.Marshal(map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "addons.k3s.cattle.io"},
		"spec": map[string]any{
			"group": "k3s.cattle.io", "scope": "Namespaced",
			"names": map[string]any{"kind": "Addon", "plural": "addons", "singular": "addon"},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object",
					"properties": map[string]any{"spec": map[string]any{
						"type": "object", "properties": map[string]any{"source": text, "checksum": text},
					}},
				}},
				"additionalPrinterColumns": []any{
					map[string]any{"name": "Source", "type": "string", "jsonPath": ".spec.source"},
					map[string]any{"name": "Checksum", "type": "string", "jsonPath": ".spec.checksum"},
				},
			}},
		},
	})
}
