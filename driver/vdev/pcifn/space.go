package pcifn

import (
	"encoding/binary"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

const (
	vendorVirtio = 0x1af4
	deviceModern = 0x1041 // 0x1040 + device type 1
	deviceLegacy = 0x1000

	regInterruptPin = 0x3d
	firstCapability = 0x40
	vendorCapLen    = 16
)

// configSpace is the configuration space of the function: what reads return,
// and which bits a write reaches.
type configSpace struct {
	bytes    [pci.ConfigSize]byte
	writable [pci.ConfigSize]byte
	caps     map[uint8]int // cfg_type to the offset of its first capability
	msix     int           // offset of the MSI-X capability, 0 if there is none
	next     int           // where the next capability goes
	link     int           // where its offset has to be written
}

func (s *configSpace) put16(off int, v uint16) { binary.LittleEndian.PutUint16(s.bytes[off:], v) }
func (s *configSpace) put32(off int, v uint32) { binary.LittleEndian.PutUint32(s.bytes[off:], v) }
func (s *configSpace) get16(off int) uint16    { return binary.LittleEndian.Uint16(s.bytes[off:]) }
func (s *configSpace) get32(off int) uint32    { return binary.LittleEndian.Uint32(s.bytes[off:]) }

// buildSpace writes the header and the capabilities.
func (f *Function) buildSpace() {
	s := &f.space
	s.caps, s.next, s.link = make(map[uint8]int), firstCapability, pci.RegCapabilities
	device, subsystem, revision := uint16(deviceModern), uint16(0x1100), byte(1)
	if f.cfg.Transitional || f.cfg.LegacyOnly {
		// The subsystem ID of a transitional function is its device type.
		device, subsystem, revision = deviceLegacy, 1, 0
	}
	s.put16(pci.RegVendorID, vendorVirtio)
	s.put16(pci.RegDeviceID, device)
	// As VFIO opens a function, and with bus mastering enabled, so that a driver
	// need not do that in tests of its upper layers.
	const command = pci.CommandIO | pci.CommandMemory | pci.CommandBusMaster
	s.put16(pci.RegCommand, command)
	binary.LittleEndian.PutUint16(s.writable[pci.RegCommand:], command|pci.CommandINTxDisable)
	s.put16(pci.RegStatus, pci.StatusCapabilities)
	s.bytes[pci.RegRevisionID] = revision
	s.bytes[pci.RegClass+2] = 2 // network controller, Ethernet
	s.put16(pci.RegSubVendorID, vendorVirtio)
	s.put16(pci.RegSubDeviceID, subsystem)
	s.bytes[regInterruptPin] = 1
	f.buildBARs()
	if !f.cfg.LegacyOnly {
		f.buildVirtioCaps()
	}
	if f.cfg.Vectors > 0 {
		f.buildMSIXCap()
	}
}

func (f *Function) buildBARs() {
	s := &f.space
	for i, b := range f.bars {
		reg := pci.RegBAR0 + 4*i
		switch {
		case b.upper:
			below := f.bars[i-1]
			s.put32(reg, uint32(below.base>>32))
			binary.LittleEndian.PutUint32(s.writable[reg:], uint32(^(below.size-1)>>32))
		case b.size > 0:
			s.put32(reg, uint32(b.base)|b.flags)
			binary.LittleEndian.PutUint32(s.writable[reg:], uint32(^(b.size - 1)))
		}
	}
}

// capability appends one to the list and returns its bytes.
func (s *configSpace) capability(id pci.CapabilityID, length int) (off int, body []byte) {
	off = s.next
	s.bytes[s.link] = byte(off)
	s.link, s.next = off+1, off+(length+3)&^3
	s.bytes[off] = byte(id)
	return off, s.bytes[off : off+length]
}

// buildVirtioCaps describes each structure in a vendor capability (4.1.4).
func (f *Function) buildVirtioCaps() {
	s := &f.space
	types := map[kind]uint8{common: capCommon, notify: capNotify, isr: capISR, deviceConfig: capDevice}
	for _, st := range f.structures {
		cfgType, ok := types[st.kind]
		if !ok {
			continue
		}
		length := vendorCapLen
		if st.kind == notify {
			length += 4
		}
		size := uint32(st.size)
		if st.kind == notify && st.bar == modernBAR && f.cfg.NotifyLength != 0 {
			size = f.cfg.NotifyLength
		}
		b := s.vendorCap(cfgType, length, st.bar, uint32(st.off), size)
		if st.kind == notify {
			binary.LittleEndian.PutUint32(b[vendorCapLen:], uint32(st.mult))
		}
	}
	b := s.vendorCap(capPCI, vendorCapLen+4, 0, 0, 0)
	off := s.caps[capPCI]
	// The driver writes bar, offset and length of this capability, and pci_cfg_data.
	for _, i := range []int{4, 8, 9, 10, 11, 12, 13, 14, 15} {
		s.writable[off+i] = 0xff
	}
	clear(b[vendorCapLen:])
}

func (s *configSpace) vendorCap(cfgType uint8, length, bar int, at, size uint32) []byte {
	off, b := s.capability(pci.CapabilityVendor, length)
	b[2], b[3], b[4] = byte(length), cfgType, byte(bar)
	binary.LittleEndian.PutUint32(b[8:], at)
	binary.LittleEndian.PutUint32(b[12:], size)
	if _, ok := s.caps[cfgType]; !ok {
		s.caps[cfgType] = off
	}
	return b
}

func (f *Function) buildMSIXCap() {
	s := &f.space
	off, b := s.capability(pci.CapabilityMSIX, 12)
	s.msix = off
	binary.LittleEndian.PutUint16(b[2:], uint16(f.cfg.Vectors-1))
	binary.LittleEndian.PutUint16(s.writable[off+2:], 0xc000)
	binary.LittleEndian.PutUint32(b[4:], msixBAR)
	binary.LittleEndian.PutUint32(b[8:], uint32(f.cfg.Vectors*16)|msixBAR)
}

// Capability returns where in configuration space the first virtio capability
// of a cfg_type is (1 common, 2 notify, 3 ISR, 4 device, 5 PCI), 0 if there is
// none. It is for tests that change it with [Function.Poke].
func (f *Function) Capability(cfgType uint8) int { return f.space.caps[cfgType] }

// Peek returns a copy of configuration space.
func (f *Function) Peek() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.space.bytes[:])
}

// Poke overwrites configuration space from off on, read-only bits too. It does not
// move the structures.
func (f *Function) Poke(off int, b ...byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if off >= 0 && off < len(f.space.bytes) {
		copy(f.space.bytes[off:], b)
	}
}
