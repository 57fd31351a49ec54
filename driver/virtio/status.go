package virtio

import "strings"

// Status is the device status field (2.1).
type Status uint8

// The bits of the device status field.
const (
	StatusAcknowledge Status = 1
	StatusDriver      Status = 2
	StatusDriverOK    Status = 4
	StatusFeaturesOK  Status = 8
	StatusNeedsReset  Status = 64
	StatusFailed      Status = 128
)

// Has reports whether every bit of b is set.
func (s Status) Has(b Status) bool { return s&b == b }

// String returns the names of the bits that are set, or "RESET" for zero.
func (s Status) String() string {
	if s == 0 {
		return "RESET"
	}
	var names []string
	for _, n := range []struct {
		bit  Status
		name string
	}{
		{StatusAcknowledge, "ACKNOWLEDGE"}, {StatusDriver, "DRIVER"},
		{StatusFeaturesOK, "FEATURES_OK"}, {StatusDriverOK, "DRIVER_OK"},
		{StatusNeedsReset, "DEVICE_NEEDS_RESET"}, {StatusFailed, "FAILED"},
	} {
		if s.Has(n.bit) {
			names = append(names, n.name)
			s &^= n.bit
		}
	}
	if s != 0 {
		names = append(names, "reserved bits")
	}
	return strings.Join(names, "|")
}

// MarshalText returns the names of the bits.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
