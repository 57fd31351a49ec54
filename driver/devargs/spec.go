package devargs

import (
	"fmt"
	"io/fs"
	"net"
	"strconv"
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
	RxQueueSize int // descriptors, 0 if not given
	TxQueueSize int // descriptors, 0 if not given
	MTU         int // bytes, 0 if not given
	MAC         net.HardwareAddr
	NoIOMMU     bool

	// Allow and Refuse are the features that were given the values 1 and 0. Features
	// are allowed by default, and 1 does not require one.
	Allow, Refuse virtio.Features
}

// switches are the keys that allow or refuse one feature.
var switches = []struct {
	key     string
	feature virtio.Feature
}{
	{"packed", virtio.RingPacked},
	{"mrg_rxbuf", virtio.NetMrgRxbuf},
	{"in_order", virtio.InOrder},
	{"event_idx", virtio.RingEventIdx},
	{"indirect", virtio.RingIndirectDesc},
}

// String returns the port in its shortest form, keys in the order of the package
// comment. [Parse] makes the same Spec of it, except for Text.
func (s Spec) String() string {
	var b strings.Builder
	b.WriteString(s.Device())
	number := func(key string, v int) {
		if v != 0 {
			b.WriteString("," + key + "=" + strconv.Itoa(v))
		}
	}
	number("queues", s.Queues)
	number("rx_queue_size", s.RxQueueSize)
	number("tx_queue_size", s.TxQueueSize)
	for _, sw := range switches {
		switch {
		case s.Refuse.Has(sw.feature):
			b.WriteString("," + sw.key + "=0")
		case s.Allow.Has(sw.feature):
			b.WriteString("," + sw.key + "=1")
		}
	}
	if s.MAC != nil {
		b.WriteString(",mac=" + s.MAC.String())
	}
	number("mtu", s.MTU)
	number("record_limit", int(s.RecordLimit))
	s.writeImpairment(&b)
	if s.NoIOMMU {
		b.WriteString(",noiommu=1")
	}
	if s.Server {
		b.WriteString(",server=1")
	}
	if s.Client {
		b.WriteString(",server=0")
	}
	if s.ServerTimeout != 0 {
		b.WriteString(",server_timeout=" + s.ServerTimeout.String())
	}
	if s.SocketMode != 0 {
		fmt.Fprintf(&b, ",socket_mode=%04o", s.SocketMode)
	}
	if s.SocketGroup != "" {
		b.WriteString(",socket_group=" + s.SocketGroup)
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
