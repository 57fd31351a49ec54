package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
)

// formerDir has one file for each function that devbind took from a driver of the kernel. It is
// empty after a reboot, as the kernel's choices are.
const formerDir = "/run/virtio-pmd/devbind"

// former is what a function was before devbind changed it.
type former struct {
	Driver   string   `json:"driver"`
	Override string   `json:"driver_override,omitempty"`
	Netdevs  []string `json:"netdevs,omitempty"`
	// The ids tell another function at the same address, after a hot-plug, apart.
	Vendor uint16 `json:"vendor"`
	Device uint16 `json:"device"`
}

func formerFile(a pci.Address) string { return formerDir + "/" + a.String() }

// remember stores the driver that a function is about to lose, unless a user space driver has it:
// then what is stored already counts.
func remember(f *files, info sysfs.Info) error {
	if info.Driver == "" || info.UserDriver() {
		return nil
	}
	text, err := json.Marshal(former{info.Driver, info.Override, info.Netdevs, info.Vendor, info.Device})
	if err != nil {
		return err
	}
	return f.put(formerFile(info.Address), append(text, '\n'))
}

// recall returns what a function was before. A file that is about another function, or that has
// something else in it, does not count; err says that it is the latter.
func recall(f *files, info sysfs.Info) (was former, ok bool, err error) {
	text, err := os.ReadFile(f.path(formerFile(info.Address)))
	if errors.Is(err, fs.ErrNotExist) {
		return former{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &was)
	}
	if err == nil && was.Driver == "" {
		err = errors.New("it names no driver")
	}
	if err != nil {
		return former{}, false, fmt.Errorf("%s cannot be read: %w", formerFile(info.Address), err)
	}
	if was.Vendor != info.Vendor || was.Device != info.Device {
		return former{}, false, nil
	}
	return was, true, nil
}

// formerOwner returns the function that had an interface before devbind took it from its driver.
func formerOwner(env environment, netdev string) (pci.Address, bool) {
	f := &files{root: env.fs.Root}
	entries, _ := os.ReadDir(f.path(formerDir))
	for _, entry := range entries {
		a, err := pci.ParseAddress(entry.Name())
		if err != nil {
			continue
		}
		info, err := env.fs.Function(a)
		if err != nil {
			continue
		}
		if was, ok, _ := recall(f, info); ok && slices.Contains(was.Netdevs, netdev) {
			return a, true
		}
	}
	return pci.Address{}, false
}
