// Package hostnet finds the addresses and interfaces of this host.
package hostnet

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// NodeIP chooses the node's address: the one that was configured, else that of the flannel interface,
// else that of the interface with the default route. Whether the host has a configured address is not asked here.
func NodeIP(configured []string, iface string) (net.IP, error) {
	if len(configured) > 0 {
		ip := net.ParseIP(configured[0])
		if ip == nil {
			return nil, fmt.Errorf("failed to get node name and addresses: invalid node-ip: invalid ip format '%s'", configured[0])
		}
		return ip, nil
	}
	if iface == "" {
		name, err := defaultRouteInterface()
		if err != nil {
			return nil, err
		}
		iface = name
	}
	return globalIPv4(iface)
}

// FlannelInterface is the named one, else the one with the default route.
func FlannelInterface(name string) (*net.Interface, error) {
	if name == "" {
		found, err := defaultRouteInterface()
		if err != nil {
			return nil, fmt.Errorf("failed to get default interface: %w", err)
		}
		name = found
	}
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("unable to find interface %s: %w", name, err)
	}
	return iface, nil
}

// FirstIPv4 is the address that the overlay network uses of an interface: the first, whichever the node has.
func FirstIPv4(iface *net.Interface) (net.IP, error) {
	addrs, err := iface.Addrs()
	if err != nil {
		return nil, err
	}
	for _, addr := range addrs {
		if network, ok := addr.(*net.IPNet); ok && network.IP.To4() != nil {
			return network.IP, nil
		}
	}
	return nil, fmt.Errorf("failed to find IPv4 address for interface %s", iface.Name)
}

func globalIPv4(name string) (net.IP, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("unable to find interface %s: %w", name, err)
	}
	addrs, err := iface.Addrs()
	if err != nil {
		return nil, err
	}
	var found []net.IP
	for _, addr := range addrs {
		network, ok := addr.(*net.IPNet)
		if ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			found = append(found, network.IP)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("interface %s does not have a correct global unicast ip", name)
	case 1:
		return found[0], nil
	default:
		return nil, fmt.Errorf("multiple global unicast addresses on interface %s: %v, set node-ip", name, found)
	}
}

// defaultRouteInterface reads the kernel's table: the default route with the lowest metric.
func defaultRouteInterface() (string, error) {
	file, err := os.Open("/proc/net/route")
	if err != nil {
		return "", err
	}
	defer file.Close()
	best, metric := "", int64(-1)
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		fields := strings.Fields(scanner.Text())
		if len(fields) < 8 || fields[1] != "00000000" || fields[7] != "00000000" {
			continue
		}
		if m, err := strconv.ParseInt(fields[6], 10, 64); err == nil && (metric < 0 || m < metric) {
			best, metric = fields[0], m
		}
	}
	if best == "" {
		return "", errors.New("no default routes found in \"/proc/net/route\" or \"/proc/net/ipv6_route\"")
	}
	return best, nil
}

// NthIP is the address at offset n of a network.
func NthIP(cidr string, n byte) (net.IP, error) {
	_, network, err := net.ParseCIDR(cidr)
	if err != nil {
		return nil, err
	}
	ip := append(net.IP{}, network.IP...)
	ip[len(ip)-1] += n
	return ip, nil
}

// HasAddress says whether an interface of this host has the address.
func HasAddress(ip net.IP) (bool, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false, err
	}
	for _, addr := range addrs {
		if network, ok := addr.(*net.IPNet); ok && network.IP.Equal(ip) {
			return true, nil
		}
	}
	return false, nil
}

// HasCapability says whether this process has a capability, by its number.
func HasCapability(number uint) bool {
	content, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	for _, line := range strings.Split(string(content), "\n") {
		value, ok := strings.CutPrefix(line, "CapEff:")
		if !ok {
			continue
		}
		raw, err := hex.DecodeString(strings.TrimSpace(value))
		if err != nil || len(raw) != 8 {
			return false
		}
		bit := number % 8
		return raw[7-number/8]&(1<<bit) != 0
	}
	return false
}
