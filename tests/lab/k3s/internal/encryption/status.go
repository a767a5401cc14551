package encryption

import "k3srun.test/lab/k3s/internal/layout"

// Status is what `k3s secrets-encrypt status -o json` prints. Keys are named with their type before them.
type Status struct {
	Stage        string   `json:"stage"`
	ActiveKey    string   `json:"activekey"`
	Enable       *bool    `json:"enable,omitempty"`
	HashMatch    bool     `json:"hashmatch,omitempty"`
	HashError    string   `json:"hasherror,omitempty"`
	InactiveKeys []string `json:"inactivekeys,omitempty"`
}

// ReadStatus tells the state from the files below server/cred.
func ReadStatus(l layout.Layout) (Status, error) {
	s, err := read(l)
	if err != nil || s == nil {
		return Status{}, err
	}
	status := Status{Stage: s.stage, Enable: &s.enabled, HashMatch: s.matches}
	if !s.matches {
		status.HashError = "hash does not match between the configuration and the state"
	}
	kind := map[string]string{"aescbc": "AES-CBC ", "secretbox": "XSalsa20-POLY1305 "}[s.provider]
	for i, key := range s.keys {
		if i == 0 {
			status.ActiveKey = kind + key.Name
		} else {
			status.InactiveKeys = append(status.InactiveKeys, kind+key.Name)
		}
	}
	return status, nil
}
