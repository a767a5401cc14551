// Package configfile turns config.yaml into command line arguments, by the merge rules of k3s:
// the file's values go before the caller's own arguments, so that scalars on the command line
// win and lists append; later drop-ins replace a key, and a key that ends in "+" appends.
package configfile

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"go.yaml.in/yaml/v2"
)

// Readers are the subcommands that read the file.
var Readers = []string{"server", "agent", "etcd-snapshot"}

// DefaultPath is read when neither --config nor K3S_CONFIG_FILE names another file.
const DefaultPath = "/etc/rancher/k3s/config.yaml"

// Parser knows which subcommands read the file, and which of them drop unknown keys.
type Parser struct {
	// Readers are the subcommands (argv[1]) that read the file.
	Readers []string
	// KnownFlags lists, for the subcommands that drop unknown keys with a warning, the names
	// of their flags without dashes. Other subcommands pass every key on and die of a wrong one.
	KnownFlags map[string][]string
	// Warn receives one line per dropped key.
	Warn func(format string, args ...any)
}

// Parse returns args (argv, with the program at 0) with the file's values inserted after the
// subcommand. A missing default file is fine; a missing file that was asked for is an error.
func (p Parser) Parse(args []string) ([]string, error) {
	at := p.insertAt(args)
	if at < 0 {
		return args, nil
	}
	path, asked := filePath(args[at:])
	values, err := Read(path)
	if os.IsNotExist(err) && !asked {
		return args, nil
	}
	if err != nil {
		return nil, err
	}
	values = p.dropUnknown(args[1], values)
	merged := append([]string{}, args[:at]...)
	merged = append(merged, values...)
	return append(merged, args[at:]...), nil
}

func (p Parser) insertAt(args []string) int {
	if len(args) < 2 {
		return -1
	}
	for _, reader := range p.Readers {
		if args[1] != reader {
			continue
		}
		// "etcd-snapshot save": the values belong to the second word.
		if reader == "etcd-snapshot" {
			if len(args) > 2 && !strings.HasPrefix(args[2], "-") {
				return 3
			}
			return -1
		}
		return 2
	}
	return -1
}

func (p Parser) dropUnknown(command string, values []string) []string {
	known, filtered := p.KnownFlags[command]
	if !filtered {
		return values
	}
	names := map[string]bool{}
	for _, name := range known {
		names[name] = true
	}
	var kept []string
	for _, value := range values {
		flag, _, _ := strings.Cut(value, "=")
		if names[strings.TrimLeft(flag, "-")] {
			kept = append(kept, value)
			continue
		}
		// The line break is k3s's own: the log shows it as \n.
		p.Warn("Unknown flag %s found in config.yaml, skipping\n", flag)
	}
	return kept
}

// filePath finds the file's path and whether it was asked for: the environment wins over the flag.
func filePath(args []string) (string, bool) {
	if path := os.Getenv("K3S_CONFIG_FILE"); path != "" {
		return path, true
	}
	if path, ok := Flag(args, "config", "c"); ok {
		return path, true
	}
	return DefaultPath, false
}

// Flag finds a string flag in arguments that were not parsed yet: "--name value" or "--name=value",
// or a short form. The last one wins.
func Flag(args []string, names ...string) (value string, found bool) {
	for i, arg := range args {
		for _, name := range names {
			dashed := "--" + name
			if len(name) == 1 {
				dashed = "-" + name
			}
			if arg == dashed && i+1 < len(args) {
				value, found = args[i+1], true
			}
			if v, ok := strings.CutPrefix(arg, dashed+"="); ok {
				value, found = v, true
			}
		}
	}
	return value, found
}

// Read merges a file with its drop-ins (PATH.d/*.yaml, *.yml, in the order of their names) and
// returns the result as flags. The file may be missing if there are drop-ins.
func Read(path string) ([]string, error) {
	files, err := dropIns(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err == nil {
		files = append([]string{path}, files...)
	} else if !os.IsNotExist(err) || len(files) == 0 {
		return nil, err
	}

	var order []string
	merged := map[string]any{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var items yaml.MapSlice
		if err := yaml.Unmarshal(content, &items); err != nil {
			return nil, err // without the file's name, as in k3s
		}
		for _, item := range items {
			key, appends := strings.CutSuffix(text(item.Key), "+")
			old, seen := merged[key]
			if !seen {
				order = append(order, key)
			}
			if seen && appends {
				merged[key] = append(list(old), list(item.Value)...)
			} else {
				merged[key] = item.Value
			}
		}
	}
	return flags(order, merged), nil
}

func flags(order []string, merged map[string]any) []string {
	var result []string
	for _, key := range order {
		prefix := "--"
		if len(key) == 1 {
			prefix = "-"
		}
		if values, ok := merged[key].([]any); ok {
			for _, value := range values {
				result = append(result, prefix+key+"="+text(value))
			}
			continue
		}
		result = append(result, prefix+key+"="+text(merged[key]))
	}
	return result
}

func dropIns(path string) ([]string, error) {
	entries, err := os.ReadDir(path + ".d")
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		ext := filepath.Ext(entry.Name())
		if !entry.IsDir() && (ext == ".yaml" || ext == ".yml") {
			files = append(files, filepath.Join(path+".d", entry.Name()))
		}
	}
	sort.Strings(files)
	return files, nil
}

func list(value any) []any {
	if values, ok := value.([]any); ok {
		return append([]any{}, values...)
	}
	return []any{value}
}

// text is how a YAML 1.1 value becomes a flag's value. What YAML has already made of an unquoted
// scalar (0640 is the number 416, "on" is true) can't be undone here.
func text(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}
