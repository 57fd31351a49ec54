package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// hashing is how a device calculates the hash of a received packet: for RSS, which picks
// a queue by it, and for HASH_REPORT, which passes it to the driver (5.1.9.4, Hash
// calculation for incoming packets).
type hashing struct {
	types   virtio.HashTypes   // enabled; none until the driver sends a configuration
	tunnels virtio.TunnelTypes // whose inner header counts; likewise
	key     toeplitz
}

// set enables types and the key for them.
func (h *hashing) set(types virtio.HashTypes, key []byte) {
	h.types = types
	h.key.set(key)
}

// of returns the hash of a frame and what it was calculated over; HashReportNone if it was
// not calculated. Each packet has the most specific type that is enabled for it: TCP and
// UDP with their ports before addresses alone, and types for extension headers before
// those without.
func (h *hashing) of(frame []byte) (uint32, virtio.HashReport) {
	if h.types == 0 {
		return 0, virtio.HashReportNone
	}
	var t tuple
	t.parse(frame)
	if h.tunnels != 0 {
		t.enter(h.tunnels)
	}
	r := t.report(h.types)
	if r == virtio.HashReportNone {
		return 0, r
	}
	return h.key.sum(t.input(r)), r
}

// putHash writes the hash fields of a virtio_net_hdr with HASH_REPORT.
func (d *core) putHash(header, frame []byte) {
	value, report := d.hash.of(frame)
	binary.LittleEndian.PutUint32(header[virtio.NetHeaderHashValue:], value)
	binary.LittleEndian.PutUint32(header[virtio.NetHeaderHashReport:], uint32(report)) // and padding
}

// hashInput is the longest input of a hash: two IPv6 addresses and two ports.
const hashInput = 36

// toeplitz is a key as a table: what each value of each group of 4 bits contributes to the
// hash, so that a packet does not pay for every bit.
type toeplitz [2 * hashInput][16]uint32

// set builds the table. A key that is shorter than input and hash together goes on with
// zeros, of a longer one the rest is not used.
func (t *toeplitz) set(key []byte) {
	var k [hashInput + 4]byte
	copy(k[:], key)
	for i := range t {
		// The 35 bits of the key that the four bits at 4*i meet, from the highest on.
		at := i / 2
		bits := uint64(binary.BigEndian.Uint32(k[at:]))<<8 | uint64(k[at+4])
		bits <<= 24 + uint(i%2*4)
		for v := range t[i] {
			t[i][v] = 0
			for b := range 4 {
				if v>>(3-b)&1 != 0 {
					t[i][v] ^= uint32(bits << b >> 32)
				}
			}
		}
	}
}

// sum returns the Toeplitz hash of data.
func (t *toeplitz) sum(data []byte) uint32 {
	h := uint32(0)
	for i, b := range data {
		h ^= t[2*i][b>>4] ^ t[2*i+1][b&15]
	}
	return h
}
