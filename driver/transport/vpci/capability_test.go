package vpci_test

import (
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// insert puts a vendor-specific capability before all others, at 0xc0 or above.
func insert(fn *pcifn.Function, at int, cfgType, bar byte, offset, length uint32, more ...byte) {
	first := fn.Peek()[pci.RegCapabilities]
	b := []byte{byte(pci.CapabilityVendor), first, byte(16 + len(more)), cfgType, bar, 0, 0, 0,
		byte(offset), byte(offset >> 8), byte(offset >> 16), byte(offset >> 24),
		byte(length), byte(length >> 8), byte(length >> 16), byte(length >> 24)}
	fn.Poke(at, append(b, more...)...)
	fn.Poke(pci.RegCapabilities, byte(at))
}

// Capability structures that a driver has to accept.
func TestUnusualCapabilities(t *testing.T) {
	for name, spoil := range map[string]func(*pcifn.Function){
		"pci/caps/1 reserved types are ignored": func(fn *pcifn.Function) {
			for i, cfgType := range []byte{0, 6, 7, 10} {
				insert(fn, 0xc0+16*i, cfgType, modernBAR, 0, 0x1000)
			}
		},
		"pci/caps/1 the type 255 is ignored": func(fn *pcifn.Function) {
			insert(fn, 0xc0, 255, 0, 1, 1)
		},
		"pci/vendor/2 vendor data is ignored": func(fn *pcifn.Function) {
			insert(fn, 0xc0, 9, 0xff, 0xffffffff, 0xffffffff)
		},
		"pci/caps/3 longer capabilities": func(fn *pcifn.Function) {
			for c := byte(capCommon); c <= capDevice; c++ {
				at := fn.Capability(c)
				fn.Poke(at+fieldLen, fn.Peek()[at+fieldLen]+16)
			}
		},
		"pci/caps/4 reserved BARs are ignored": func(fn *pcifn.Function) {
			insert(fn, 0xc0, capCommon, 6, 0, 0x1000)
			insert(fn, 0xd0, capDevice, 0xff, 0, 0x1000)
		},
		"pci/caps/6 unexpectedly large lengths": func(fn *pcifn.Function) {
			for c := byte(capCommon); c <= capDevice; c++ {
				put32(fn, fn.Capability(c)+fieldLength, 0xffff0000)
			}
		},
		"basic/config/4 device configuration of 1 MiB": func(fn *pcifn.Function) {
			put32(fn, fn.Capability(capDevice)+fieldLength, 1<<20)
		},
		"fault/39 capabilities shorter than their type": func(fn *pcifn.Function) {
			insert(fn, 0xc0, capNotify, modernBAR, notifyOff, 0x1000) // without a multiplier
			insert(fn, 0xd0, capCommon, modernBAR, 0x40, 0x1000)
			fn.Poke(0xd0+fieldLen, 15)
		},
		"fault/43 the next capability of a type if the first is invalid": func(fn *pcifn.Function) {
			insert(fn, 0xc0, capCommon, modernBAR, 0xfffff000, 0x1000) // beyond the BAR
			insert(fn, 0xd0, capDevice, 0, 0, 0x1000)                  // no such BAR
			insert(fn, 0xe0, capISR, modernBAR, 0x1000, 0)             // too short
		},
		"fault/41 common configuration without the later registers": func(fn *pcifn.Function) {
			put32(fn, fn.Capability(capCommon)+fieldLength, 56)
		},
		"no ISR status": func(fn *pcifn.Function) { fn.Poke(fn.Capability(capISR)+fieldType, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			fn := function(t, pcifn.Config{})
			spoil(fn)
			d := open(t, fn)
			bringUp(t, d, features)
			var mac [6]byte
			if err := d.ReadConfig(virtio.NetConfigMAC, 1, mac[:]); err != nil ||
				mac != [6]byte{2, 0, 0, 0, 0, 1} {
				t.Errorf("MAC %x, %v", mac, err)
			}
		})
	}
}

// Structures that cannot be used: the device is refused with the numbers.
func TestBrokenStructuresAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil     func(*pcifn.Function)
		structure string
		text      string
	}{
		"fault/40 beyond its BAR": {func(fn *pcifn.Function) {
			put32(fn, fn.Capability(capCommon)+fieldOffset, 0x100000)
		}, "common configuration",
			"offset 0x100000, length 0x40; needed 0x38, BAR size 0x4000): it lies outside its BAR"},
		"fault/40 across the end of its BAR": {func(fn *pcifn.Function) {
			put32(fn, fn.Capability(capCommon)+fieldOffset, 0x4000-0x34)
		}, "common configuration", "it lies outside its BAR"},
		"fault/40 offset and length overflow": {func(fn *pcifn.Function) {
			put32(fn, fn.Capability(capCommon)+fieldOffset, 0xfffffff0)
			put32(fn, fn.Capability(capCommon)+fieldLength, 0xffffffff)
		}, "common configuration", "it lies outside its BAR"},
		"fault/40 no such BAR": {func(fn *pcifn.Function) {
			fn.Poke(fn.Capability(capNotify)+fieldBAR, 0)
		}, "notification", "BAR 0: the function has no such BAR"},
		"fault/41 pci/caps/7 common configuration too short": {func(fn *pcifn.Function) {
			put32(fn, fn.Capability(capCommon)+fieldLength, 55)
		}, "common configuration", "it is too short"},
		"fault/41 notification too short": {func(fn *pcifn.Function) {
			put32(fn, fn.Capability(capNotify)+fieldLength, 1)
		}, "notification", "it is too short"},
		"fault/41 empty device configuration": {func(fn *pcifn.Function) {
			put32(fn, fn.Capability(capDevice)+fieldLength, 0)
		}, "device configuration", "it is too short"},
		"misaligned common configuration": {func(fn *pcifn.Function) {
			put32(fn, fn.Capability(capCommon)+fieldOffset, 2)
		}, "common configuration", "not a multiple of 4"},
		"fault/42 ISR status inside common configuration": {func(fn *pcifn.Function) {
			put32(fn, fn.Capability(capISR)+fieldOffset, 0x3f)
		}, "ISR status", "overlaps the common configuration structure at 0x0 to 0x3f"},
		"fault/42 device configuration over ISR status": {func(fn *pcifn.Function) {
			put32(fn, fn.Capability(capDevice)+fieldOffset, 0xff0)
			put32(fn, fn.Capability(capDevice)+fieldLength, 0x11)
		}, "device configuration", "overlaps the ISR status structure at 0x1000 to 0x1000"},
		"fault/42 doorbells over the MSI-X table": {func(fn *pcifn.Function) {
			fn.Poke(fn.Capability(capNotify)+fieldBAR, 1)
			put32(fn, fn.Capability(capNotify)+fieldOffset, 0)
		}, "notification", "overlaps the MSI-X table at 0x0"},
		"fault/42 doorbells over the MSI-X pending bits": {func(fn *pcifn.Function) {
			fn.Poke(fn.Capability(capNotify)+fieldBAR, 1)
			put32(fn, fn.Capability(capNotify)+fieldOffset, 4*16)
		}, "notification", "overlaps the MSI-X pending bits"},
		"fault/42 cut to nothing": {func(fn *pcifn.Function) {
			put32(fn, fn.Capability(capCommon)+fieldLength, 0xffff0000)
			put32(fn, fn.Capability(capISR)+fieldOffset, 0x20)
		}, "common configuration", "only 0x20 bytes are left before the next structure"},
		"fault/36 odd multiplier": {func(fn *pcifn.Function) {
			put32(fn, fn.Capability(capNotify)+fieldMult, 3)
		}, "notification", "notify_off_multiplier is 3"},
		"no common configuration": {func(fn *pcifn.Function) {
			fn.Poke(fn.Capability(capCommon)+fieldType, 0)
		}, "common configuration", "no capability describes it"},
		"pci/caps/4 reserved BAR in the only one": {func(fn *pcifn.Function) {
			fn.Poke(fn.Capability(capNotify)+fieldBAR, 6)
		}, "notification", "no capability describes it"},
	} {
		t.Run(name, func(t *testing.T) {
			fn := function(t, pcifn.Config{})
			c.spoil(fn)
			_, err := vpci.Open(fn, vpci.Options{})
			e := as[*vpci.Error](t, err)
			if e.Field != c.structure+" structure" || e.Remedy == "" ||
				!strings.Contains(err.Error(), c.text) {
				t.Errorf("%v", err)
			}
			untouched(t, fn)
		})
	}
}

func TestBrokenCapabilityListsAreRefused(t *testing.T) {
	t.Run("fault/37 loop", func(t *testing.T) {
		fn := function(t, pcifn.Config{})
		fn.Poke(fn.Capability(capDevice)+1, byte(fn.Capability(capCommon)))
		_, err := vpci.Open(fn, vpci.Options{})
		if e := as[*pci.Error](t, err); !strings.Contains(e.Reason, "loop") {
			t.Errorf("%v", err)
		}
		untouched(t, fn)
	})
	for name, pointer := range map[string]byte{
		"fault/38 pointer into the header": 0x10,
		"fault/38 unaligned pointer":       0x42,
		"fault/38 end of the space":        0xfc,
	} {
		t.Run(name, func(t *testing.T) {
			fn := function(t, pcifn.Config{})
			fn.Poke(0xfc, byte(pci.CapabilityVendor), 0, 20, capCommon)
			fn.Poke(pci.RegCapabilities, pointer)
			_, err := vpci.Open(fn, vpci.Options{})
			if e := as[*pci.Error](t, err); e.Field != "capability list" {
				t.Errorf("%v", err)
			}
			untouched(t, fn)
		})
	}
}

// pci/caps/2: the structure in I/O space comes first in the list, but each
// write there is a system call; it is used when there is no other.
func TestMemoryIsPreferredToPorts(t *testing.T) {
	rung := func(t *testing.T, fn *pcifn.Function) int {
		d := open(t, fn)
		bringUp(t, d, features)[1].Doorbell.Ring(1)
		for _, a := range log(fn) {
			if a.Register == "notify" {
				return a.BAR
			}
		}
		t.Fatal("no doorbell was rung")
		return -1
	}
	t.Run("both", func(t *testing.T) {
		fn := function(t, pcifn.Config{PIONotify: true})
		if bar := rung(t, fn); bar != modernBAR {
			t.Errorf("the doorbell is in BAR %d", bar)
		}
	})
	t.Run("ports only", func(t *testing.T) {
		fn := function(t, pcifn.Config{PIONotify: true, NotifyOff: func(int) uint16 { return 0 }})
		fn.Poke(pci.RegCommand, 0)
		caps, err := pci.Capabilities(fn)
		must(t, err)
		for c := range pci.Vendor(caps) {
			if at := c.Offset; fn.Peek()[at+fieldType] == capNotify &&
				fn.Peek()[at+fieldBAR] == modernBAR {
				fn.Poke(at+fieldType, 0)
			}
		}
		if bar := rung(t, fn); bar != 2 {
			t.Errorf("the doorbell is in BAR %d", bar)
		}
		if fn.Peek()[pci.RegCommand]&byte(pci.CommandIO) == 0 {
			t.Error("the function does not answer at its ports")
		}
	})
}

// pci/caps/8: of configuration space only the command register is written.
func TestCapabilitiesAreNotWritten(t *testing.T) {
	fn, d := emulate(t, pcifn.Config{})
	bringUp(t, d, features)
	reset(t, d)
	must(t, d.Close())
	for _, a := range fn.Log() {
		if a.BAR == pcifn.ConfigSpace && a.Write && a.Offset != pci.RegCommand {
			t.Errorf("written: %v", a)
		}
	}
}
