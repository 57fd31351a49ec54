// Package frame writes the headers of packets that the commands send: addresses,
// and headers that are made once and copied into every packet.
package frame

import (
	"encoding/binary"
	"net"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// addresses is how many bytes the two addresses of an Ethernet header have.
const addresses = 12

// MAC is the destination and source address that MAC updating writes to a packet, in
// the two pieces in which they are stored.
type MAC struct {
	low  uint64
	high uint32
}

// NewMAC returns the addresses of packets that leave by the port of the given
// number, 0 to 255: destination Peer(number), source the port's own address.
func NewMAC(number int, source net.HardwareAddr) *MAC { return NewMACTo(Peer(number), source) }

// NewMACTo returns the addresses of packets to a destination.
func NewMACTo(destination, source net.HardwareAddr) *MAC {
	var b [addresses]byte
	copy(b[:], destination)
	copy(b[6:], source)
	return &MAC{low: binary.LittleEndian.Uint64(b[:]), high: binary.LittleEndian.Uint32(b[8:])}
}

// Peer returns the address that packets of a port are sent to if no other is known:
// 02:00:00:00:00:PP with the number of the port, as in DPDK.
func Peer(number int) net.HardwareAddr {
	return net.HardwareAddr{0x02, 0, 0, 0, 0, byte(number)}
}

// Write overwrites the addresses of packets. One that is too short to have any
// stays as it is.
func (m *MAC) Write(bufs []*mbuf.Buf) {
	for _, b := range bufs {
		if data := b.Data(); len(data) >= addresses {
			binary.LittleEndian.PutUint64(data, m.low)
			binary.LittleEndian.PutUint32(data[8:], m.high)
		}
	}
}

// Swap exchanges destination and source address of packets.
func Swap(bufs []*mbuf.Buf) {
	for _, b := range bufs {
		if data := b.Data(); len(data) >= addresses {
			low, high := binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint32(data[8:])
			// Twelve bytes ABCDEF abcdef are low = ABCDEFab and high = cdef.
			binary.LittleEndian.PutUint64(data, low>>48|uint64(high)<<16|low<<48)
			binary.LittleEndian.PutUint32(data[8:], uint32(low>>16))
		}
	}
}
