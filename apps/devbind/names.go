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
	// ghw lists the machine again, which is not needed: only its table of names
	// is. It fails as a whole without a pci.ids file.
	table, err := ghw.PCI(ghw.WithChroot("/"+strings.TrimPrefix(root, "/")), ghw.WithDisableTopology(), ghw.WithDisableWarnings())
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

// unknown is what ghw calls what it has no name for.
const unknown = "unknown"

// modalias spells the ids of a function as the kernel does, which is how ghw
// wants them.
func modalias(i sysfs.Info) string {
	return fmt.Sprintf("pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X",
		i.Vendor, i.Device, i.SubVendor, i.SubDevice, i.Class>>16, i.Class>>8&0xff, i.Class&0xff)
}
