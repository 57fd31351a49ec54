package pci

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Address identifies a function: domain, bus, device and function number. The zero value is the
// valid address 0000:00:00.0. Addresses are comparable.
type Address struct {
	// Domain is 16 bits wide by specification; Linux numbers the domains of
	// some host bridges above that, up to 32 bits.
	Domain   uint32
	Bus      uint8
	Device   uint8 // 0 to 31
	Function uint8 // 0 to 7
}

// ParseAddress reads "0000:00:03.0" or, for domain 0, "00:03.0", as lspci and sysfs write them.
// Anything else is an [AddressError].
func ParseAddress(s string) (Address, error) {
	fail := func(reason string) (Address, error) {
		return Address{}, &AddressError{Value: s, Reason: reason}
	}
	domain, rest := "0000", s
	if strings.Count(s, ":") == 2 {
		domain, rest, _ = strings.Cut(s, ":")
	}
	bus, rest, ok := strings.Cut(rest, ":")
	if !ok {
		return fail("no colon between bus and device")
	}
	device, function, ok := strings.Cut(rest, ".")
	if !ok {
		return fail("no dot between device and function")
	}
	var a Address
	for _, f := range []struct {
		name     string
		text     string
		min, max int // digits
		limit    uint64
		set      func(uint64)
	}{
		{"domain", domain, 4, 8, 0xffffffff, func(v uint64) { a.Domain = uint32(v) }},
		{"bus", bus, 2, 2, 0xff, func(v uint64) { a.Bus = uint8(v) }},
		{"device", device, 2, 2, 0x1f, func(v uint64) { a.Device = uint8(v) }},
		{"function", function, 1, 1, 7, func(v uint64) { a.Function = uint8(v) }},
	} {
		v, err := parseHex(f.text, f.min, f.max)
		if err != nil {
			return fail(f.name + " " + err.Error())
		}
		if v > f.limit {
			return fail(fmt.Sprintf("%s %#x is above %#x", f.name, v, f.limit))
		}
		f.set(v)
	}
	return a, nil
}

// parseHex reads between min and max hexadecimal digits and nothing else: strconv alone accepts a
// sign and an underscore.
func parseHex(s string, min, max int) (uint64, error) {
	if len(s) < min || len(s) > max {
		if min == max {
			return 0, fmt.Errorf("%q does not have %d hexadecimal digits", s, min)
		}
		return 0, fmt.Errorf("%q does not have %d to %d hexadecimal digits", s, min, max)
	}
	if strings.Trim(s, "0123456789abcdefABCDEF") != "" {
		return 0, fmt.Errorf("%q is not hexadecimal", s)
	}
	return strconv.ParseUint(s, 16, 64)
}

// String returns the form that sysfs uses: "0000:00:03.0".
func (a Address) String() string {
	return fmt.Sprintf("%04x:%02x:%02x.%x", a.Domain, a.Bus, a.Device, a.Function)
}

// Compare orders addresses as lspci lists them: negative when a comes before b.
func (a Address) Compare(b Address) int {
	return cmp.Or(
		cmp.Compare(a.Domain, b.Domain),
		cmp.Compare(a.Bus, b.Bus),
		cmp.Compare(a.Device, b.Device),
		cmp.Compare(a.Function, b.Function),
	)
}
