package vpci

import (
	"encoding/binary"
	"fmt"
	"log/slog"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// kind is the cfg_type of a virtio capability (4.1.4).
type kind uint8

const (
	commonKind kind = 1
	notifyKind kind = 2
	isrKind    kind = 3
	deviceKind kind = 4
)

// String names the structure.
func (k kind) String() string {
	switch k {
	case commonKind:
		return "common configuration"
	case notifyKind:
		return "notification"
	case isrKind:
		return "ISR status"
	case deviceKind:
		return "device configuration"
	}
	return fmt.Sprintf("type %d", uint8(k))
}

// needed returns the least length of a structure that can be used, and what its
// offset must be a multiple of.
func (k kind) needed() (length, align uint64) {
	switch k {
	case commonKind:
		return commonLen, 4
	case notifyKind:
		return 2, 2
	case deviceKind:
		return 1, 4
	}
	return 1, 1
}

// Layout of struct virtio_pci_cap (4.1.4), and of the one for notifications,
// which is longer by the multiplier.
const (
	capType       = 3
	capBAR        = 4
	capOffset     = 8
	capLength     = 12
	capLen        = 16
	capMultiplier = 16
	capNotifyLen  = 20
)

// capability is a virtio capability as the device wrote it: where it says that a
// structure is.
type capability struct {
	at             int // in configuration space
	kind           kind
	bar            int // 0 to 5
	offset, length uint32
	multiplier     uint32 // of notifyKind
}

// parseCapability reads the bytes of a vendor-specific capability. ok is false, with
// the reason, for those that a driver has to ignore: types it does not know, BARs
// that do not exist, and capabilities too short for their type. Longer ones are
// accepted.
func parseCapability(at int, b []byte) (c capability, reason string, ok bool) {
	if len(b) < capLen {
		return c, fmt.Sprintf("it has %d bytes of %d", len(b), capLen), false
	}
	c = capability{
		at:     at,
		kind:   kind(b[capType]),
		bar:    int(b[capBAR]),
		offset: binary.LittleEndian.Uint32(b[capOffset:]),
		length: binary.LittleEndian.Uint32(b[capLength:]),
	}
	if c.kind < commonKind || c.kind > deviceKind {
		return c, fmt.Sprintf("its type %d is not used here", b[capType]), false
	}
	if c.bar > 5 {
		return c, fmt.Sprintf("its BAR %d does not exist", c.bar), false
	}
	if c.kind == notifyKind {
		if len(b) < capNotifyLen {
			return c, fmt.Sprintf("it has %d bytes of %d", len(b), capNotifyLen), false
		}
		c.multiplier = binary.LittleEndian.Uint32(b[capMultiplier:])
	}
	return c, "", true
}

// virtioCapabilities returns the capabilities that describe structures, in the
// order of the list. none is true if there was no virtio capability at all.
func virtioCapabilities(fn pci.Function, caps []pci.Capability,
	log *slog.Logger) (found []capability, none bool, err error) {
	none = true
	for entry := range pci.Vendor(caps) {
		none = false
		b, err := entry.Read(fn)
		if err != nil {
			return nil, false, fmt.Errorf("%s: reading the capability at %#02x: %w", fn.Address(),
				entry.Offset, err)
		}
		c, reason, ok := parseCapability(entry.Offset, b)
		if !ok {
			log.Debug("virtio capability ignored", "function", fn.Address(), "at", entry.Offset,
				"reason", reason)
			continue
		}
		found = append(found, c)
	}
	return found, none, nil
}
