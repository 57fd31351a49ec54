package sysfs

import (
	"errors"
	"io/fs"
	"os"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Kind is which virtio interface a function has (virtio 1.4, 4.1.2).
type Kind int

const (
	// NotVirtio is a function that is no virtio device.
	NotVirtio Kind = iota
	// Modern has the interface of virtio 1.0 and later only.
	Modern
	// Transitional has both interfaces; a modern driver can use it.
	Transitional
	// Legacy has only the interface from before virtio 1.0, which this driver does not support.
	Legacy
	// Unclear is Transitional or Legacy: the capability list, which decides it, was not readable.
	Unclear
)

// String returns the name of the kind, "" for NotVirtio.
func (k Kind) String() string {
	switch k {
	case Modern:
		return "modern"
	case Transitional:
		return "transitional"
	case Legacy:
		return "legacy"
	case Unclear:
		return "transitional or legacy"
	}
	return ""
}

// PCI ids of virtio (4.1.2): transitional ids are listed, modern ones are 0x1040 plus the device
// type.
const (
	virtioVendor      = 0x1af4
	firstTransitional = 0x1000
	transitionalNet   = 0x1000
	firstModern       = 0x1040
	modernNet         = 0x1041
	lastModern        = 0x107f

	// commonConfig is the cfg_type of the structure that every modern interface has (4.1.4), in
	// byte 3 of its capability.
	commonConfig = 1
)

// kind distinguishes legacy from transitional by the capabilities, as 4.1.2.3 says. Linux shows
// them to root only: for others the kind is Unclear, and that is no fault.
func (s FS) kind(info Info) (Kind, error) {
	switch {
	case info.Vendor != virtioVendor || info.Device < firstTransitional || info.Device > lastModern:
		return NotVirtio, nil
	case info.Device >= firstModern:
		return Modern, nil
	}
	config, err := os.ReadFile(s.file(functionDir(info.Address) + "/config"))
	if err != nil {
		return Unclear, err
	}
	caps, err := pci.Capabilities(pci.ConfigSpace(config))
	if errors.Is(err, fs.ErrPermission) {
		return Unclear, nil
	}
	if err != nil {
		return Unclear, err
	}
	for c := range pci.Vendor(caps) {
		body, err := c.Read(pci.ConfigSpace(config))
		if err != nil {
			return Unclear, err
		}
		if len(body) > 3 && body[3] == commonConfig {
			return Transitional, nil
		}
	}
	return Legacy, nil
}
