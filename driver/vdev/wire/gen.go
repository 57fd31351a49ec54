package wire

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
)

// GenConfig says what a Generator sends.
type GenConfig struct {
	// Sizes are the lengths of the frames in bytes, without the checksum that a
	// wire adds: 60 to 65553, one after the other and over again. Empty: 64.
	Sizes []int
	// Limit is how many frames each queue pair gets; 0: no end.
	Limit uint64
	// Src and Dst are the MAC addresses in the frames; nil: 02:00:00:00:00:aa
	// and 02:00:00:00:00:01, which is what a device has by default.
	Src, Dst net.HardwareAddr
}

// Generator is a wire on which numbered frames arrive as fast as the driver
// takes them, and that counts and discards what is transmitted.
//
// Each is a valid UDP packet from 198.18.0.1 to 198.19.0.1, two addresses set
// aside for benchmarks. Its source port is 1024 plus the number of the queue pair it
// is for; all pairs in use get as much as they take. The payload begins
// with the number of the frame on its pair, from 0 on: see [SeqFrame].
type Generator struct {
	cfg     GenConfig
	streams []*stream
	sent    atomic.Uint64
	sink    Sink
}

// genPort is the UDP source port of the frames of pair 0.
const genPort = 1024

const (
	etherIPv4  = 0x0800
	protoUDP   = 17
	udpHeaders = etherHeader + 20 + 8
	minGen     = 60
	genSlots   = 128 // frames that are ready for each pair
)

// stream is what one queue pair gets.
type stream struct {
	slots [genSlots][]byte
	next  uint64 // number of the next frame
}

// Gen returns a Generator of frames of one size; 0: 64 bytes.
func Gen(size int) *Generator {
	cfg := GenConfig{}
	if size != 0 {
		cfg.Sizes = []int{size}
	}
	return NewGenerator(cfg)
}

// NewGenerator returns a Generator. Wrong sizes or addresses are reported when a
// device is made with it.
func NewGenerator(cfg GenConfig) *Generator {
	if len(cfg.Sizes) == 0 {
		cfg.Sizes = []int{64}
	}
	if cfg.Src == nil {
		cfg.Src = net.HardwareAddr{2, 0, 0, 0, 0, 0xaa}
	}
	if cfg.Dst == nil {
		cfg.Dst = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	}
	return &Generator{cfg: cfg}
}

// Attach implements [vdev.Backend].
func (g *Generator) Attach(func()) error {
	for _, n := range g.cfg.Sizes {
		if n < minGen || n > maxFrame-vlanTag {
			return &vdev.Error{Op: "generator", Field: "Gen", Value: n,
				Reason: fmt.Sprintf("a frame has %d to %d bytes", minGen, maxFrame-vlanTag)}
		}
	}
	if len(g.cfg.Src) != 6 || len(g.cfg.Dst) != 6 {
		return &vdev.Error{Op: "generator", Field: "Gen", Value: fmt.Sprint(g.cfg.Src, g.cfg.Dst),
			Reason: "an address has 6 bytes"}
	}
	return nil
}

// Transmit implements [vdev.Backend]: it takes everything.
func (g *Generator) Transmit(pair int, frames [][]byte) int { return g.sink.Transmit(pair, frames) }

// Traits implements [vdev.Backend].
func (g *Generator) Traits() vdev.Traits { return vdev.Traits{PerPair: true, Lossless: true} }

// Close implements [vdev.Backend].
func (g *Generator) Close() error { return nil }

// Sent returns how many frames the device took for delivery.
func (g *Generator) Sent() uint64 { return g.sent.Load() }

// Sink returns the counters of what was transmitted.
func (g *Generator) Sink() *Sink { return &g.sink }

// Receive implements [vdev.Backend].
func (g *Generator) Receive(pair int, frames [][]byte) int {
	for pair >= len(g.streams) {
		g.streams = append(g.streams, g.newStream(len(g.streams)))
	}
	s := g.streams[pair]
	n := min(len(frames), genSlots) // all of them stay valid until the next call
	if g.cfg.Limit > 0 {
		n = int(min(uint64(n), g.cfg.Limit-s.next))
	}
	for i := range n {
		f := s.slots[s.next%genSlots]
		if len(g.cfg.Sizes) > 1 {
			f = g.resize(f, pair, s.next)
			s.slots[s.next%genSlots] = f
		}
		// A number and its complement add up to nothing in the checksum, which
		// therefore is the same in all frames of a size.
		binary.LittleEndian.PutUint64(f[udpHeaders:], s.next)
		binary.LittleEndian.PutUint64(f[udpHeaders+8:], ^s.next)
		frames[i] = f
		s.next++
	}
	g.sent.Add(uint64(n))
	return n
}

func (g *Generator) newStream(pair int) *stream {
	s := &stream{}
	for i := range s.slots {
		s.slots[i] = g.build(nil, pair, g.cfg.Sizes[0])
	}
	return s
}

// resize makes a slot the right length for frame number n of a pair.
func (g *Generator) resize(f []byte, pair int, n uint64) []byte {
	size := g.cfg.Sizes[n%uint64(len(g.cfg.Sizes))]
	if len(f) == size {
		return f
	}
	return g.build(f, pair, size)
}

// build writes a frame with the number 0 into f if it is large enough.
func (g *Generator) build(f []byte, pair, size int) []byte {
	if cap(f) < size {
		f = make([]byte, size)
	}
	f = f[:size]
	copy(f, g.cfg.Dst)
	copy(f[6:], g.cfg.Src)
	be := binary.BigEndian
	be.PutUint16(f[12:], etherIPv4)
	ip, udp := f[14:34], f[34:]
	copy(ip, []byte{0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protoUDP, 0, 0, 198, 18, 0, 1, 198, 19, 0, 1})
	be.PutUint16(ip[2:], uint16(size-etherHeader))
	be.PutUint16(ip[10:], ^checksum(ip, 0))
	be.PutUint16(udp, genPort+uint16(pair))
	be.PutUint16(udp[2:], 9) // discard
	be.PutUint16(udp[4:], uint16(len(udp)))
	be.PutUint16(udp[6:], 0)
	clear(udp[8:16])
	for i := 16; i < 24; i++ {
		udp[i] = 0xff
	}
	for i := 24; i < len(udp); i++ {
		udp[i] = byte(i)
	}
	sum := ^checksum(udp, pseudoHeader(ip, len(udp)))
	if sum == 0 {
		sum = 0xffff
	}
	be.PutUint16(udp[6:], sum)
	return f
}

// pseudoHeader is what the UDP checksum covers besides the packet.
func pseudoHeader(ip []byte, length int) uint32 {
	return uint32(checksum(ip[12:20], 0)) + protoUDP + uint32(length)
}

// checksum is the ones' complement sum of the 16-bit words of b.
func checksum(b []byte, sum uint32) uint16 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}

// SeqFrame reports whether a frame is an undamaged one of a Generator, apart from
// its MAC addresses, and returns its queue pair and its number on that pair. It
// verifies both checksums and every byte of the payload.
func SeqFrame(frame []byte) (pair int, seq uint64, ok bool) {
	if len(frame) < minGen {
		return 0, 0, false
	}
	be := binary.BigEndian
	ip, udp := frame[14:34], frame[34:]
	switch {
	case be.Uint16(frame[12:]) != etherIPv4, ip[0] != 0x45, ip[9] != protoUDP,
		int(be.Uint16(ip[2:])) != len(frame)-etherHeader, checksum(ip, 0) != 0xffff, int(be.Uint16(udp[4:])) != len(udp),
		be.Uint16(udp) < genPort, checksum(udp, pseudoHeader(ip, len(udp))) != 0xffff:
		return 0, 0, false
	}
	seq = binary.LittleEndian.Uint64(udp[8:])
	if binary.LittleEndian.Uint64(udp[16:]) != ^seq {
		return 0, 0, false
	}
	for i := 24; i < len(udp); i++ {
		if udp[i] != byte(i) {
			return 0, 0, false
		}
	}
	return int(be.Uint16(udp)) - genPort, seq, true
}
