package main

import (
	"context"
	"fmt"
	"os/signal"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/vfio"
)

// portDoorbell sends every frame of a function back until SIGTERM, and then says
// how often it rang: ADDRESS [noiommu]. Of the doorbells that the function has,
// in memory and in an I/O port, the driver is shown those in the port only: it
// would take the others, because a port takes a system call.
func portDoorbell(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("portdoorbell ADDRESS [noiommu]")
	}
	address, err := pci.ParseAddress(args[0])
	if err != nil {
		return err
	}
	fn, err := vfio.Open(address, vfio.Options{NoIOMMU: len(args) > 1})
	if err != nil {
		return err
	}
	only := &portsOnly{Function: fn}
	if err := only.hide(); err != nil {
		return err
	}
	device, err := vpci.Open(only, vpci.Options{})
	if err != nil {
		return err
	}
	port, err := driver.Open(device, driver.Config{})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	fmt.Println("forwarding")
	for bufs := make([]*mbuf.Buf, 32); ctx.Err() == nil; {
		got := bufs[:port.RxQueue(0).Burst(bufs)]
		mbuf.Free(got[port.TxQueue(0).Burst(got):])
	}
	err = port.Close()
	fmt.Printf("rang %d times in a port, %d times in memory\n", only.inPort, only.inMemory)
	return err
}

// portsOnly is a function whose notification structures in memory are hidden.
type portsOnly struct {
	pci.Function
	hidden           map[int]bool // where their types are in configuration space
	inPort, inMemory int          // how often doorbells were rung
}

// hide looks for the structures.
func (f *portsOnly) hide() error {
	const notify, capType, capBAR = 2, 3, 4
	f.hidden = map[int]bool{}
	caps, err := pci.Capabilities(f.Function)
	if err != nil {
		return err
	}
	for c := range pci.Vendor(caps) {
		b, err := c.Read(f.Function)
		if err != nil {
			return err
		}
		if b[capType] == notify && !f.isPort(int(b[capBAR])) {
			f.hidden[c.Offset+capType] = true
		}
	}
	return nil
}

// isPort reports whether a BAR is in I/O space.
func (f *portsOnly) isPort(bar int) bool {
	v, err := f.Function.ReadConfig(pci.RegBAR0+4*bar, 4)
	return err == nil && v&1 != 0
}

// ReadConfig gives the hidden structures a type that drivers pass over.
func (f *portsOnly) ReadConfig(off, width int) (uint32, error) {
	v, err := f.Function.ReadConfig(off, width)
	for i := range width {
		if f.hidden[off+i] {
			v |= 0xff << (8 * i)
		}
	}
	return v, err
}

// Region returns the registers behind a BAR, whose doorbells are counted.
func (f *portsOnly) Region(bar int) (pci.Region, error) {
	r, err := f.Function.Region(bar)
	if err != nil {
		return nil, err
	}
	if f.isPort(bar) {
		return &counted{Region: r, rung: &f.inPort}, nil
	}
	return &counted{Region: r, rung: &f.inMemory}, nil
}

// counted is a region whose doorbells are counted.
type counted struct {
	pci.Region
	rung *int
}

// Doorbell returns a register that counts.
func (c *counted) Doorbell(off uint64, width int) (interface{ Ring(v uint32) }, error) {
	bell, err := c.Region.Doorbell(off, width)
	return &countedDoorbell{bell, c.rung}, err
}

// countedDoorbell belongs to the goroutine that polls.
type countedDoorbell struct {
	virtio.Doorbell
	rung *int
}

// Ring rings and counts.
func (d *countedDoorbell) Ring(v uint32) {
	*d.rung++
	d.Doorbell.Ring(v)
}
