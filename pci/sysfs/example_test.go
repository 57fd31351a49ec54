package sysfs_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs/sysfstest"
)

// The virtio network functions of a machine and what uses them. sysfs.FS{} is this machine; the
// examples have a temporary tree and a model of the kernel.
func ExampleFS_Functions() {
	bound := sysfstest.VirtioNet("0000:00:04.0", 0x1041)
	bound.Driver, bound.Group = "vfio-pci", 12
	machine, remove := exampleMachine(sysfstest.VirtioNet("0000:00:03.0", 0x1041, "eth0"), bound)
	defer remove()

	infos, err := machine.FS().Functions()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, info := range infos {
		if info.VirtioNet() {
			fmt.Println(info.Address, info.Kind, info.Driver, info.Netdevs)
		}
	}
	// Output:
	// 0000:00:03.0 modern virtio-pci [eth0]
	// 0000:00:04.0 modern vfio-pci []
}

// A plan says what would be written; Apply writes it.
func ExampleFS_Bind() {
	function := sysfstest.VirtioNet("0000:00:03.0", 0x1041, "eth0")
	function.Group = 7 // its IOMMU group
	machine, remove := exampleMachine(function)
	defer remove()

	address, err := pci.ParseAddress("00:03.0")
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := machine.FS().Bind("vfio-pci", address)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, change := range plan {
		fmt.Printf("# %s: %s -> %s\n", change.Address, change.From, change.To)
		for _, w := range change.Writes {
			fmt.Printf("echo %s > %s\n", w.Value, w.Path)
		}
	}

	if err := machine.FS().Apply(context.Background(), plan); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("# bound to", machine.Driver("0000:00:03.0"))
	// Output:
	// # 0000:00:03.0: virtio-pci -> vfio-pci
	// echo 0000:00:03.0 > /sys/bus/pci/drivers/virtio-pci/unbind
	// echo vfio-pci > /sys/bus/pci/devices/0000:00:03.0/driver_override
	// echo 0000:00:03.0 > /sys/bus/pci/drivers/vfio-pci/bind
	// # bound to vfio-pci
}

// A driver or a function that does not exist is found before anything is written.
func ExampleError() {
	machine, remove := exampleMachine(sysfstest.VirtioNet("0000:00:03.0", 0x1041))
	defer remove()

	_, err := machine.FS().Bind("vfio_pci", pci.Address{Device: 3})
	fmt.Println(err)
	_, err = machine.FS().Bind("vfio-pci", pci.Address{Device: 9})
	fmt.Println(errors.Is(err, fs.ErrNotExist))

	var e *sysfs.Error
	if errors.As(err, &e) {
		fmt.Println(e.Device, "-", e.Remedy)
	}
	// Output:
	// find driver "vfio_pci": the kernel has no such PCI driver; did you mean "vfio-pci"?
	// true
	// 0000:00:09.0 - devbind status --all lists those there are
}
