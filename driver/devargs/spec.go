package devargs

import (
	"io/fs"
	"net"
	"strings"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Kind says how a port reaches its device.
type Kind int

const (
	// PCI is a function bound to vfio-pci.
	PCI Kind = iota
	// Emu is a device in software inside this process.
	Emu
	// VhostUser is a device behind a vhost-user socket.
	VhostUser
)

// Spec is the parsed text of a port. [Parse] makes valid ones.
type Spec struct {
	Text string // as the command line gave it
	Kind Kind

	Address pci.Address // of a PCI port
	Backend string      // of an Emu port: gen, null, loop, cable, tap, pcap or vhost
	Arg     string      // what follows "=" in cable=, tap=, pcap= and vhost=; pcap: see [wire.CaptureFiles]
	Socket  string      // of a VhostUser port: the path
	Server  bool        // of a VhostUser port: listen on the socket
	Client  bool        // of an emu:vhost port: connect to the socket

	ServerTimeout time.Duration // of a vhost-user server: the wait for the first back end, 0 for no limit
	SocketMode    fs.FileMode   // of a socket that is listened on, 0 for what the umask leaves
	SocketGroup   string        // of a socket that is listened on: a name or a number, "" if not given
	RecordLimit   int64         // of an emu:pcap port: bytes that it records, 0 for no limit

	// Impair is what happens to the frames that an emu:cable or emu:loop port receives.
	Impair wire.ImpairConfig

	Queues      int // queue pairs, 0 if not given
	Pairs       int // of them, those that the device uses at first, 0 for all
	RxQueueSize int // descriptors, 0 if not given
	TxQueueSize int // descriptors, 0 if not given
	MTU         int // bytes, 0 if not given
	MAC         net.HardwareAddr
	NoIOMMU     bool

	// Promiscuous and AllMulticast are nil if they were not given.
	Promiscuous, AllMulticast *bool
	VLANs                     []uint16           // that pass the filter, nil for no filter
	RSS                       virtio.HashTypes   // packets that are spread by their hash, 0 for none
	RSSKey                    []byte             // nil for a random one
	RSSTable                  []uint16           // nil for all queues in turn
	Hash                      bool               // hashes are reported
	InnerHash                 virtio.TunnelTypes // tunnels inside which they are computed, 0 for none
	MACs                      []net.HardwareAddr // that pass the filter beside the port's own
	Offloads                  Offload            // that the device has to have
	Interrupts                bool               // queues can interrupt
	Coalesce                  *driver.Coalescing // nil if not given

	// Allow and Refuse are the features that were given the values 1 and 0. Features
	// are allowed by default, and 1 does not require one.
	Allow, Refuse virtio.Features
}

// String returns the port in its shortest form, keys in the order of the package
// comment. [Parse] makes the same Spec of it, except for Text.
func (s Spec) String() string {
	var b strings.Builder
	b.WriteString(s.Device())
	for k := range keys {
		if value := k.text(&s); value != "" {
			b.WriteString("," + k.name + "=" + value)
		}
	}
	return b.String()
}

// Device returns the port without its keys: "0000:00:03.0", "emu:cable=left".
func (s Spec) Device() string {
	switch s.Kind {
	case PCI:
		return s.Address.String()
	case VhostUser:
		return "vhost-user:" + escape(s.Socket)
	}
	if s.Arg == "" {
		return "emu:" + s.Backend
	}
	arg := s.Arg
	if !s.isCapture() {
		arg = escape(arg)
	}
	return "emu:" + s.Backend + "=" + arg
}

// RxRing returns how many descriptors a receive queue has at most.
func (s Spec) RxRing() int { return s.ring(s.RxQueueSize) }

// TxRing returns how many descriptors a transmit queue has at most.
func (s Spec) TxRing() int { return s.ring(s.TxQueueSize) }

func (s Spec) ring(size int) int {
	switch {
	case size != 0:
		return size
	case s.Kind == Emu:
		return s.emuQueueSize()
	}
	return driver.DefaultQueueSize
}
