package vhostback_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

// header is the length of the header before a frame.
const header = 12

const (
	next     = 1
	write    = 2
	indirect = 4
)

// buffer is the offset of buffer i in shared memory.
func buffer(i int) uint64 { return 0x40000 + 0x800*uint64(i) }

// Frames that are sent to a device that loops come back intact and in order,
// through rings that wrap many times, with guest and user addresses that differ.
func TestLoop(t *testing.T) {
	for _, features := range []uint64{
		bits(bitVersion1), bits(bitVersion1, bitMrgRxbuf), bits(bitVersion1, bitPacked),
		bits(bitVersion1, bitPacked, bitMrgRxbuf), bits(bitVersion1, bitInOrder), bits(bitVersion1, bitPacked, bitInOrder),
	} {
		t.Run(fmt.Sprintf("%#x", features), func(t *testing.T) {
			f := newFront(t, vhostback.Config{Device: vdev.Config{Backend: wire.Loop(), Hold: true}})
			const size = 16
			rx, tx := f.up(features, size)
			for i := range size {
				rx.add(guestBase+buffer(i), 0x800, write)
			}
			sent, got := 0, 0
			for got < 200 {
				if sent < 200 && sent-got < size/2 {
					b := f.mem[buffer(size+sent%size):]
					clear(b[:header])
					copy(b[header:], fmt.Sprintf("frame %08d, and so on until it is long enough to be one, and longer", sent))
					tx.add(guestBase+buffer(size+sent%size), header+60+uint32(sent%8), 0)
					sent++
				}
				f.until("a frame comes back", func() bool {
					for _, _, ok := tx.used(); ok; _, _, ok = tx.used() {
					}
					id, n, ok := rx.used()
					if !ok {
						return sent < 200 && sent-got < size/2
					}
					b := f.mem[buffer(id) : buffer(id)+uint64(n)]
					want := fmt.Sprintf("frame %08d, and so on until it is long enough to be one, and longer", got)
					if int(n) != header+60+got%8 || !bytes.Equal(b[header:], []byte(want)[:n-header]) || binary.LittleEndian.Uint16(b[10:]) != 1 {
						t.Fatalf("frame %d came back as %q (%d bytes)", got, b[header:], n)
					}
					got++
					rx.add(guestBase+buffer(id), 0x800, write)
					return true
				})
			}
			if v := f.back.Device().Violations(); len(v) != 0 {
				t.Errorf("the device recorded %v", v)
			}
		})
	}
}

// A kick wakes a sleeping device, which calls exactly if the driver wants it to.
func TestKickAndCall(t *testing.T) {
	for _, features := range []uint64{bits(bitVersion1), bits(bitVersion1, bitPacked)} {
		t.Run(fmt.Sprintf("%#x", features), func(t *testing.T) {
			f := newFront(t, vhostback.Config{Device: vdev.Config{Backend: wire.Null(), IdleTurns: 1}})
			f.hello(noStatus, features)
			f.share()
			tx := newRing(f, 0, 16)
			kickFD, callFD := fdtest.Eventfd(t), fdtest.Eventfd(t)
			f.place(1, tx, f.fresh(), kickFD, callFD)
			f.send(setVringEnable, words(1, 1))
			f.until("the device sleeps", func() bool { return f.back.Device().Stats().Sleeps > 0 && tx.kickWanted() })
			fdtest.Signals(callFD) // it is signalled once when it is set
			for i := range 8 {
				quiet := i%2 == 1
				tx.noInterrupt(quiet)
				tx.add(guestBase+buffer(0), header+60, 0)
				sleeps := f.back.Device().Stats().Sleeps
				kick(kickFD)
				f.until("the packet is used", func() bool { _, _, ok := tx.used(); return ok })
				f.until("the device sleeps again", func() bool { return f.back.Device().Stats().Sleeps > sleeps && tx.kickWanted() })
				if n := fdtest.Signals(callFD); quiet != (n == 0) {
					t.Errorf("packet %d: %d calls with suppression %v", i, n, quiet)
				}
			}
			// A new eventfd takes the place of the old one, in both directions.
			kick2, call2 := fdtest.Eventfd(t), fdtest.Eventfd(t)
			f.send(setVringKick, numbers(1), kick2)
			f.send(setVringCall, numbers(1), call2)
			fdtest.Signals(call2)
			tx.noInterrupt(false)
			tx.add(guestBase+buffer(0), header+60, 0)
			kick(kick2)
			f.until("it calls", func() bool { return fdtest.Signals(call2) > 0 })
			if n := fdtest.Signals(callFD); n != 0 {
				t.Error("the old eventfd was signalled")
			}
		})
	}
}

// A device that is polled all the time does not ask for notifications.
func TestNoKicksForAPoller(t *testing.T) {
	for _, cfg := range []vhostback.Config{{Stepped: true}, {Raw: &vhostback.RawConfig{Generate: true}}} {
		for _, features := range []uint64{bits(bitVersion1), bits(bitVersion1, bitPacked)} {
			f := newFront(t, cfg)
			rx, tx := f.up(features, 16)
			f.fence()
			if rx.kickWanted() || tx.kickWanted() {
				t.Errorf("raw %v, features %#x: the device asks for notifications", cfg.Raw != nil, features)
			}
		}
	}
}

// GET_VRING_BASE stops a ring and returns where it would go on; started there it goes
// on. No frame is lost or duplicated.
func TestStopAndResume(t *testing.T) {
	kinds(t, func(t *testing.T, cfg vhostback.Config, features uint64) {
		f := newFront(t, cfg)
		rx, tx := f.up(features, 16)
		for round := range 5 {
			for range 7 {
				rx.add(guestBase+buffer(rx.next%16), 0x800, write)
				tx.add(guestBase+buffer(16+tx.next%16), header+64, 0)
			}
			for i, r := range []*ring{rx, tx} {
				n := 0
				f.until("buffers are used", func() bool {
					if _, _, ok := r.used(); ok {
						n++
					}
					return n == 7
				})
				at := f.ask(getVringBase, words(uint32(i), 0), 8)
				want := uint32(7 * (round + 1))
				if f.packed {
					want = want % 16
					if r.lap(r.next) {
						want |= 1 << 15
					}
					want |= want << 16
				}
				if !bytes.Equal(at, words(uint32(i), want)) {
					t.Fatalf("ring %d stopped at %x, expected %x", i, at, want)
				}
				r.add(guestBase+buffer(0), 0x800, uint16(2*(1-i)))
				for range 100 {
					f.back.Poll()
				}
				if _, _, ok := r.used(); ok {
					t.Fatal("a stopped ring goes on")
				}
				if f.packed && round%2 == 1 {
					want &= 0xffff // as DPDK's front end has it
				}
				f.place(uint32(i), r, want, -1, -1)
				f.until("the waiting buffer is used", func() bool { _, _, ok := r.used(); return ok })
				// Back to where the next round expects it.
				at = f.ask(getVringBase, words(uint32(i), 0), 8)
				*r = *newRing(f, r.at, 16)
				clear(f.mem[r.at : r.at+0x1000])
				r.skip(7 * (round + 1))
				f.place(uint32(i), r, r.base(), -1, -1)
			}
		}
	})
}

// With STATUS no frame moves before DRIVER_OK, and a reset stops all rings.
func TestStatus(t *testing.T) {
	f := newFront(t, vhostback.Config{Device: vdev.Config{Backend: wire.Gen(64)}})
	f.need = true
	f.need = false
	f.send(setOwner, nil)
	f.send(setProtocolFeatures, numbers(allProtocol))
	f.need = true
	f.send(setStatus, numbers(1))
	f.send(setStatus, numbers(3))
	f.send(setStatus, numbers(11))
	if v := f.askNumber(getStatus_); v != 3 {
		t.Errorf("status %#x: FEATURES_OK without features", v)
	}
	f.send(setFeatures, numbers(bits(bitVersion1, bitProtocol)))
	f.send(setStatus, numbers(11))
	if v := f.askNumber(getStatus_); v != 11 {
		t.Errorf("status %#x after FEATURES_OK", v)
	}
	f.share()
	rx := newRing(f, 0, 16)
	rx.add(guestBase+buffer(0), 0x800, write)
	f.place(0, rx, 0, -1, -1)
	f.send(setVringEnable, words(0, 1))
	f.fence()
	if _, _, ok := rx.used(); ok || f.back.State().Up {
		t.Error("the device runs before DRIVER_OK")
	}
	f.send(setStatus, numbers(15))
	f.until("a frame arrives", func() bool { _, _, ok := rx.used(); return ok })
	if s := f.back.State(); !s.Up || !s.Connected || s.Peers != 1 {
		t.Errorf("state %+v", s)
	}
	f.send(setStatus, numbers(0))
	rx.add(guestBase+buffer(0), 0x800, write)
	f.fence()
	if _, _, ok := rx.used(); ok || f.back.State().Up || f.askNumber(getStatus_) != 0 {
		t.Error("the device runs after a reset")
	}
}

// Without bit 30 there is no ENABLE: rings run as soon as they are started.
func TestWithoutProtocolFeatures(t *testing.T) {
	f := newFront(t, vhostback.Config{Device: vdev.Config{Backend: wire.Gen(64)}})
	f.send(setFeatures, numbers(bits(bitVersion1)))
	f.share()
	rx := newRing(f, 0, 16)
	rx.add(guestBase+buffer(0), 0x800, write)
	f.place(0, rx, 0, -1, -1)
	f.until("a frame arrives", func() bool { _, _, ok := rx.used(); return ok })
	f.raw(encode(setVringEnable, 0, words(0, 1)))
	if e := expectProtocol(t, f.over()); e.Op != "SET_VRING_ENABLE" {
		t.Error(e)
	}
}

// RESET_DEVICE and RESET_OWNER stop the rings; the memory stays, the device can
// be set up again.
func TestReset(t *testing.T) {
	for _, request := range []uint32{resetDevice, resetOwner} {
		f := newFront(t, vhostback.Config{Device: vdev.Config{Backend: wire.Gen(64)}})
		rx, _ := f.up(bits(bitVersion1), 16)
		f.send(request, nil)
		rx.add(guestBase+buffer(0), 0x800, write)
		f.fence()
		if _, _, ok := rx.used(); ok {
			t.Error("a ring runs after a reset")
		}
		f.send(setFeatures, numbers(bits(bitVersion1, bitPacked, bitProtocol)))
		f.packed = true
		rx = newRing(f, 0x20000, 8)
		f.place(0, rx, f.fresh(), -1, -1)
		f.send(setVringEnable, words(0, 1))
		rx.add(guestBase+buffer(0), 0x800, write)
		f.until("a frame arrives", func() bool { _, _, ok := rx.used(); return ok })
	}
}

// Configuration, MTU, queues and slots can be read; no field can be written.
func TestConfiguration(t *testing.T) {
	mac := []byte{2, 1, 2, 3, 4, 5}
	f := newFront(t, vhostback.Config{Slots: 17, Device: vdev.Config{MAC: mac, MTU: 9000, Pairs: 3}})
	f.hello(allProtocol, bits(bitVersion1, bitMQ))
	if n := f.askNumber(getQueueNum); n != 3 {
		t.Errorf("%d queue pairs", n)
	}
	if n := f.askNumber(getMaxMemSlots); n != 17 {
		t.Errorf("%d slots", n)
	}
	ask := append(words(0, 12, 0), make([]byte, 12)...)
	b := f.ask(getConfig, ask, len(ask))
	if !bytes.Equal(b[12:18], mac) || binary.LittleEndian.Uint16(b[20:]) != 3 || binary.LittleEndian.Uint16(b[22:]) != 9000 {
		t.Errorf("configuration %x", b)
	}
	ask = append(words(200, 57, 0), make([]byte, 57)...)
	f.ask(getConfig, ask, 0) // which does not exist: an empty answer
	for _, m := range []struct {
		request uint32
		payload []byte
		answer  uint64
	}{
		{netSetMTU, numbers(9000), 0}, {netSetMTU, numbers(9001), 1}, {netSetMTU, numbers(67), 1},
		{setConfig, append(words(0, 6, 0), mac...), 1},
	} {
		f.raw(encode(m.request, needReply, m.payload))
		if v := binary.NativeEndian.Uint64(f.answer(m.request, 8)); v != m.answer {
			t.Errorf("request %d %x: answer %d, expected %d", m.request, m.payload, v, m.answer)
		}
	}
}

// SEND_RARP puts a frame on the wire that says where the station is, whether rings run or
// not; the address of a group ends the connection.
func TestSendRARP(t *testing.T) {
	near, far := wire.Cable()
	f := newFront(t, vhostback.Config{Device: vdev.Config{Backend: near}})
	f.hello(allProtocol, bits(bitVersion1))
	mac := []byte{2, 1, 2, 3, 4, 5}
	f.need = true
	f.send(sendRARP, append(bytes.Clone(mac), 0xee, 0xee))
	frames := make([][]byte, 2)
	want := slices.Concat(bytes.Repeat([]byte{0xff}, 6), mac, []byte{0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3}, mac, make([]byte, 4), mac, make([]byte, 22))
	if n := far.Receive(0, frames); n != 1 || !bytes.Equal(frames[0], want) {
		t.Errorf("%d frames, % x\nwant      % x", n, frames[0], want)
	}
	if c := f.back.Counters(); c.TxRARP != 1 || c.TxPackets != 0 {
		t.Errorf("%+v", c)
	}
	f.raw(encode(sendRARP, 0, append([]byte{3, 1, 2, 3, 4, 5}, 0, 0)))
	if e := expectProtocol(t, f.over()); e.Op != "SEND_RARP" {
		t.Errorf("%v", e)
	}
}

// Drivers from before virtio 1.0, as firmware has them, get no network and keep
// the connection.
func TestOldDriverIsRefused(t *testing.T) {
	f := newFront(t, vhostback.Config{})
	f.send(setProtocolFeatures, numbers(noStatus))
	f.raw(encode(setFeatures, needReply, numbers(bits(bitProtocol))))
	if v := binary.NativeEndian.Uint64(f.answer(setFeatures, 8)); v == 0 {
		t.Error("the features were taken")
	}
	f.need = true
	f.share()
	tx := newRing(f, 0, 16)
	f.place(1, tx, 0, -1, -1)
	f.send(setFeatures, numbers(bits(bitProtocol, bitVersion1)))
	f.send(setVringEnable, words(1, 1))
	tx.add(guestBase+buffer(0), header+60, 0)
	f.until("the packet is used", func() bool { _, _, ok := tx.used(); return ok })
}
