package vhostback_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

// inflightPayload is that of GET_INFLIGHT_FD and SET_INFLIGHT_FD.
func inflightPayload(size, offset uint64, rings, queue uint16) []byte {
	b := numbers(size, offset)
	b = binary.NativeEndian.AppendUint16(b, rings)
	return binary.NativeEndian.AppendUint16(b, queue)
}

// getInflight asks for the memory of a record and returns its file and its size.
func (f *front) getInflight(rings, queue uint16) (fd int, size uint64) {
	f.t.Helper()
	f.raw(encode(getInflight, 0, inflightPayload(0, 0, rings, queue)))
	b, control := make([]byte, 12+20), make([]byte, 64)
	n, oobn, _, _, err := f.socket.ReadMsgUnix(b, control)
	if err != nil || n != len(b) {
		f.t.Fatalf("%d bytes, %v", n, err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:oobn])
	if err != nil || len(messages) != 1 {
		f.t.Fatalf("%d control messages, %v", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		f.t.Fatalf("%d descriptors, %v", len(fds), err)
	}
	f.t.Cleanup(func() { _ = unix.Close(fds[0]) })
	size = binary.NativeEndian.Uint64(b[12:])
	if want := inflightPayload(size, 0, rings, queue); string(b[12:]) != string(want) {
		f.t.Fatalf("the answer is %x, expected %x", b[12:], want)
	}
	return fds[0], size
}

// The memory of a record is as large as the document says, zero, and cannot be truncated.
func TestInflightMemory(t *testing.T) {
	for _, c := range []struct {
		features uint64
		want     uint64 // for 2 rings of 100 descriptors: head and states, a multiple of 64
	}{{bits(bitVersion1), 2 * 1664}, {bits(bitVersion1, bitPacked), 2 * 3264}} {
		f := newFront(t, vhostback.Config{})
		f.hello(allProtocol, c.features)
		fd, size := f.getInflight(2, 100)
		if size != c.want {
			t.Errorf("%d bytes, expected %d", size, c.want)
		}
		b := make([]byte, size+1)
		if n, err := unix.Pread(fd, b, 0); n != int(size) || err != nil || strings.Trim(string(b), "\x00") != "" {
			t.Errorf("%d bytes, %v, %x", n, err, b)
		}
		if err := unix.Ftruncate(fd, 0); err == nil {
			t.Error("it can be truncated")
		}
	}
	f := newFront(t, vhostback.Config{Raw: &vhostback.RawConfig{}})
	if got := f.askNumber(getProtocolFeatures); got != rawProtocol {
		t.Errorf("the raw engine offers %#x", got)
	}
}

// What a peer says about a record that is not so ends the connection with its name.
func TestWrongInflight(t *testing.T) {
	for name, c := range map[string]struct {
		request uint32
		payload []byte
	}{
		"no rings":     {getInflight, inflightPayload(0, 0, 0, 16)},
		"three rings":  {getInflight, inflightPayload(0, 0, 3, 16)},
		"no size":      {getInflight, inflightPayload(0, 0, 2, 0)},
		"size 32769":   {getInflight, inflightPayload(0, 0, 2, 32769)},
		"cut off":      {getInflight, inflightPayload(0, 0, 2, 16)[:19]},
		"too small":    {setInflight, inflightPayload(100, 0, 2, 16)},
		"huge":         {setInflight, inflightPayload(1<<40, 0, 2, 16)},
		"crooked":      {setInflight, inflightPayload(4096, 4, 2, 16)},
		"past the end": {setInflight, inflightPayload(4096, shared, 2, 16)},
		"wraps":        {setInflight, inflightPayload(4096, 1<<64-8, 2, 16)},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t, vhostback.Config{})
			f.hello(allProtocol, bits(bitVersion1))
			var fds []int
			if c.request == setInflight {
				fds = append(fds, f.fd)
			}
			f.raw(encode(c.request, 0, c.payload), fds...)
			expect[*vhostback.Error](t, f.over())
			f.clean()
		})
	}
	t.Run("no room for the ring", func(t *testing.T) {
		f := newFront(t, vhostback.Config{})
		f.hello(inflight, bits(bitVersion1))
		f.share()
		f.need = false
		f.send(setInflight, inflightPayload(4096, shared/2, 2, 8), f.fd)
		f.place(0, newRing(f, 0, 16), 0, -1, -1)
		expect[*vhostback.RingError](t, f.over())
		f.clean()
	})
	t.Run("while rings run", func(t *testing.T) {
		f := newFront(t, vhostback.Config{})
		f.up(bits(bitVersion1), 16)
		f.raw(encode(setInflight, 0, inflightPayload(4096, shared/2, 2, 16)), f.fd)
		expectProtocol(t, f.over())
	})
}

// survivor is a front end whose rings outlive back ends.
type survivor struct {
	*front
	cfg    vhostback.Config
	rx, tx *ring
	fd     int // of the record; -1: the front end keeps none
	size   uint64
	sent   int
	moved  uint32 // what is added to the base of the transmitq
}

func newSurvivor(t *testing.T, cfg vhostback.Config, features uint64, tracks bool) *survivor {
	t.Helper()
	s := &survivor{front: newFront(t, cfg), cfg: cfg, fd: -1}
	s.hello(inflight, features)
	if tracks {
		s.fd, s.size = s.getInflight(2, 16)
	}
	s.rx, s.tx = newRing(s.front, 0, 16), newRing(s.front, 0x10000, 16)
	s.start(s.fresh())
	return s
}

// start starts the rings at base, with the record if there is one.
func (s *survivor) start(base uint32) {
	s.t.Helper()
	s.share()
	if s.fd >= 0 {
		s.send(setInflight, inflightPayload(s.size, 0, 2, 16), s.fd)
	}
	for i, r := range []*ring{s.rx, s.tx} {
		s.place(uint32(i), r, base+uint32(i)*s.moved, -1, -1)
		s.send(setVringEnable, words(uint32(i), 1))
	}
	s.fence()
}

// replace ends the back end without a word to the front end, and starts another one.
func (s *survivor) replace(features uint64, base uint32) {
	s.t.Helper()
	s.restart(s.t, s.cfg)
	s.hello(inflight, features)
	s.start(base)
}

// restart ends the back end and starts another one at the same socket.
func (f *front) restart(t testing.TB, cfg vhostback.Config) {
	t.Helper()
	if err := f.back.Close(); err != nil {
		t.Fatal(err)
	}
	_ = f.socket.Close()
	for len(f.ended) > 0 {
		<-f.ended
	}
	cfg.Ended = func(err error) { f.ended <- err }
	cfg.Device.Backend = wire.Loop()
	back, err := vhostback.Serve(f.path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.back = back
	t.Cleanup(func() { _ = back.Close() })
	f.connect()
}

// exchange sends n packets, one after the other, and expects each one back. More receive
// buffers than that are available, so that the ring is never where it was.
func (s *survivor) exchange(n int) {
	s.t.Helper()
	for range n {
		for s.rx.next-s.rx.seen < 16 {
			s.rx.add(guestBase+buffer(s.rx.next%16), 0x800, write)
		}
		b := s.mem[buffer(16):]
		clear(b[:header])
		text := fmt.Sprintf("packet %08d, and so on until it is long enough to be one, and longer", s.sent)
		copy(b[header:], text)
		s.tx.add(guestBase+buffer(16), header+60, 0)
		s.until("the packet comes back", func() bool {
			id, length, ok := s.rx.used()
			if !ok {
				return false
			}
			if got := string(s.mem[buffer(id)+header : buffer(id)+uint64(length)]); got != text[:60] {
				s.t.Fatalf("packet %d came back as %q", s.sent, got)
			}
			return true
		})
		s.until("its buffer is used", func() bool { _, _, ok := s.tx.used(); return ok })
		s.sent++
	}
}

func loopConfig() vhostback.Config {
	return vhostback.Config{Stepped: true, Device: vdev.Config{Backend: wire.Loop(), Hold: true}}
}

// A front end with a record goes on with one back end after the other, at each place in
// its rings, though it says each time that they begin.
func TestBackEndIsReplaced(t *testing.T) {
	for name, features := range map[string]uint64{"split": bits(bitVersion1), "packed": bits(bitVersion1, bitPacked)} {
		t.Run(name, func(t *testing.T) {
			s := newSurvivor(t, loopConfig(), features, true)
			for n := range 20 {
				s.exchange(1 + n%5)
				s.replace(features, s.fresh())
			}
			s.exchange(40)
			if s.rx.next-s.rx.seen != 15 {
				t.Errorf("%d receive buffers are out", s.rx.next-s.rx.seen)
			}
			if v := s.back.Device().Violations(); len(v) != 0 {
				t.Errorf("the device recorded %v", v)
			}
		})
	}
}

// A device that was reset has rings that begin anew: a record that was given before does
// not count.
func TestResetDropsRecord(t *testing.T) {
	for name, features := range map[string]uint64{"split": bits(bitVersion1), "packed": bits(bitVersion1, bitPacked)} {
		t.Run(name, func(t *testing.T) {
			s := newSurvivor(t, loopConfig(), features, true)
			s.exchange(5)
			s.send(resetDevice, nil)
			clear(s.mem)
			s.fd = -1
			s.hello(inflight, features)
			s.rx, s.tx = newRing(s.front, 0, 16), newRing(s.front, 0x10000, 16)
			s.start(s.fresh())
			s.exchange(20)
		})
	}
}

// A record full of garbage is refused by name or does no harm, and the back end serves the
// next peer.
func TestGarbageRecord(t *testing.T) {
	for name, features := range map[string]uint64{"split": bits(bitVersion1), "packed": bits(bitVersion1, bitPacked)} {
		t.Run(name, func(t *testing.T) {
			for _, fill := range []byte{1, 0x55, 0xff} {
				s := newSurvivor(t, loopConfig(), features, true)
				s.exchange(3)
				all := make([]byte, s.size)
				for i := range all {
					all[i] = fill
				}
				for _, at := range []int64{0, 12, 64} {
					s.restart(t, s.cfg)
					s.hello(inflight, features)
					if _, err := unix.Pwrite(s.fd, all[at:], at); err != nil {
						t.Fatal(err)
					}
					s.share()
					s.need = false
					s.send(setInflight, inflightPayload(s.size, 0, 2, 16), s.fd)
					s.place(0, s.rx, s.fresh(), -1, -1)
					if e := expect[*vhostback.RingError](t, s.over()); !strings.Contains(e.Reason, "in flight") {
						t.Error(e)
					}
				}
				s.restart(t, s.cfg)
				s.hello(inflight, features)
				s.fence()
			}
		})
	}
}

func packedState(t *testing.T) vhostback.Config {
	cfg := loopConfig()
	cfg.StateFile = filepath.Join(t.TempDir(), "state")
	return cfg
}

// A front end that keeps no record, and says each time that its packed rings begin, goes
// on with one back end after the other that have a state file.
func TestStateFile(t *testing.T) {
	features := bits(bitVersion1, bitPacked)
	s := newSurvivor(t, packedState(t), features, false)
	for n := range 20 {
		s.exchange(1 + n%5)
		s.replace(features, s.fresh())
	}
	s.exchange(40)
	if v := s.back.Device().Violations(); len(v) != 0 {
		t.Errorf("the device recorded %v", v)
	}
}

// While no back end is there, QEMU itself uses what a guest transmits, from where it
// believes the ring to be: in front of packets that are still available, and maybe not at
// all. The driver sees none of that before the descriptors in front of it are used.
func TestFrontEndDropsItself(t *testing.T) {
	features := bits(bitVersion1, bitPacked)
	for _, before := range []int{20, 21, 22, 23, 29, 30, 31, 32} {
		t.Run(fmt.Sprint(before), func(t *testing.T) {
			s := newSurvivor(t, packedState(t), features, false)
			s.exchange(before)
			if err := s.back.Close(); err != nil {
				t.Fatal(err)
			}
			const more = 4
			for range 32 + more - before {
				if s.tx.next-s.tx.seen < 16 {
					s.tx.add(guestBase+buffer(16), header+60, 0)
				}
			}
			dropped := 0
			for i := 32; i < s.tx.next; i++ { // at slot 0 of the third lap
				off := s.tx.areas()[0] + 16*uint64(i%16)
				s.tx.put(off+8, 0)
				s.tx.put(off+12, s.tx.get(off+12)&0xffff|(1<<7|1<<15)<<16)
				dropped++
			}
			s.moved = uint32(dropped) * 0x10001
			s.replace(features, s.fresh())
			for s.tx.seen < s.tx.next {
				s.until("what was sent is used", func() bool { _, _, ok := s.tx.used(); return ok })
			}
			s.exchange(40)
			s.replace(features, s.fresh())
			s.exchange(40)
			if v := s.back.Device().Violations(); len(v) != 0 {
				t.Errorf("the device recorded %v", v)
			}
		})
	}
}

// What is in the state file does not count for rings that begin anew, whatever tells so:
// the position that the front end was told, a reset, other memory, or, if the driver began
// anew while no back end was there, only what is in the ring.
func TestStateFileOfAnotherRing(t *testing.T) {
	features := bits(bitVersion1, bitPacked)
	fresh := func(s *survivor) {
		clear(s.mem)
		s.rx, s.tx = newRing(s.front, 0, 16), newRing(s.front, 0x10000, 16)
	}
	for name, begin := range map[string]func(s *survivor){
		"stopped": func(s *survivor) {
			for i, r := range []*ring{s.rx, s.tx} {
				base := binary.NativeEndian.Uint32(s.ask(getVringBase, words(uint32(i), 0), 8)[4:])
				s.place(uint32(i), r, base, -1, -1)
				s.send(setVringEnable, words(uint32(i), 1))
			}
		},
		"stopped and replaced": func(s *survivor) {
			for i := range uint32(2) {
				s.ask(getVringBase, words(i, 0), 8)
			}
			fresh(s)
			s.replace(features, s.fresh())
		},
		"reset": func(s *survivor) {
			s.send(resetDevice, nil)
			fresh(s)
			s.replace(features, s.fresh())
		},
		"other memory": func(s *survivor) {
			s.front.fd, s.front.mem = sharedFile(t, shared)
			fresh(s)
			s.replace(features, s.fresh())
		},
		"zeros": func(s *survivor) {
			fresh(s)
			s.replace(features, s.fresh())
		},
		"begun anew": func(s *survivor) {
			fresh(s)
			for range 16 {
				s.rx.add(guestBase+buffer(s.rx.next%16), 0x800, write)
			}
			s.replace(features, s.fresh())
		},
		"used by another device": func(s *survivor) {
			cfg := s.cfg
			s.cfg = loopConfig()
			fresh(s)
			s.replace(features, s.fresh())
			s.exchange(3)
			for i, r := range []*ring{s.rx, s.tx} {
				base := binary.NativeEndian.Uint32(s.ask(getVringBase, words(uint32(i), 0), 8)[4:])
				if i == 1 {
					s.cfg = cfg
					s.restart(t, cfg)
					s.hello(inflight, features)
					s.share()
					for j, q := range []*ring{s.rx, r} {
						s.place(uint32(j), q, base, -1, -1)
						s.send(setVringEnable, words(uint32(j), 1))
					}
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, before := range []int{1, 7, 16, 21, 32, 40} {
				s := newSurvivor(t, packedState(t), features, false)
				s.exchange(before)
				begin(s)
				s.exchange(40)
			}
		})
	}
}

// A file that is no state file is left alone, and one has one user.
func TestWrongStateFile(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("something that is worth keeping"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(text, link); err != nil {
		t.Fatal(err)
	}
	used := packedState(t)
	newFront(t, used)
	files := fdtest.Count(t)
	for path, reason := range map[string]string{
		text: "is not a state file", link: "symbolic link", filepath.Join(dir, "none", "f"): "no such file",
		used.StateFile: "another back end uses it", dir: "directory",
	} {
		cfg := loopConfig()
		cfg.StateFile = path
		back, err := vhostback.Serve(filepath.Join(dir, "s"), cfg)
		var e *vhostback.Error
		if !errors.As(err, &e) || !strings.Contains(e.Error(), reason) || !strings.Contains(e.Error(), path) {
			t.Errorf("%s: %v", path, err)
			if back != nil {
				_ = back.Close()
			}
		}
	}
	if b, err := os.ReadFile(text); err != nil || string(b) != "something that is worth keeping" {
		t.Errorf("%q, %v", b, err)
	}
	if n := fdtest.Count(t); n > files {
		t.Errorf("%d descriptors are open, there were %d", n, files)
	}
	if _, err := vhostback.Serve(filepath.Join(dir, "s"), vhostback.Config{Raw: &vhostback.RawConfig{}, StateFile: filepath.Join(dir, "f")}); err == nil {
		t.Error("raw mode takes a state file")
	}
}
