package vhostback_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// rawFeatures are the modes of a driver that raw mode serves.
var rawFeatures = map[string]uint64{
	"split":                    bits(bitVersion1),
	"split mergeable":          bits(bitVersion1, bitMrgRxbuf, bitIndirect),
	"split in order":           bits(bitVersion1, bitInOrder),
	"packed":                   bits(bitVersion1, bitPacked),
	"packed mergeable":         bits(bitVersion1, bitPacked, bitMrgRxbuf, bitIndirect),
	"packed in order":          bits(bitVersion1, bitPacked, bitInOrder),
	"packed in order, merging": bits(bitVersion1, bitPacked, bitInOrder, bitMrgRxbuf),
}

// Each buffer gets header and frame, once, and is counted once.
func TestRawReceive(t *testing.T) {
	for name, features := range rawFeatures {
		for _, size := range []int{60, 64, 65, 512, 1518} {
			t.Run(fmt.Sprint(name, size), func(t *testing.T) {
				f := newFront(t, vhostback.Config{Raw: &vhostback.RawConfig{Generate: true, Size: size}})
				rx, _ := f.up(features, 16)
				f.fence()
				var frame []byte
				done := 0
				for round := range 30 {
					for range 1 + round%16 {
						off := buffer(rx.next % 16)
						for i := range 0x800 {
							f.mem[off+uint64(i)] = 0xee
						}
						rx.add(guestBase+off, 0x700, write)
					}
					for done < rx.next {
						f.until("a frame arrives", func() bool {
							id, n, ok := rx.used()
							if !ok {
								return false
							}
							if id != done%16 || int(n) != header+size {
								t.Fatalf("buffer %d came back as %d with %d bytes", done%16, id, n)
							}
							b := f.mem[buffer(id):][:0x800]
							if !bytes.Equal(b[:header], []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0}) || b[header+size] != 0xee {
								t.Fatalf("header %x, behind the frame %x", b[:header], b[header+size])
							}
							if frame == nil {
								frame = bytes.Clone(b[header : header+size])
							}
							if !bytes.Equal(frame, b[header:header+size]) || binary.BigEndian.Uint16(frame[16:]) != uint16(size-14) {
								t.Fatalf("frame %x", b[header:header+size])
							}
							done++
							return true
						})
					}
				}
				if c := f.back.Counters(); c.RxPackets != uint64(done) || c.RxBytes != uint64(done*size) || c.TxPackets != 0 {
					t.Errorf("%d frames: %+v", done, c)
				}
			})
		}
	}
}

// Each packet is used and counted; with IN_ORDER one entry stands for all that were
// available.
func TestRawTransmit(t *testing.T) {
	for name, features := range rawFeatures {
		t.Run(name, func(t *testing.T) {
			f := newFront(t, vhostback.Config{Raw: &vhostback.RawConfig{}})
			rx, tx := f.up(features, 16)
			f.fence()
			rx.add(guestBase+buffer(0), 0x700, write)
			inOrder := features>>bitInOrder&1 != 0
			bytes := uint64(0)
			for round := range 30 {
				n := 1 + round%16
				for range n {
					length := uint32(header + 64 + tx.next%3)
					tx.add(guestBase+buffer(1+tx.next%16), length, 0)
					bytes += uint64(length - header)
				}
				for tx.seen < tx.next {
					f.until("packets come back", func() bool {
						id, _, ok := tx.used()
						if !ok {
							return false
						}
						if !inOrder {
							if id != (tx.seen-1)%16 {
								t.Fatalf("packet %d came back as %d", (tx.seen-1)%16, id)
							}
							return true
						}
						for (tx.seen-1)%16 != id { // all up to that one
							if tx.seen++; tx.seen > tx.next {
								t.Fatalf("packet %d came back before it was sent", id)
							}
						}
						return true
					})
				}
			}
			if c := f.back.Counters(); c.TxPackets != uint64(tx.next) || c.TxBytes != bytes || c.RxPackets != 0 {
				t.Errorf("%d packets of %d bytes: %+v", tx.next, bytes, c)
			}
			if _, _, ok := rx.used(); ok {
				t.Error("null received something")
			}
		})
	}
}

// A buffer that is not one descriptor in one region takes the slow path and is counted
// like the others.
func TestRawSlowPath(t *testing.T) {
	for name, features := range rawFeatures {
		t.Run(name, func(t *testing.T) {
			features := features | bits(bitIndirect)
			f := newFront(t, vhostback.Config{Raw: &vhostback.RawConfig{}})
			_, tx := f.up(features, 16)
			f.fence()
			tx.chain(guestBase+buffer(0), header, 100)
			f.until("the packet comes back", func() bool { _, _, ok := tx.used(); return ok })
			if c := f.back.Counters(); c.TxPackets != 1 || c.TxBytes != 100 {
				t.Errorf("a chain: %+v", c)
			}
			tx.seen = tx.next
			b := f.mem[0x30000:]
			for i := range 2 {
				binary.LittleEndian.PutUint64(b[16*i:], guestBase+buffer(i))
				binary.LittleEndian.PutUint32(b[16*i+8:], uint32([]int{header, 200}[i]))
				if !tx.packed {
					binary.LittleEndian.PutUint16(b[16*i+12:], uint16(next*(1-i)))
					binary.LittleEndian.PutUint16(b[16*i+14:], 1)
				}
			}
			tx.add(guestBase+0x30000, 32, indirect)
			f.until("the packet comes back", func() bool { _, _, ok := tx.used(); return ok })
			tx.add(guestBase+buffer(0), header+60, 0)
			f.until("the packet comes back", func() bool { _, _, ok := tx.used(); return ok })
			if c := f.back.Counters(); c.TxPackets != 3 || c.TxBytes != 360 {
				t.Errorf("a chain, a table and a short one: %+v", c)
			}
		})
	}
}

// A receive buffer that is too short ends the connection: raw mode does not use
// several for a frame.
func TestRawShortBuffer(t *testing.T) {
	for _, features := range rawFeatures {
		e := broken(t, vhostback.Config{Raw: &vhostback.RawConfig{Generate: true}}, features, 0,
			func(_ *front, r *ring) { r.add(guestBase+buffer(0), header+63, write) })
		if e.Rule != "net/rxbuf/2" {
			t.Error(e)
		}
	}
}

func TestRawConfig(t *testing.T) {
	for _, size := range []int{59, -1, 65536} {
		if _, err := vhostback.Serve(t.TempDir()+"/s", vhostback.Config{Raw: &vhostback.RawConfig{Size: size}}); err == nil {
			t.Errorf("frames of %d bytes", size)
		}
	}
}

// Raw mode offers the offloads of what is transmitted that it is told to, and takes a header that
// asks for any, valid or not; it has none of what is received.
func TestRawOffloads(t *testing.T) {
	transmit := virtio.FeatureSet(virtio.NetCSUM, virtio.NetHostTSO4, virtio.NetHostTSO6, virtio.NetHostECN, virtio.NetHostUSO, virtio.NetGuestHdrLen)
	f := newFront(t, vhostback.Config{Raw: &vhostback.RawConfig{}})
	if got := f.askNumber(getFeatures) & transmit[0]; got != 0 {
		t.Errorf("%#x is offered", got)
	}
	f = newFront(t, vhostback.Config{Raw: &vhostback.RawConfig{Offloads: transmit}})
	if got := f.askNumber(getFeatures) & (transmit[0] | offloadBits); got != transmit[0] {
		t.Errorf("%#x is offered, want %#x", got, transmit[0])
	}
	_, tx := f.up(bits(bitVersion1, bitPacked)|transmit[0], 16)
	f.fence()
	n := segmented(f.mem[buffer(0):])
	for _, start := range []uint16{34, 0xffff} {
		binary.LittleEndian.PutUint16(f.mem[buffer(0)+6:], start)
		tx.add(guestBase+buffer(0), n, 0)
		f.until("the packet is used", func() bool { _, _, ok := tx.used(); return ok })
	}
	if c := f.back.Counters(); c.TxPackets != 2 || c.TxBytes != 2*uint64(n-header) {
		t.Errorf("%+v", c)
	}
	refused := vhostback.Config{Raw: &vhostback.RawConfig{Offloads: virtio.FeatureSet(virtio.NetGuestCSUM)}}
	if _, err := vhostback.Serve(t.TempDir()+"/s", refused); err == nil || !strings.Contains(err.Error(), "GUEST_CSUM") {
		t.Errorf("%v", err)
	}
}

// BenchmarkRaw is the loop alone: a driver in the same goroutine makes all
// buffers available again, which costs a store or two for each.
func BenchmarkRaw(b *testing.B) {
	const size = 256
	for _, name := range []string{"split", "packed", "packed in order"} {
		for direction, number := range map[string]int{"receive": 0, "transmit": 1} {
			b.Run(name+" "+direction, func(b *testing.B) {
				f := newFront(b, vhostback.Config{Raw: &vhostback.RawConfig{Generate: true}})
				rx, tx := f.up(rawFeatures[name], size)
				f.fence()
				r := []*ring{rx, tx}[number]
				for i := range size {
					r.desc(i, guestBase+0x40000+uint64(i)*0x8c0%0xa0000, 0x700, uint16(write*(1-number)), 0)
				}
				b.ResetTimer()
				for n := 0; n < b.N; n += size {
					r.again()
					f.back.Poll()
				}
				b.StopTimer()
				c := f.back.Counters()
				if got := c.RxPackets + c.TxPackets; got < uint64(b.N) {
					b.Errorf("%d packets of %d", got, b.N)
				}
			})
		}
	}
}
