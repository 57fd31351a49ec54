package devargs

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"log/slog"
	"net"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Cables joins emulated ports: emu:cable=NAME of two ports that were opened
// with the same Cables are the two ends of one wire.
type Cables = wire.Cables

// genFrame is the length of the frames of emu:gen, without checksum: that of
// testpmd's txonly.
const genFrame = 64

// defaultEmuQueueSize is the largest queue of an emulated device unless a larger
// one is asked for. Its buffers fit the second-level cache of today's cores.
const defaultEmuQueueSize = 256

// emulate makes a device in software and returns it as a PCI function.
func (s Spec) emulate(o Options) (*pcifn.Function, error) {
	backend, end, err := s.wire(o)
	if err != nil {
		return nil, err
	}
	if backend, err = s.impair(backend, end); err != nil {
		return nil, err
	}
	cfg := vdev.Config{
		Backend: backend, MAC: s.MAC, MTU: s.MTU, Pairs: max(s.Queues, 1), Logger: o.Logger,
		QueueSize: s.emuQueueSize(), Offer: s.offer(max(s.Queues, 1)),
		// Frames wait for the driver, unlike on a real wire: what is measured or
		// tested is the driver and not which side is faster.
		Hold: true,
	}
	if cfg.MAC == nil {
		cfg.MAC = s.ownMAC(end)
	}
	return pcifn.New(pcifn.Config{Address: s.Device(), Device: cfg})
}

// isVhost reports whether the wire of the emulated device ends in a socket.
func (s Spec) isVhost() bool { return s.Kind == Emu && s.Backend == "vhost" }

// vhost makes the far end of emu:vhost=SOCKET: a device with as many queues and
// the same MTU, whose frames wait for its driver as well.
func (s Spec) vhost(log *slog.Logger) (vdev.Backend, error) {
	w, err := vhostback.NewWire(s.Arg, vhostback.Config{
		Client: s.Client, SocketMode: s.SocketMode, SocketGroup: s.SocketGroup, Logger: log, Device: vdev.Config{
			Pairs: max(s.Queues, 1), MTU: s.MTU, MAC: s.ownMAC(1), QueueSize: virtio.MaxQueueSize, Hold: true,
		}})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// emuQueueSize returns the largest size of a queue of the emulated device: a power of
// two that is large enough for the sizes asked for.
func (s Spec) emuQueueSize() int {
	size := defaultEmuQueueSize
	for size < max(s.RxQueueSize, s.TxQueueSize) {
		size *= 2
	}
	return size
}

// ownMAC returns an address that is always the same for a device and differs between
// the devices of a command line: 02:65 and a hash of the text and of end, in which the
// two ends of a cable differ.
func (s Spec) ownMAC(end int) net.HardwareAddr {
	h := fnv.New32a()
	h.Write([]byte{byte(end)})
	h.Write([]byte(s.Device()))
	return binary.BigEndian.AppendUint32(net.HardwareAddr{0x02, 0x65}, h.Sum32())
}

// wire returns what the device is connected to; end is 1 for the second end of a
// cable.
func (s Spec) wire(o Options) (backend vdev.Backend, end int, err error) {
	switch s.Backend {
	case "gen":
		return wire.Gen(genFrame), 0, nil
	case "null":
		return wire.Null(), 0, nil
	case "loop":
		return wire.Loop(), 0, nil
	case "cable":
		return s.plug(o.Cables)
	case "tap":
		backend, err = wire.TAP(s.Arg)
	case "pcap":
		backend, err = s.capture(o.Logger)
	case "vhost":
		backend, err = s.vhost(o.Logger)
	default:
		err = errors.New("no back end " + s.Backend)
	}
	return backend, 0, err
}

// plug takes an end of the cable that s names.
func (s Spec) plug(cables *Cables) (vdev.Backend, int, error) {
	if cables == nil {
		return nil, 0, &Error{Port: s.Text, Value: s.Device(),
			Reason: "the other end cannot be found without Cables",
			Remedy: "open both ports with the same Options.Cables"}
	}
	end, err := cables.End(s.Arg)
	if err != nil {
		return nil, 0, &Error{Port: s.Text, Value: s.Device(),
			Reason: "both ends of this cable are taken", Remedy: "take another name"}
	}
	return end, end.Number(), nil
}
