// Package qemu starts guests: a q35 machine with the network functions a test
// asks for, a serial console that is kept for when something goes wrong, a QMP
// connection and the agent's channel. A machine ends with the test process,
// however that ends.
package qemu

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Config is a machine to start.
type Config struct {
	// Name is for people.
	Name string
	// Kernel and Initrd are files.
	Kernel, Initrd string
	// IOMMU puts an Intel IOMMU between functions and memory.
	IOMMU bool
	// MemoryMiB is the guest's memory. Functions whose frames go to a vhost-user
	// socket have it shared with the process that serves there.
	MemoryMiB int
	// CPUs is how many the guest has; 0: 2.
	CPUs int
	// NICs are the network functions, on the root bus from slot 2 on in this
	// order unless they say otherwise.
	NICs []NIC
	// Dir takes the machine's sockets and its console log.
	Dir string
}

// NIC is one virtio network function.
type NIC struct {
	// ID names the function for QMP and for [Machine.Address].
	ID string
	// MAC is the function's address.
	MAC string
	// Options are further properties of QEMU's virtio-net-pci, "packed=on,mq=on".
	Options string
	// Bus says what the function sits behind.
	Bus Bus
	// Net is where the function's frames go.
	Net Net
}

// Bus is what a function sits behind.
type Bus int

const (
	// Root is the root bus itself.
	Root Bus = iota
	// Port is a PCI Express port of its own: the function can be unplugged.
	Port
	// Bridge is a conventional PCI bridge that all such functions share, which
	// puts them into one IOMMU group.
	Bridge
)

// Net is the far end of a function. Exactly one field is set.
type Net struct {
	// Dgram is a pair of unix datagram sockets, one frame a datagram.
	Dgram *Dgram
	// Taps are open queues of one TAP interface, which stay the caller's.
	Taps []*os.File
	// VhostUser is a socket at which a vhost-user back end listens already. If it
	// ends, QEMU connects to the next one.
	VhostUser string
}

// Dgram names a pair of unix sockets.
type Dgram struct {
	// QEMU is where QEMU receives.
	QEMU string
	// Peer is where the test receives.
	Peer string
}

// KVM is the environment variable that, set to 1, has guests run under KVM.
// That is never chosen because /dev/kvm exists: on some machines it does and
// kernels hang.
const KVM = "VIRTIO_PMD_KVM"

// emulated is the CPU without KVM: everything there is but what makes kernels
// copy with byte-wise string instructions, which emulation does byte by byte.
const emulated = "max,-erms,-fsrm"

// tolerant has the guest's kernel not take a host that is busy elsewhere for a
// broken machine: a timer that is late at boot is a panic otherwise, and a
// virtual CPU that does not run for a while a lockup.
const tolerant = "no_timer_check nowatchdog rcupdate.rcu_cpu_stall_suppress=1"

// bridgeBus is the bus number that everything behind the one conventional
// bridge has as an identifier.
const bridgeBus = "conventional"

// arguments is QEMU's command line. Files it mentions by number are returned
// in the order of those numbers, from 3 on.
func (c *Config) arguments(qmp, channel, console string) ([]string, []*os.File) {
	accel, cpu := "tcg,thread=multi", emulated
	if os.Getenv(KVM) == "1" {
		accel, cpu = "kvm", "host"
	}
	line := "console=ttyS0 panic=-1 quiet loglevel=4 " + tolerant
	machine := "q35"
	if c.IOMMU {
		machine += ",kernel-irqchip=split"
		line += " intel_iommu=on"
	}
	if c.shares() {
		machine += ",memory-backend=" + sharedMemory
	}
	args := []string{
		"-name", c.Name, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-machine", machine, "-accel", accel, "-cpu", cpu, "-smp", strconv.Itoa(cmp.Or(c.CPUs, 2)),
		"-m", strconv.Itoa(c.MemoryMiB),
		"-kernel", c.Kernel, "-initrd", c.Initrd, "-append", line,
		"-serial", "file:" + console,
		"-chardev", "socket,id=qmp,path=" + qmp, "-mon", "chardev=qmp,mode=control",
		"-chardev", "socket,id=lab,path=" + channel,
	}
	if c.shares() {
		args = append(args, "-object", fmt.Sprintf("memory-backend-memfd,id=%s,size=%dM,share=on",
			sharedMemory, c.MemoryMiB))
	}
	if c.IOMMU {
		args = append(args, "-device", "intel-iommu,intremap=on,device-iotlb=on")
	}
	args = append(args,
		"-device", "virtio-serial-pci,id=serial,addr=1,disable-legacy=on"+c.platform(""),
		"-device", "virtserialport,chardev=lab,name="+portName)
	var files []*os.File
	for i := range c.NICs {
		var more []string
		more, files = c.nic(i, files)
		args = append(args, more...)
	}
	return args, files
}

// sharedMemory is the name of the guest's memory where others share it.
const sharedMemory = "memory"

// shares reports whether a vhost-user back end needs the guest's memory.
func (c *Config) shares() bool {
	return slices.ContainsFunc(c.NICs, func(n NIC) bool { return n.Net.VhostUser != "" })
}

// platform is the property that has a function's DMA go through the IOMMU,
// unless options say something about it.
func (c *Config) platform(options string) string {
	if !c.IOMMU || strings.Contains(options, "iommu_platform=") {
		return ""
	}
	return ",iommu_platform=on,ats=on"
}

// firstSlot is the slot of the first network function on the root bus.
const firstSlot = 2

// nic is the part of the command line for one network function.
func (c *Config) nic(i int, files []*os.File) ([]string, []*os.File) {
	n := &c.NICs[i]
	device := fmt.Sprintf("virtio-net-pci,id=%s,netdev=net-%s,mac=%s,romfile=", n.ID, n.ID, n.MAC)
	if !strings.Contains(n.Options, "disable-legacy=") {
		device += ",disable-legacy=on"
	}
	device += c.platform(n.Options)
	if n.Options != "" {
		device += "," + n.Options
	}
	netdev, files := n.netdev(files)
	args := []string{"-netdev", netdev}
	if socket := n.Net.VhostUser; socket != "" {
		args = append([]string{"-chardev", fmt.Sprintf("socket,id=vhost-%s,path=%s,reconnect=1", n.ID, socket)},
			args...)
	}
	slot := firstSlot + i
	switch n.Bus {
	case Root:
		device += fmt.Sprintf(",addr=%#x", slot)
	case Port:
		args = append(args, "-device",
			fmt.Sprintf("pcie-root-port,id=port-%s,chassis=%d,slot=%d,addr=%#x", n.ID,
				i+1, i+1, slot))
		device += ",bus=port-" + n.ID
	case Bridge:
		if c.firstBehindBridge() == i {
			args = append(args, "-device", fmt.Sprintf("pcie-pci-bridge,id=%s,addr=%#x",
				bridgeBus, slot))
		}
		device += fmt.Sprintf(",bus=%s,addr=%#x", bridgeBus, 1+i%30)
	}
	return append(args, "-device", device), files
}

// firstBehindBridge is the index of the function that brings the bridge along.
func (c *Config) firstBehindBridge() int {
	for i := range c.NICs {
		if c.NICs[i].Bus == Bridge {
			return i
		}
	}
	return -1
}

// netdev is the -netdev of a function, and files with what it uses of them.
func (n *NIC) netdev(files []*os.File) (string, []*os.File) {
	if d := n.Net.Dgram; d != nil {
		return fmt.Sprintf("dgram,id=net-%s,local.type=unix,local.path=%s,remote.type=unix,remote.path=%s",
			n.ID, d.QEMU, d.Peer), files
	}
	if n.Net.VhostUser != "" {
		return fmt.Sprintf("vhost-user,id=net-%s,chardev=vhost-%s", n.ID, n.ID), files
	}
	numbers := make([]string, 0, len(n.Net.Taps))
	for _, f := range n.Net.Taps {
		numbers = append(numbers, strconv.Itoa(firstFile+len(files)))
		files = append(files, f)
	}
	key := "fd"
	if len(numbers) > 1 {
		key = "fds"
	}
	return fmt.Sprintf("tap,id=net-%s,%s=%s,vhost=off", n.ID, key, strings.Join(numbers, ":")),
		files
}

// firstFile is the number of the first file that a child gets beside its
// standard streams.
const firstFile = 3
