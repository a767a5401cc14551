package process

import (
	"sort"
	"strings"
)

// Args builds a component's flags from defaults and the operator's "name=value" list. A name that is
// given replaces the default; "name+=value" appends to it and "name-=value" puts the value in front;
// a name that is given several times becomes a repeated flag.
func Args(defaults map[string]string, extra []string) []string {
	values := map[string][]string{}
	for name, value := range defaults {
		values[name] = []string{value}
	}
	replaced := map[string]bool{}
	for _, arg := range extra {
		name, value, found := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if !found {
			value = "true"
		}
		switch {
		case strings.HasSuffix(name, "+"):
			name = strings.TrimSuffix(name, "+")
			values[name] = joined(value, values[name], false)
		case strings.HasSuffix(name, "-"):
			name = strings.TrimSuffix(name, "-")
			values[name] = joined(value, values[name], true)
		case replaced[name]:
			values[name] = append(values[name], value)
		default:
			values[name] = []string{value}
			replaced[name] = true
		}
	}
	var args []string
	for name, list := range values {
		for _, value := range list {
			args = append(args, "--"+name+"="+value)
		}
	}
	sort.Strings(args)
	return args
}

func joined(value string, old []string, front bool) []string {
	if len(old) == 0 {
		return []string{value}
	}
	if front {
		return append([]string{value + "," + old[0]}, old[1:]...)
	}
	last := len(old) - 1
	return append(append([]string{}, old[:last]...), old[last]+","+value)
}
