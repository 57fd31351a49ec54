package pcifn

import "math/bits"

// kind is the kind of a structure.
type kind int

const (
	common kind = iota + 1
	notify
	isr
	deviceConfig
	msix
)

// cfg_type of the virtio capabilities (4.1.4).
const (
	capCommon = 1
	capNotify = 2
	capISR    = 3
	capDevice = 4
	capPCI    = 5
)

// structure is a range of registers in a BAR.
type structure struct {
	kind kind
	bar  int
	off  uint64
	size uint64
	mult uint64 // of notify: bytes between doorbells, 0 for one for all
}

// bar is a BAR of the function.
type bar struct {
	size  uint64 // 0: there is none
	flags uint32 // low bits of the register
	base  uint64
	upper bool // this register is the upper half of the one before
}

const (
	msixBAR   = 1
	portBAR   = 2
	modernBAR = 4

	commonOff = 0x0000
	isrOff    = 0x1000
	deviceOff = 0x2000
	notifyOff = 0x3000

	commonSize = 0x40
)

// Low bits of a BAR register.
const (
	barIO     = 1
	bar64     = 4
	barPrefet = 8
)

// layOut places the structures and sets the sizes of the BARs.
func (f *Function) layOut() {
	if n := uint64(f.cfg.Vectors); n > 0 {
		size := ceilPow2(n*16 + (n+63)/64*8)
		f.bars[msixBAR] = bar{size: max(size, 4096), base: 0xfebd_0000}
		f.structures = append(f.structures, structure{kind: msix, bar: msixBAR, size: size})
	}
	if f.cfg.LegacyOnly {
		f.bars[0] = bar{size: 64, flags: barIO, base: 0xc040}
		return
	}
	if f.cfg.PIONotify {
		f.bars[portBAR] = bar{size: 4, flags: barIO, base: 0xc000}
		f.structures = append(f.structures, structure{kind: notify, bar: portBAR, size: 4})
	}
	mult := uint64(f.cfg.NotifyMultiplier)
	notifySize := max(mult*uint64(f.dev.Queues()), 4)
	f.bars[modernBAR] = bar{size: ceilPow2(notifyOff + max(notifySize, 4096)), flags: bar64 | barPrefet, base: 0x80_0000_0000}
	f.bars[modernBAR+1] = bar{upper: true}
	f.structures = append(f.structures,
		structure{kind: common, bar: modernBAR, off: commonOff, size: commonSize},
		structure{kind: isr, bar: modernBAR, off: isrOff, size: 1},
		structure{kind: deviceConfig, bar: modernBAR, off: deviceOff, size: uint64(f.dev.ConfigSize())},
		structure{kind: notify, bar: modernBAR, off: notifyOff, size: notifySize, mult: mult})
}

func ceilPow2(n uint64) uint64 { return 1 << bits.Len64(n-1) }

// find returns the structure that an access of width bytes lies in.
func (f *Function) find(bar int, off uint64, width int) *structure {
	for i := range f.structures {
		s := &f.structures[i]
		if s.bar == bar && off >= s.off && off-s.off+uint64(width) <= s.size {
			return s
		}
	}
	return nil
}
