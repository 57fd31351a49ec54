package main

import (
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/vfio"
)

// openFunction opens a port on the function at an address.
func openFunction(address string, options vfio.Options, cfg driver.Config) (*driver.Port, error) {
	return openAs(func(fn pci.Function) pci.Function { return fn }, address, options, cfg)
}

// openSilent opens a port whose driver is shown no interrupts of the function.
func openSilent(address string, options vfio.Options, cfg driver.Config) (*driver.Port, error) {
	return openAs(func(fn pci.Function) pci.Function { return silent{fn} }, address, options, cfg)
}

// openAs opens a port on what is made of the function at an address.
func openAs(show func(pci.Function) pci.Function, address string, options vfio.Options,
	cfg driver.Config) (*driver.Port, error) {
	at, err := pci.ParseAddress(address)
	if err != nil {
		return nil, err
	}
	fn, err := vfio.Open(at, options)
	if err != nil {
		return nil, err
	}
	device, err := vpci.Open(show(fn), vpci.Options{})
	if err != nil {
		return nil, err
	}
	return driver.Open(device, cfg)
}

// silent is a function whose interrupts are hidden.
type silent struct{ pci.Function }

// Vectors returns how many vectors are left: those for the removal of the function, which is
// the kernel's matter.
func (s silent) Vectors(kind pci.IRQ) (int, error) {
	if kind == pci.Removal {
		return s.Function.Vectors(kind)
	}
	return 0, nil
}
