//go:build cgo && amd64

package main

import (
	"encoding/binary"
	"errors"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/test/perf/step/device"
	"github.com/virtio-pmd/virtio-pmd/test/perf/step/internal/tsc"
)

// Packets to be cut into 16 frames, as in dpdk.c.
const (
	segments   = 16
	largeBytes = device.TCPPayload + segments*device.SegmentBytes
	partBytes  = 2048
	maxLarge   = 32 // in a burst
)

// headers are those of a TCP packet. The checksum field has the sum of some pseudo-header,
// which the device does not complete.
var headers = [device.TCPPayload]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0,
	0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
	0, 80, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0x14, 0x1b}

func writeHeaders(p []byte, bytes int) {
	copy(p, headers[:])
	binary.BigEndian.PutUint16(p[16:], uint16(bytes-14))
}

// receiveChecked is receive that looks at the checksum's state.
func (b *bench) receiveChecked(bufs []*mbuf.Buf, s *sum) {
	b.filled += device.Fill(len(bufs) - b.filled)
	good := 0
	t := tsc.Start()
	n := b.rx.Burst(bufs)
	for _, buf := range bufs[:n] {
		if buf.Checksum() == mbuf.ChecksumGood {
			good++
		}
	}
	b.cache.Put(bufs[:n])
	s.cycles += tsc.Stop() - t
	s.units += uint64(n)
	b.filled -= n
	if good != n && b.problem == nil {
		b.problem = errNotGood
	}
}

// sendChecksum is send of TCP packets, with a request for the checksum of each.
func (b *bench) sendChecksum(bufs []*mbuf.Buf, s *sum) {
	bufs = b.prepare(bufs)
	for i, buf := range bufs {
		writeHeaders(buf.Data(), b.frame)
		binary.LittleEndian.PutUint64(buf.Data(), b.number+uint64(i))
	}
	t := tsc.Start()
	for _, buf := range bufs {
		b.note(buf.RequestChecksum(device.TCPStart, 16))
	}
	n := b.tx.Burst(bufs)
	s.cycles += tsc.Stop() - t
	s.units += uint64(n)
	b.number += uint64(n)
	b.cache.Put(bufs[n:])
	device.Take(len(bufs))
}

// sendLarge sends TCP packets to be cut, with the request for that. Its units are the
// segments.
func (b *bench) sendLarge(bufs []*mbuf.Buf, s *sum) {
	n := 0
	for ; n < len(bufs); n++ {
		parts := b.parts[:]
		if got := b.cache.Get(parts); got < len(parts) {
			b.cache.Put(parts[:got])
			break
		}
		for i, left := 0, largeBytes; i < len(parts); i++ {
			left -= len(parts[i].Append(min(left, partBytes)))
			if i > 0 {
				parts[i-1].SetNext(parts[i])
			}
		}
		bufs[n] = parts[0]
		writeHeaders(parts[0].Data(), largeBytes)
	}
	t := tsc.Start()
	for _, buf := range bufs[:n] {
		b.note(buf.RequestSegmentation(mbuf.SegmentTCPv4, device.TCPStart, device.SegmentBytes))
	}
	sent := b.tx.Burst(bufs[:n])
	s.cycles += tsc.Stop() - t
	s.units += uint64(sent * segments)
	b.number += uint64(sent)
	b.cache.Put(bufs[sent:n])
	device.Take(n)
}

var errNotGood = errors.New("a received checksum is not good")

// note keeps the first error.
func (b *bench) note(err error) {
	if err != nil && b.problem == nil {
		b.problem = err
	}
}
