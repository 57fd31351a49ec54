package vhostback_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

// Invalid memory is refused before it is touched.
func TestWrongMemory(t *testing.T) {
	const top = ^uint64(0)
	good := regionBytes(guestBase, 0x4000, userBase, 0)
	for _, m := range []struct {
		name    string
		regions []byte
	}{
		{"no bytes", regionBytes(guestBase, 0, userBase, 0)},
		{"beyond the file", regionBytes(guestBase, shared+1, userBase, 0)},
		{"offset beyond the file", regionBytes(guestBase, 4096, userBase, shared)},
		{"guest addresses wrap", regionBytes(top-4095, 8192, userBase, 0)},
		{"user addresses wrap", regionBytes(guestBase, 8192, top-4095, 0)},
		{"offset and size wrap", regionBytes(guestBase, 8192, userBase, top-4095)},
		{"a size of 16 EiB", regionBytes(0, top, 0, 0)},
		{"a size of 8 EiB", regionBytes(0, 1<<63, 0, 0)},
		{"guest overlap", append(append([]byte(nil), good...), regionBytes(guestBase+0x3fff, 4096, userBase+0x10000, 0)...)},
		{"guest inside", append(append([]byte(nil), good...), regionBytes(guestBase+0x1000, 4096, userBase+0x10000, 0)...)},
		{"user overlap", append(append([]byte(nil), good...), regionBytes(guestBase+0x10000, 4096, userBase+0x3fff, 0)...)},
		{"the same twice", append(append([]byte(nil), good...), good...)},
	} {
		t.Run(m.name, func(t *testing.T) {
			f := newFront(t, vhostback.Config{})
			n := len(m.regions) / 32
			f.raw(encode(setMemTable, 0, append(words(uint32(n), 0), m.regions...)), []int{f.fd, f.fd}[:n]...)
			expectMemory(t, f.over())
			f.clean()
		})
	}
}

// A descriptor that is not a file in memory is not mapped.
func TestNoFileOfMemory(t *testing.T) {
	f := newFront(t, vhostback.Config{})
	fd := fdtest.Eventfd(t)
	f.raw(encode(setMemTable, 0, append(words(1, 0), regionBytes(0, 4096, 0, 0)...)), fd)
	expectMemory(t, f.over())

	f = newFront(t, vhostback.Config{})
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, make([]byte, 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	f.raw(encode(setMemTable, 0, append(words(1, 0), regionBytes(0, 4096, 0, 0)...)), int(read.Fd()))
	if e := expectMemory(t, f.over()); e.Err != unix.EACCES {
		t.Errorf("a file that is open for reading: %v", e)
	}
}

// Regions are added one by one or in a table, at offsets that are not aligned to
// pages, and removed; rings keep working when the table changes.
func TestRegions(t *testing.T) {
	kinds(t, func(t *testing.T, cfg vhostback.Config, features uint64) {
		cfg.Slots = 2
		f := newFront(t, cfg)
		f.hello(noStatus, features)
		// Rings in one region, buffers in another, which begins in the middle of a page.
		const cut = 0x40000 + 0x800
		first := regionBytes(guestBase, cut, userBase, 0)
		second := regionBytes(guestBase+shared, shared-cut, userBase+shared, cut)
		f.send(addMemReg, append(numbers(0), first...), f.fd)
		rx := newRing(f, 0, 16)
		f.place(0, rx, f.fresh(), -1, -1)
		f.send(setVringEnable, words(0, 1))
		arrives := func() {
			t.Helper()
			off := buffer(1 + rx.next%8)
			f.mem[off] = 0xff
			rx.add(guestBase+shared+off-cut, 0x800, write)
			f.until("a frame arrives", func() bool { _, _, ok := rx.used(); return ok })
			if f.mem[off] != 0 {
				t.Error("the frame is elsewhere")
			}
		}
		for range 3 {
			f.send(addMemReg, append(numbers(0), second...), f.fd)
			arrives()
			f.send(remMemReg, append(numbers(0), second...))
			f.send(addMemReg, append(numbers(0), second...), f.fd)
			arrives()
			f.send(remMemReg, append(numbers(0), second...), f.fd) // with a descriptor, as some do
			f.send(setMemTable, append(append(words(2, 0), second...), first...), f.fd, f.fd)
			arrives()
			f.send(remMemReg, append(numbers(0), second...))
		}
		f.send(addMemReg, append(numbers(0), second...), f.fd)
		third := regionBytes(0, 4096, 0, 0)
		f.raw(encode(addMemReg, 0, append(numbers(0), third...)), f.fd)
		if e := expectProtocol(t, f.over()); e.Field != "number of regions" {
			t.Error(e)
		}
	})
}

// Memory of a running ring cannot be removed, nor memory that was never shared.
func TestMemoryOfRunningRing(t *testing.T) {
	for name, send := range map[string]func(f *front){
		"table": func(f *front) { f.raw(encode(setMemTable, 0, words(0, 0))) },
		"region": func(f *front) {
			f.raw(encode(remMemReg, 0, append(numbers(0), regionBytes(guestBase, shared, userBase, 0)...)))
		},
		"another": func(f *front) {
			f.raw(encode(remMemReg, 0, append(numbers(0), regionBytes(guestBase, 4096, userBase, 0)...)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t, vhostback.Config{Device: vdev.Config{Backend: wire.Gen(64)}})
			f.up(bits(bitVersion1), 16)
			f.fence()
			send(f)
			expectMemory(t, f.over())
			f.clean()
		})
	}
}

// A ring outside the shared memory is refused; its addresses are user addresses.
func TestRingOutsideOfMemory(t *testing.T) {
	for _, base := range []uint64{guestBase, userBase + shared - 255, userBase - 4096, ^uint64(0) - 15} {
		f := newFront(t, vhostback.Config{})
		f.hello(noStatus, bits(bitVersion1))
		f.need = false
		f.share()
		f.send(setVringNum, words(0, 16))
		f.send(setVringAddr, append(words(0, 0), numbers(base, userBase+0x1000, userBase+0x2000, 0)...))
		f.send(setVringKick, numbers(1<<8))
		if e := expectMemory(t, f.over()); e.Value != base {
			t.Error(e)
		}
	}
}

// A file that its owner truncates while rings run stops the device and ends the
// connection; the program goes on, and serves the next peer.
func TestFileTruncated(t *testing.T) {
	kinds(t, func(t *testing.T, cfg vhostback.Config, features uint64) {
		cfg.Stepped = false
		f := newFront(t, cfg)
		f.stepped = false
		stop := make(chan struct{})
		stopped := make(chan struct{})
		if cfg.Raw != nil {
			go poller(f.back, stop, stopped)
			defer func() { close(stop); <-stopped }()
		}
		rx, _ := f.up(features, 16)
		if err := unix.Ftruncate(f.fd, 0x20000); err != nil {
			t.Fatal(err)
		}
		rx.add(guestBase+buffer(0), 0x800, write)
		e := expect[*vhostback.RingError](t, f.over())
		if e.Rule != "x/memory/fault" {
			t.Error(e)
		}
		if err := unix.Ftruncate(f.fd, shared); err != nil {
			t.Fatal(err)
		}
		clear(f.mem)
		f.connect()
		rx, _ = f.up(features, 16)
		rx.add(guestBase+buffer(0), 0x800, write)
		f.until("a frame arrives", func() bool { _, _, ok := rx.used(); return ok })
	})
}
