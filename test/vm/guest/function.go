package main

import (
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/vfio"
)

// openFunction opens a port on the function at an address.
func openFunction(address string, options vfio.Options, cfg driver.Config) (*driver.Port, error) {
	at, err := pci.ParseAddress(address)
	if err != nil {
		return nil, err
	}
	fn, err := vfio.Open(at, options)
	if err != nil {
		return nil, err
	}
	device, err := vpci.Open(fn, vpci.Options{})
	if err != nil {
		return nil, err
	}
	return driver.Open(device, cfg)
}
