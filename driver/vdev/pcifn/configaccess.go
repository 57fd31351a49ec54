package pcifn

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// ReadConfig reads configuration space. Of a function that was unplugged it returns
// the identifiers, and all ones elsewhere, as VFIO does.
func (f *Function) ReadConfig(off, width int) (uint32, error) {
	if err := f.configAccess(off, width); err != nil {
		return 0, err
	}
	v := allOnes(width)
	if f.removed.Load() {
		if off < pci.RegCommand {
			v = f.stored(off, width)
		}
	} else {
		if bar, at, n, ok := f.window(off, width, "read"); ok {
			v = f.read(bar, at, n)
		} else {
			v = f.stored(off, width)
		}
		if hook := f.hooks.Load().ReadConfig; hook != nil {
			v = hook(off, width, v) & allOnes(width)
		}
	}
	f.log.add(Access{BAR: ConfigSpace, Offset: uint64(off), Width: width, Value: v})
	return v, nil
}

// stored returns what configuration space holds.
func (f *Function) stored(off, width int) uint32 {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b [4]byte
	copy(b[:width], f.space.bytes[off:])
	return binary.LittleEndian.Uint32(b[:])
}

// WriteConfig writes configuration space. Read-only bits keep their value.
func (f *Function) WriteConfig(off, width int, v uint32) error {
	if err := f.configAccess(off, width); err != nil {
		return err
	}
	v &= allOnes(width)
	f.log.add(Access{BAR: ConfigSpace, Offset: uint64(off), Width: width, Value: v, Write: true})
	if f.removed.Load() {
		return nil
	}
	if hook := f.hooks.Load().WriteConfig; hook != nil {
		var pass bool
		if v, pass = hook(off, width, v); !pass {
			return nil
		}
	}
	if bar, at, n, ok := f.window(off, width, "written"); ok {
		f.write(bar, at, n, v)
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.store(off, width, v)
	return nil
}

func (f *Function) configAccess(off, width int) error {
	if err := f.checkPresent(); err != nil {
		return err
	}
	return pci.CheckConfigAccess(off, width, len(f.space.bytes))
}

// store changes the writable bits of configuration space. f.mu is held.
func (f *Function) store(off, width int, v uint32) {
	s := &f.space
	for i := off; i < off+width; i++ {
		mask, b := s.writable[i], byte(v>>(8*(i-off)))
		if b != s.bytes[i] && mask == 0 && i >= firstCapability {
			f.dev.Violate("pci/caps/8", -1, "configuration space at %#02x written, inside a capability", i)
		}
		s.bytes[i] = s.bytes[i]&^mask | b&mask
	}
	if off <= pci.RegCommand+1 && off+width > pci.RegCommand {
		f.dev.SetDMA(s.get16(pci.RegCommand)&pci.CommandBusMaster != 0)
	}
}

// window returns the register that an access to pci_cfg_data is for (4.1.4.9).
func (f *Function) window(off, width int, verb string) (bar int, at uint64, n int, ok bool) {
	c := f.space.caps[capPCI]
	if c == 0 || off < c+vendorCapLen || off >= c+vendorCapLen+4 {
		return 0, 0, 0, false
	}
	f.mu.Lock()
	bar, at, n = int(f.space.bytes[c+4]), uint64(f.space.get32(c+8)), int(f.space.get32(c+12))
	f.mu.Unlock()
	switch {
	case n == 0 && verb == "read":
		// A program that dumps the capability list reads here.
		return 0, 0, 0, false
	case n != 1 && n != 2 && n != 4 || at%uint64(n) != 0:
		f.dev.Violate("pci/cfgaccess/1", -1, "pci_cfg_data %s with length %d at offset %#x", verb, n, at)
		return 0, 0, 0, false
	case f.find(bar, at, n) == nil || f.find(bar, at, n).kind == msix:
		f.dev.Violate("pci/cfgaccess/2", -1, "pci_cfg_data %s for BAR %d, offset %#x, which no capability names", verb, bar, at)
		return 0, 0, 0, false
	case width < n:
		return 0, 0, 0, false
	}
	return bar, at, n, true
}
