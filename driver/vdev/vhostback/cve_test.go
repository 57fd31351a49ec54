package vhostback_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

// Published faults of vhost-user back ends, one test for each.

// broken uses a ring until the connection ends, and returns why. ring 0 is
// the receiveq, 1 the transmitq.
func broken(t *testing.T, cfg vhostback.Config, features uint64, number int, breakIt func(f *front, r *ring)) *vhostback.RingError {
	t.Helper()
	f := newFront(t, cfg)
	rx, tx := f.up(features, 16)
	f.fence()
	breakIt(f, []*ring{rx, tx}[number])
	var err error
	f.until("the connection ends", func() bool {
		select {
		case err = <-f.ended:
			return true
		default:
			return false
		}
	})
	f.clean()
	return expect[*vhostback.RingError](t, err)
}

// A buffer begins in shared memory and ends after it: the check covers the address
// and the length.
func TestCVE_2018_1059_BufferAcrossTheEdgeOfARegion(t *testing.T) {
	kinds(t, func(t *testing.T, cfg vhostback.Config, features uint64) {
		for name, at := range map[string]uint64{"at the end": guestBase + shared - 8, "behind it": guestBase + shared, "before it": guestBase - 8,
			"at the end of everything": ^uint64(0) - 8, "user address": userBase + 0x40000} {
			for i := range 2 {
				t.Run(fmt.Sprint(name, i), func(t *testing.T) {
					e := broken(t, cfg, features, i, func(f *front, r *ring) { r.add(at, 0x800, uint16(write*(1-i))) })
					if e.Ring != i || e.Rule != "basic/reserved/5" {
						t.Error(e)
					}
				})
			}
		}
	})
}

// More descriptors than a message has are closed, and a ring that is described
// over and over takes no more memory.
func TestCVE_2019_14818_ExtraDescriptorsAndRepeatedNum(t *testing.T) {
	f := newFront(t, vhostback.Config{})
	f.raw(encode(setVringNum, 0, words(0, 16)), f.fd, f.fd, f.fd, f.fd, f.fd, f.fd, f.fd, f.fd)
	expectProtocol(t, f.over())
	f.clean()
	f.connect()
	f.hello(noStatus, bits(bitVersion1))
	for i := range 1000 {
		f.send(setVringNum, words(uint32(i%2), 1<<(i%16)))
		f.send(setVringCall, numbers(uint64(i%2)), fdtest.Eventfd(t))
	}
	f.fds += 1000 // the eventfds of this side
	_ = f.socket.CloseWrite()
	if err := f.over(); err != nil {
		t.Error(err)
	}
	f.clean()
}

// The end of a region is computed before it is mapped, and must not wrap.
func TestCVE_2020_10722_OffsetPlusSizeWraps(t *testing.T) {
	for _, r := range [][2]uint64{{^uint64(0) - 4095, 4096}, {4096, ^uint64(0) - 4095}, {1 << 63, 1 << 63}, {1<<63 - 4096, 8192}} {
		f := newFront(t, vhostback.Config{})
		f.raw(encode(setMemTable, 0, append(words(1, 0), regionBytes(guestBase, r[1], userBase, r[0])...)), f.fd)
		expectMemory(t, f.over())
		f.clean()
	}
}

// All 32 bits of the number of a ring are checked, and those of a base.
func TestCVE_2020_10723_IndexTruncatedTo16Bits(t *testing.T) {
	for _, request := range []uint32{setVringNum, setVringBase, getVringBase, setVringEnable} {
		f := newFront(t, vhostback.Config{})
		f.raw(encode(request, 0, words(1<<16, 1)))
		if e := expectProtocol(t, f.over()); e.Value != 1<<16 {
			t.Error(e)
		}
	}
	f := newFront(t, vhostback.Config{})
	f.hello(noStatus, bits(bitVersion1))
	f.need = false
	f.share()
	f.place(0, newRing(f, 0, 16), 1<<16, -1, -1)
	expect[*vhostback.RingError](t, f.over())
	f.clean()
}

// A length field says more than the array that it is about can hold.
func TestCVE_2020_10724_LengthBeyondAnArray(t *testing.T) {
	f := newFront(t, vhostback.Config{})
	f.raw(encode(setMemTable, 0, append(words(9, 0), make([]byte, 9*32)...)), f.fd)
	if e := expectProtocol(t, f.over()); e.Field != "number of regions" {
		t.Error(e)
	}
	f.clean()
	for _, head := range [][]byte{words(0, 257, 0), words(0, 0xffffffff, 0), words(256, 4, 0), words(0xfffffffe, 4, 0)} {
		f := newFront(t, vhostback.Config{})
		f.hello(allProtocol, bits(bitVersion1))
		size := min(binary.NativeEndian.Uint32(head[4:]), 300)
		f.raw(encode(getConfig, 0, append(head, make([]byte, size)...)))
		if size == binary.NativeEndian.Uint32(head[4:]) {
			f.answer(getConfig, 0) // it is what it says: refused, not wrong
			continue
		}
		expectProtocol(t, f.over())
		f.clean()
	}
}

// A descriptor of no bytes with an address in shared memory is refused.
func TestCVE_2020_10725_BadAddressWithoutLength(t *testing.T) {
	kinds(t, func(t *testing.T, cfg vhostback.Config, features uint64) {
		for i := range 2 {
			e := broken(t, cfg, features, i, func(f *front, r *ring) { r.add(0xdead_0000_0000, 0, uint16(write*(1-i))) })
			if e.Rule != "x/desc/zero-length" {
				t.Error(e)
			}
		}
	})
}

// This back end has no in-flight messages: it closes the descriptors that come with
// them, and makes none.
func TestCVE_2020_10726_InflightMessages(t *testing.T) {
	f := newFront(t, vhostback.Config{})
	inflight := append(numbers(4096, 0), append(words(0xffff|16<<16), 0, 0, 0, 0)...)
	for _, m := range []struct {
		request uint32
		fds     []int
	}{{getInflight, nil}, {getInflight, []int{f.fd}}, {setInflight, []int{f.fd}}, {setInflight, []int{f.fd, f.fd, f.fd}}} {
		f.raw(encode(m.request, 0, inflight), m.fds...)
		if e := expectProtocol(t, f.over()); e.Field != "request" {
			t.Error(e)
		}
		f.clean()
		f.connect()
	}
}

// CVE-2022-0669 (descriptors of in-flight messages never closed) and the queue
// count of SET_INFLIGHT_FD out of range are the same message here: refused.
func TestCVE_2022_0669_DescriptorsOfRefusedMessages(t *testing.T) {
	f := newFront(t, vhostback.Config{})
	for _, request := range []uint32{setInflight, setLogBase, setLogFD, setBackendFD, iotlb, sendRARP, getFeatures, 0, 99} {
		f.raw(encode(request, 0, numbers(0)), f.fd, f.fd, f.fd, f.fd)
		expectProtocol(t, f.over())
		f.clean()
		f.connect()
	}
}

// A packet of a header only, and a header in several descriptors.
func TestCVE_2022_2132_HeaderWithoutPacketAndSpreadHeader(t *testing.T) {
	for _, features := range []uint64{bits(bitVersion1), bits(bitVersion1, bitPacked)} {
		a, b := wire.Cable()
		f := newFront(t, vhostback.Config{Stepped: true, Device: vdev.Config{Backend: a}})
		_, tx := f.up(features, 16)
		f.fence()
		for _, n := range []uint32{1, header - 1, header, header + 1, header + 13} {
			tx.add(guestBase+buffer(0), n, 0)
			f.until("the short packet is used", func() bool { _, _, ok := tx.used(); return ok })
		}
		if n := f.back.Counters().TxErrors; n != 5 {
			t.Errorf("%d packets counted as errors", n)
		}
		copy(f.mem[buffer(0)+header:], "destinsource, the frame")
		// 4 bytes, 4 bytes, 3 bytes, and one byte together with the frame.
		tx.chain(guestBase+buffer(0), 4, 4, 3, 1+60)
		frames := make([][]byte, 4)
		got := 0
		f.until("the frame comes out", func() bool { got = b.Receive(0, frames); return got > 0 })
		if got != 1 || !bytes.HasPrefix(frames[0], []byte("destinsource, the frame")) || len(frames[0]) != 60 {
			t.Errorf("%d frames, %q", got, frames[0])
		}
	}
}

// A checksum is to be filled in behind the end of the packet, by a driver that has not
// accepted the feature: nothing is touched.
func TestCVE_2024_11614_ChecksumBehindThePacket(t *testing.T) {
	a, b := wire.Cable()
	f := newFront(t, vhostback.Config{Stepped: true, Device: vdev.Config{Backend: a}})
	_, tx := f.up(bits(bitVersion1), 16)
	f.fence()
	h := f.mem[buffer(0):]
	h[0] = 1 // NEEDS_CSUM
	binary.LittleEndian.PutUint16(h[6:], 0xfff0)
	binary.LittleEndian.PutUint16(h[8:], 0xfff0)
	copy(h[header:], bytes.Repeat([]byte{7}, 60))
	tx.add(guestBase+buffer(0), header+60, 0)
	frames, got := make([][]byte, 4), 0
	f.until("the frame comes out", func() bool { got = b.Receive(0, frames); return got > 0 })
	if got != 1 || !bytes.Equal(frames[0], bytes.Repeat([]byte{7}, 60)) {
		t.Errorf("%d frames, %x", got, frames[0])
	}
	if v := f.back.Device().Violations(); len(v) == 0 || v[0].Rule != "net/tx/3" {
		t.Errorf("recorded: %v", v)
	}
}

// Header and packet may change while the device reads them: what is used as an offset or
// a length was checked.
func TestHeaderReadTwice(t *testing.T) {
	for name, features := range map[string]uint64{"no offloads": 0, "offloads": offloadBits} {
		t.Run(name, func(t *testing.T) { changeWhileRead(t, bits(bitVersion1)|features) })
	}
}

func changeWhileRead(t *testing.T, features uint64) {
	f := newFront(t, vhostback.Config{Device: vdev.Config{Backend: wire.Null(), Offer: vdev.Implemented()}})
	f.stepped = false
	_, tx := f.up(features, 16)
	n := segmented(f.mem[buffer(0):])
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for v := uint32(0); ; v++ {
			select {
			case <-stop:
				return
			default:
				tx.put(buffer(0), v*0x9e3779b9&0x03ff0501|0x01000000)
				tx.put(buffer(0)+4, v*0x85ebca6b&0x003f01ff)
				tx.put(buffer(0)+8, v*0x85ebca6b&0xff)
				tx.put(buffer(0)+header+12, 0x45000008^v&7<<24) // the length of the IPv4 header
				tx.put(buffer(0)+header+44, v<<28|v&7)          // and that of TCP
			}
		}
	}()
	for range 500 {
		tx.add(guestBase+buffer(0), n, 0)
		f.until("the packet is used", func() bool { _, _, ok := tx.used(); return ok })
	}
	close(stop)
	<-stopped
	if c := f.back.Counters(); c.TxPackets+c.TxErrors != 500 {
		t.Errorf("%+v", c)
	}
}

// This back end has no control queue.
func TestControlQueueIsNotThere(t *testing.T) {
	f := newFront(t, vhostback.Config{Device: vdev.Config{Pairs: 2}})
	if v := f.askNumber(getFeatures); v&(1<<17) != 0 {
		t.Error("CTRL_VQ is offered")
	}
	f.raw(encode(setVringKick, 0, numbers(4)), fdtest.Eventfd(t))
	f.fds++
	expectProtocol(t, f.over())
	f.clean()
}

// The index of a ring runs freely: it is masked by the size before it is used,
// and the number of available buffers is checked against the size.
func TestRingIndexNotMasked(t *testing.T) {
	for _, base := range []uint32{65530, 32767, 16} {
		kinds(t, func(t *testing.T, cfg vhostback.Config, features uint64) {
			if features>>bitPacked&1 != 0 {
				return // has no such index
			}
			f := newFront(t, cfg)
			f.hello(noStatus, features)
			f.share()
			rx := newRing(f, 0, 16)
			rx.skip(int(base))
			f.place(0, rx, base, -1, -1)
			f.send(setVringEnable, words(0, 1))
			for range 40 {
				rx.add(guestBase+buffer(rx.next%16), 0x800, write)
				f.until("the buffer is used", func() bool { _, _, ok := rx.used(); return ok })
			}
			f.fence()
			rx.next += 17
			rx.put(rx.areas()[1], uint32(uint16(rx.next))<<16)
			for len(f.ended) == 0 {
				f.until("", func() bool { return true })
				f.back.Poll()
			}
			if e := expect[*vhostback.RingError](t, f.over()); e.Rule != "split/avail/1" {
				t.Error(e)
			}
		})
	}
}

// fault/66 in rings that a peer shares.
func TestChains(t *testing.T) {
	kinds(t, func(t *testing.T, cfg vhostback.Config, features uint64) {
		features |= 1 << bitIndirect
		packed := features>>bitPacked&1 != 0
		table := func(f *front, at uint64, entries ...[4]uint64) {
			for i, e := range entries {
				b := f.mem[at+16*uint64(i):]
				binary.LittleEndian.PutUint64(b, e[0])
				binary.LittleEndian.PutUint32(b[8:], uint32(e[1]))
				if packed {
					binary.LittleEndian.PutUint16(b[14:], uint16(e[2]))
					continue
				}
				binary.LittleEndian.PutUint16(b[12:], uint16(e[2]))
				binary.LittleEndian.PutUint16(b[14:], uint16(e[3]))
			}
		}
		g := guestBase + buffer(0)
		for name, breakIt := range map[string]func(f *front, r *ring){
			"indirect in indirect": func(f *front, r *ring) {
				table(f, 0x30000, [4]uint64{guestBase + 0x30000, 16, indirect, 0})
				r.add(guestBase+0x30000, 16, indirect)
			},
			"table of 15 bytes": func(f *front, r *ring) { r.add(guestBase+0x30000, 15, indirect) },
			"table of 0 bytes":  func(f *front, r *ring) { r.add(guestBase+0x30000, 0, indirect) },
			"table too long":    func(f *front, r *ring) { r.add(guestBase+0x30000, 17*16, indirect) },
			"table not mapped":  func(f *front, r *ring) { r.add(guestBase-64, 64, indirect) },
			"table and next":    func(f *front, r *ring) { r.add(guestBase+0x30000, 16, indirect|next) },
			"entry not mapped": func(f *front, r *ring) {
				table(f, 0x30000, [4]uint64{1, 64, 0, 0})
				r.add(guestBase+0x30000, 16, indirect)
			},
			"available and used": func(f *front, r *ring) { loopOrHole(r, g) },
		} {
			t.Run(name, func(t *testing.T) {
				e := broken(t, cfg, features, 1, breakIt)
				if e.Rule == "" || e.Ring != 1 {
					t.Error(e)
				}
			})
		}
	})
}

// loopOrHole makes an endless chain of a split ring, or a list of a
// packed ring whose second descriptor is not available.
func loopOrHole(r *ring, at uint64) {
	if r.packed {
		r.desc(0, at, 64, next, 0)
		return
	}
	for i := range r.size {
		r.desc(i, at, 64, next, uint16((i+1)%r.size))
	}
	r.offer(0)
}

// A failure is signalled by the error eventfd before the connection ends.
func TestErrorEventfd(t *testing.T) {
	fd := fdtest.Eventfd(t)
	broken(t, vhostback.Config{}, bits(bitVersion1), 1, func(f *front, r *ring) {
		f.fds++
		f.send(setVringErr, numbers(1), fd)
		f.fence()
		f.fds--
		r.add(0, 1, 0)
	})
	if fdtest.Signals(fd) == 0 {
		t.Error("the eventfd was not signalled")
	}
}
