package main

import (
	"fmt"
	"strings"

	"github.com/jaypipes/ghw"

	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
)

// names returns a function that names PCI functions for people. Names come from
// a pci.ids file; on a machine without one a virtio network device is still
// called that and the others have none.
func names(root string) func(sysfs.Info) string {
	// Only the table of names is needed, although ghw lists the machine again. It
	// fails without a pci.ids file.
	table, err := ghw.PCI(ghw.WithChroot("/"+strings.TrimPrefix(root, "/")),
		ghw.WithDisableTopology(), ghw.WithDisableWarnings())
	return func(info sysfs.Info) string {
		fallback := ""
		if info.VirtioNet() {
			fallback = "virtio network device"
		}
		if err != nil {
			return fallback
		}
		device := table.ParseDevice(info.Address.String(), modalias(info))
		if device == nil || device.Product.Name == unknown || device.Product.Name == "" {
			return fallback
		}
		return device.Vendor.Name + " " + device.Product.Name
	}
}

// unknown is the name that ghw returns if it has none.
const unknown = "unknown"

// modalias returns the ids of a function in the kernel's form, which ghw expects.
func modalias(i sysfs.Info) string {
	return fmt.Sprintf("pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X",
		i.Vendor, i.Device, i.SubVendor, i.SubDevice, i.Class>>16, i.Class>>8&0xff, i.Class&0xff)
}
