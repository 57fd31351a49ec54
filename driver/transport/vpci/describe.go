package vpci

import (
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Describe implements transport.Describer.
func (d *Device) Describe() (kind string, details []transport.Detail) {
	details = append(details, transport.Detail{Name: "function", Value: d.fn.Address()})
	if id, err := d.fn.ReadConfig(0, 4); err == nil {
		revision, _ := d.fn.ReadConfig(8, 1)
		details = append(details, transport.Detail{Name: "identity",
			Value: fmt.Sprintf("vendor %#04x, device %#04x, revision %d", id&0xffff, id>>16, revision)})
	}
	interrupts := string(d.interrupts.mode)
	switch n, err := d.fn.Vectors(pci.MSIX); {
	case err != nil:
	case d.interrupts.mode == byMSIX:
		interrupts += fmt.Sprintf(", %d vectors, configuration %d", n, configVector)
	case n > 0:
		interrupts += fmt.Sprintf(", %d MSI-X vectors not used", n)
	}
	details = append(details, transport.Detail{Name: "interrupts", Value: interrupts})
	addresses := "chosen by the driver, behind an IOMMU"
	if d.fn.DMA().Physical {
		addresses = "physical: no IOMMU confines the device"
	}
	return "PCI", append(details, transport.Detail{Name: "addresses", Value: addresses})
}

// QueueVector implements transport.Describer.
func (d *Device) QueueVector(q int) int {
	if d.write16(regQueueSelect, uint16(q)) != nil {
		return -1
	}
	v, err := d.read16(regQueueVector)
	if err != nil || v == virtio.NoVector {
		return -1
	}
	return int(v)
}
