package sysfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// FS is the sysfs of one machine. The zero value is that of this machine. Its methods may be called
// from several goroutines, but two calls of [FS.Apply] must not change the same function.
type FS struct {
	// Root is the directory that contains sys; "" means "/".
	Root string
	// WriteFile writes value to the file at path, an absolute path that does not contain Root. nil
	// writes the file below Root. It is for models of the kernel, which changes other files when
	// one is written.
	WriteFile func(path, value string) error
}

const (
	devicesDir  = "/sys/bus/pci/devices"
	driversDir  = "/sys/bus/pci/drivers"
	groupsDir   = "/sys/kernel/iommu_groups"
	iommusDir   = "/sys/class/iommu"
	probeFile   = "/sys/bus/pci/drivers_probe"
	noIOMMUFile = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
)

// file returns the path of a file below Root.
func (s FS) file(path string) string { return filepath.Join("/", s.Root, path) }

// read returns the contents of a file without white space around it.
func (s FS) read(path string) (string, error) {
	b, err := os.ReadFile(s.file(path))
	return strings.TrimSpace(string(b)), err
}

// readHex reads a file such as "0x1af4".
func (s FS) readHex(path string, bits int) (uint64, error) {
	text, err := s.read(path)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(strings.TrimPrefix(text, "0x"), 16, bits)
	if err != nil {
		return 0, formatError(path, text)
	}
	return v, nil
}

// readInt reads a decimal number, or returns missing when there is no file.
func (s FS) readInt(path string, missing int) (int, error) {
	text, err := s.read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return missing, nil
	}
	if err != nil {
		return 0, err
	}
	v, err := strconv.Atoi(text)
	if err != nil {
		return 0, formatError(path, text)
	}
	return v, nil
}

// link returns the last element of the target of a symbolic link, "" if there is no link.
func (s FS) link(path string) (string, error) {
	target, err := os.Readlink(s.file(path))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return filepath.Base(target), nil
}

// exists reports whether there is a file at path, as far as this process may see it.
func (s FS) exists(path string) bool {
	_, err := os.Stat(s.file(path))
	return err == nil
}

// names lists a directory in ascending order; one that does not exist is empty.
func (s FS) names(path string) ([]string, error) {
	entries, err := os.ReadDir(s.file(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// addresses lists the functions whose directories or links are in path.
func (s FS) addresses(path string) ([]pci.Address, error) {
	names, err := s.names(path)
	if err != nil {
		return nil, err
	}
	var all []pci.Address
	for _, name := range names {
		// Other buses share IOMMU groups with PCI: their names are not addresses.
		if a, err := pci.ParseAddress(name); err == nil {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, pci.Address.Compare)
	return all, nil
}

func functionDir(a pci.Address) string { return devicesDir + "/" + a.String() }

func driverDir(name string) string { return driversDir + "/" + name }
