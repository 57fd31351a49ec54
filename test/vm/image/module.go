package image

import (
	"debug/elf"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// modules is the kernel's module files by name, with underscores for dashes as
// the kernel itself names them.
type modules map[string]string

// findModules lists the module files below dir.
func findModules(dir string) (modules, error) {
	found := modules{}
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name, ok := strings.CutSuffix(e.Name(), ".ko"); ok && !e.IsDir() {
			found[canonical(name)] = p
		}
		return nil
	})
	return found, err
}

// canonical is the name the kernel uses.
func canonical(name string) string { return strings.ReplaceAll(name, "-", "_") }

// closure lists wanted modules and what they depend on, each after what it
// needs.
func (m modules) closure(wanted []string) ([]string, error) {
	var order []string
	seen := map[string]bool{}
	var visit func(name string) error
	visit = func(name string) error {
		name = canonical(name)
		if seen[name] {
			return nil
		}
		seen[name] = true
		file, ok := m[name]
		if !ok {
			return fmt.Errorf("image: no module %q in the kernel package", name)
		}
		needs, err := depends(file)
		if err != nil {
			return err
		}
		for _, n := range needs {
			if err := visit(n); err != nil {
				return err
			}
		}
		order = append(order, name)
		return nil
	}
	for _, name := range wanted {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// depends reads which other modules a module says it needs.
func depends(file string) ([]string, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, fmt.Errorf("image: module %s: %w", file, err)
	}
	defer func() { _ = f.Close() }()
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("image: module %s has no .modinfo", file)
	}
	info, err := section.Data()
	if err != nil {
		return nil, fmt.Errorf("image: module %s: %w", file, err)
	}
	for _, field := range strings.Split(string(info), "\x00") {
		if list, ok := strings.CutPrefix(field, "depends="); ok && list != "" {
			return strings.Split(list, ","), nil
		}
	}
	return nil, nil
}
