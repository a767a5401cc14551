// flannel is the CNI plugin that turns flannel's subnet file into a configuration of the bridge plugin.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"

	"k3srun.test/lab/k3s/internal/layout"
)

// stateDir keeps what was given to the bridge, for the same container's removal.
const stateDir = "/var/lib/cni/flannel"

type config struct {
	types.NetConf
	Delegate map[string]any `json:"delegate"`
}

func main() {
	skel.PluginMainFuncs(skel.CNIFuncs{Add: add, Check: check, Del: del}, version.All, "flannel (k3s-compatible test distribution)")
}

func add(args *skel.CmdArgs) error {
	var conf config
	if err := json.Unmarshal(args.StdinData, &conf); err != nil {
		return err
	}
	subnet, err := readSubnet(layout.SubnetFile)
	if err != nil {
		return fmt.Errorf("failed to load flannel 'subnet.env' file: %w. Check the flannel pod log for this node", err)
	}
	bridge, err := json.Marshal(bridgeConfig(conf, subnet))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(statePath(args), bridge, 0o600); err != nil {
		return err
	}
	result, err := invoke.DelegateAdd(context.Background(), "bridge", bridge, nil)
	if err != nil {
		return err
	}
	return result.Print()
}

func check(args *skel.CmdArgs) error {
	bridge, err := os.ReadFile(statePath(args))
	if err != nil {
		return err
	}
	return invoke.DelegateCheck(context.Background(), "bridge", bridge, nil)
}

func del(args *skel.CmdArgs) error {
	bridge, err := os.ReadFile(statePath(args))
	if os.IsNotExist(err) {
		return nil // nothing was made, or it is gone already
	}
	if err != nil {
		return err
	}
	if err := invoke.DelegateDel(context.Background(), "bridge", bridge, nil); err != nil {
		return err
	}
	return os.Remove(statePath(args))
}

func statePath(args *skel.CmdArgs) string { return filepath.Join(stateDir, args.ContainerID) }

func bridgeConfig(conf config, subnet map[string]string) map[string]any {
	bridge := map[string]any{}
	for key, value := range conf.Delegate {
		bridge[key] = value
	}
	bridge["type"], bridge["name"], bridge["cniVersion"] = "bridge", conf.Name, conf.CNIVersion
	bridge["ipMasq"] = subnet["FLANNEL_IPMASQ"] != "true"
	bridge["isGateway"] = true
	if mtu, err := strconv.Atoi(subnet["FLANNEL_MTU"]); err == nil {
		bridge["mtu"] = mtu
	}
	bridge["ipam"] = map[string]any{
		"type":   "host-local",
		"ranges": [][]map[string]string{{{"subnet": subnet["FLANNEL_SUBNET"]}}},
		"routes": []map[string]string{{"dst": subnet["FLANNEL_NETWORK"]}},
	}
	return bridge
}

func readSubnet(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	values := map[string]string{}
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if key, value, ok := strings.Cut(scanner.Text(), "="); ok {
			values[key] = value
		}
	}
	// The file has the bridge's own address; the address manager wants the network.
	_, network, err := net.ParseCIDR(values["FLANNEL_SUBNET"])
	if err != nil {
		return nil, err
	}
	values["FLANNEL_SUBNET"] = network.String()
	return values, scanner.Err()
}
