package image

import (
	"bufio"
	"encoding/json"
	"os"
	"path"
)

// Content says what goes into an initial file system.
type Content struct {
	// Init is the binary that is process 1.
	Init string
	// Commands are binaries, put into /bin under their own names.
	Commands []string
	// Modules are names of kernel modules to load, with what they depend on.
	Modules []string
	// NoIOMMU has the vfio module with no-IOMMU mode take the place of the
	// kernel package's own, switched on.
	NoIOMMU bool
	// Hugepages is the number of 2 MiB pages the guest reserves.
	Hugepages int
}

// Write makes the initial file system in the file named to.
func (k *Kernel) Write(to string, c Content) error {
	files := map[string]File{}
	setup := Setup{Hugepages: c.Hugepages}
	order, err := k.modules.closure(c.Modules)
	if err != nil {
		return err
	}
	for _, name := range order {
		m := Module{Path: "/lib/modules/" + name + ".ko"}
		from := k.modules[name]
		if name == "vfio" && c.NoIOMMU {
			from, m.Parameters = k.NoIOMMU, "enable_unsafe_noiommu_mode=1"
		}
		setup.Modules = append(setup.Modules, m)
		if err := add(files, m.Path, from, 0o644); err != nil {
			return err
		}
	}
	if err := add(files, "/init", c.Init, 0o755); err != nil {
		return err
	}
	for _, from := range c.Commands {
		if err := add(files, "/bin/"+path.Base(from), from, 0o755); err != nil {
			return err
		}
	}
	raw, err := json.Marshal(setup)
	if err != nil {
		return err
	}
	files[SetupPath] = File{Mode: 0o644, Data: raw}
	return save(to, files)
}

// add reads a file of this machine.
func add(files map[string]File, name, from string, mode uint32) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	files[name] = File{Mode: mode, Data: data}
	return nil
}

// save writes the archive.
func save(to string, files map[string]File) error {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	err = writeArchive(w, files)
	if err == nil {
		err = w.Flush()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
