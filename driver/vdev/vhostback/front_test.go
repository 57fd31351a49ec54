package vhostback_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The numbers of the protocol, written from its description for the tests: they are
// shared with neither side of the code under test.
const (
	getFeatures, setFeatures, setOwner, resetOwner              = 1, 2, 3, 4
	setMemTable, setLogBase, setLogFD                           = 5, 6, 7
	setVringNum, setVringAddr, setVringBase, getVringBase       = 8, 9, 10, 11
	setVringKick, setVringCall, setVringErr                     = 12, 13, 14
	getProtocolFeatures, setProtocolFeatures                    = 15, 16
	getQueueNum, setVringEnable, sendRARP, netSetMTU            = 17, 18, 19, 20
	setBackendFD, iotlb, getConfig, setConfig                   = 21, 22, 24, 25
	getInflight, setInflight, resetDevice                       = 31, 32, 34
	getMaxMemSlots, addMemReg, remMemReg, setStatus, getStatus_ = 36, 37, 38, 39, 40

	needReply = 8
)

const (
	bitMrgRxbuf, bitMQ, bitIndirect, bitEventIdx = 15, 22, 28, 29
	bitProtocol, bitVersion1, bitPacked          = 30, 32, 34
	bitInOrder                                   = 35

	allProtocol = 1<<0 | 1<<2 | 1<<3 | 1<<4 | 1<<9 | 1<<12 | 1<<13 | 1<<15 | 1<<16
	noStatus    = rawProtocol &^ (1 << 16)
	rawProtocol = allProtocol &^ (1<<2 | 1<<12) // what the raw engine offers
	inflight    = noStatus | 1<<12
)

func bits(list ...uint) (v uint64) {
	for _, b := range list {
		v |= 1 << b
	}
	return v
}

// Addresses at which the tests share memory, in three different address spaces.
const (
	guestBase = 0x1_0000_0000
	userBase  = 0x7f00_1234_5000
	shared    = 1 << 20
)

// front is a scripted front end.
type front struct {
	t       testing.TB
	back    *vhostback.Backend
	socket  *net.UnixConn
	ended   chan error
	mem     []byte // what is shared
	fd      int    // its file
	path    string
	need    bool // ask for an acknowledgement with each message
	packed  bool
	stepped bool

	fds, maps int // what is open without a connection
}

// newFront starts a back end, connects to it and makes memory to share.
func newFront(t testing.TB, cfg vhostback.Config) *front {
	t.Helper()
	f := &front{t: t, ended: make(chan error, 64), stepped: cfg.Stepped || cfg.Raw != nil}
	f.path = filepath.Join(t.TempDir(), "s")
	cfg.Ended = func(err error) { f.ended <- err }
	var err error
	if f.back, err = vhostback.Serve(f.path, cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.back.Close(); err != nil {
			t.Errorf("closing the back end: %v", err)
		}
	})
	f.fd, f.mem = sharedFile(t, shared)
	f.connect()
	f.fence()
	f.fds, f.maps = resources(t)
	f.fds -= 2 // both ends of the connection
	return f
}

// clean closes this end of a connection that has ended and fails the test if a
// descriptor or a mapping of it is left.
func (f *front) clean() {
	f.t.Helper()
	_ = f.socket.Close()
	if fds, maps := resources(f.t); fds != f.fds || maps != f.maps {
		f.t.Fatalf("%d descriptors and %d mappings are left, expected %d and %d", fds, maps, f.fds, f.maps)
	}
}

func (f *front) connect() {
	f.t.Helper()
	c, err := net.Dial("unix", f.path)
	if err != nil {
		f.t.Fatal(err)
	}
	f.socket, f.need = c.(*net.UnixConn), false
	f.t.Cleanup(func() { _ = c.Close() })
}

// sharedFile makes a file of memory and maps it.
func sharedFile(t testing.TB, size int) (int, []byte) {
	t.Helper()
	fd, err := unix.MemfdCreate("front", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		t.Fatal(err)
	}
	mem, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unix.Munmap(mem)
		_ = unix.Close(fd)
	})
	return fd, mem
}

func kick(fd int) {
	b := binary.NativeEndian.AppendUint64(nil, 1)
	_, _ = unix.Write(fd, b)
}

func words(v ...uint32) (b []byte) {
	for _, n := range v {
		b = binary.NativeEndian.AppendUint32(b, n)
	}
	return b
}

func numbers(v ...uint64) (b []byte) {
	for _, n := range v {
		b = binary.NativeEndian.AppendUint64(b, n)
	}
	return b
}

func encode(request, flags uint32, payload []byte) []byte {
	return append(words(request, 1|flags, uint32(len(payload))), payload...)
}

// raw sends bytes with descriptors.
func (f *front) raw(b []byte, fds ...int) {
	f.t.Helper()
	if err := f.try(b, fds...); err != nil {
		f.t.Fatal(err)
	}
}

func (f *front) try(b []byte, fds ...int) error {
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	_, _, err := f.socket.WriteMsgUnix(b, rights, nil)
	return err
}

// send sends a message, and waits for its acknowledgement if there is to be one.
func (f *front) send(request uint32, payload []byte, fds ...int) {
	f.t.Helper()
	if !f.need {
		f.raw(encode(request, 0, payload), fds...)
		return
	}
	f.raw(encode(request, needReply, payload), fds...)
	if v := binary.NativeEndian.Uint64(f.answer(request, 8)); v != 0 {
		f.t.Fatalf("request %d was answered with %d", request, v)
	}
}

// ask sends a message that has a reply and returns it.
func (f *front) ask(request uint32, payload []byte, size int) []byte {
	f.t.Helper()
	f.raw(encode(request, 0, payload))
	return f.answer(request, size)
}

func (f *front) askNumber(request uint32) uint64 {
	f.t.Helper()
	return binary.NativeEndian.Uint64(f.ask(request, nil, 8))
}

// answer reads a reply and checks its header.
func (f *front) answer(request uint32, size int) []byte {
	f.t.Helper()
	if err := f.socket.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		f.t.Fatal(err)
	}
	b := make([]byte, 12+size)
	if _, err := io.ReadFull(f.socket, b[:12]); err != nil {
		f.t.Fatalf("the answer to request %d: %v", request, err)
	}
	if want := words(request, 5, uint32(size)); string(b[:12]) != string(want) {
		f.t.Fatalf("the answer to request %d begins with %x, expected %x", request, b[:12], want)
	}
	if _, err := io.ReadFull(f.socket, b[12:]); err != nil {
		f.t.Fatalf("the answer to request %d: %v", request, err)
	}
	return b[12:]
}

// fence waits until all messages sent before were handled.
func (f *front) fence() {
	f.t.Helper()
	f.askNumber(getFeatures)
}

// over waits until the back end has ended the connection and returns why.
func (f *front) over() error {
	f.t.Helper()
	select {
	case err := <-f.ended:
		return err
	case <-time.After(time.Minute):
		f.t.Fatal("the back end did not end the connection")
	}
	return nil
}

// hello negotiates: protocol features and device features.
func (f *front) hello(protocol, features uint64) {
	f.t.Helper()
	f.send(setOwner, nil)
	offered := f.askNumber(getFeatures)
	if missing := (features | 1<<bitProtocol) &^ offered; missing != 0 {
		f.t.Fatalf("features %#x are not offered", missing)
	}
	if missing := protocol &^ f.askNumber(getProtocolFeatures); missing != 0 {
		f.t.Fatalf("protocol features %#x are not offered", missing)
	}
	f.send(setProtocolFeatures, numbers(protocol))
	f.need = f.need || protocol>>3&1 != 0
	f.send(setFeatures, numbers(features|1<<bitProtocol))
	f.packed = features>>bitPacked&1 != 0
}

func regionBytes(guest, size, user, offset uint64) []byte { return numbers(guest, size, user, offset) }

// share shares all of the memory as one region.
func (f *front) share() {
	f.t.Helper()
	f.send(setMemTable, append(words(1, 0), regionBytes(guestBase, shared, userBase, 0)...), f.fd)
}

// place puts a ring at an offset of the shared memory and starts it.
func (f *front) place(i uint32, r *ring, base uint32, kickFD, callFD int) {
	f.t.Helper()
	f.send(setVringNum, words(i, uint32(r.size)))
	f.send(setVringBase, words(i, base))
	a := r.areas()
	f.send(setVringAddr, append(words(i, 0), numbers(userBase+a[0], userBase+a[2], userBase+a[1], 0)...))
	if callFD >= 0 {
		f.send(setVringCall, numbers(uint64(i)), callFD)
	}
	if kickFD >= 0 {
		f.send(setVringKick, numbers(uint64(i)), kickFD)
	} else {
		f.send(setVringKick, numbers(uint64(i)|1<<8))
	}
}

// fresh is where a ring begins.
func (f *front) fresh() uint32 {
	if f.packed {
		return 0x80008000
	}
	return 0
}

// up sets up a device with one pair of queues and disabled notifications.
func (f *front) up(features uint64, size int) (rx, tx *ring) {
	f.t.Helper()
	f.hello(noStatus, features)
	f.share()
	rx, tx = newRing(f, 0, size), newRing(f, 0x10000, size)
	for i, r := range []*ring{rx, tx} {
		f.place(uint32(i), r, f.fresh(), -1, -1)
		f.send(setVringEnable, words(uint32(i), 1))
	}
	return rx, tx
}

// until steps the device, if it is to be stepped, until ok.
func (f *front) until(what string, ok func() bool) {
	f.t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); {
		if f.stepped {
			f.back.Poll()
		} else {
			time.Sleep(50 * time.Microsecond)
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("%s: did not happen; %+v", what, f.back.Counters())
		}
	}
}

// resources counts descriptors and mappings, which a connection must release.
func resources(t testing.TB) (fds, maps int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return fdtest.Count(t), strings.Count(string(text), "memfd:front")
}

// expect fails the test if err is not of type E, and returns it.
func expect[E error](t testing.TB, err error) E {
	t.Helper()
	var e E
	if !errors.As(err, &e) {
		t.Fatalf("the connection ended with %v (%T), expected %T", err, err, e)
	}
	return e
}

// expectProtocol fails the test if err is not a message that the protocol does not
// have.
func expectProtocol(t testing.TB, err error) *vhostback.Error {
	t.Helper()
	e := expect[*vhostback.Error](t, err)
	if e.Field == "" || !strings.HasPrefix(e.Reason, "expected ") {
		t.Fatalf("the connection ended with %v, not because of a message", err)
	}
	return e
}

// expectMemory fails the test if err is not about memory that cannot be shared.
func expectMemory(t testing.TB, err error) *vhostback.Error {
	t.Helper()
	e := expect[*vhostback.Error](t, err)
	if e.Op != "shared memory" {
		t.Fatalf("the connection ended with %v, not because of memory", err)
	}
	return e
}

// expectBroken fails the test if err is not a connection that broke.
func expectBroken(t testing.TB, err error) *vhostback.Error {
	t.Helper()
	e := expect[*vhostback.Error](t, err)
	if e.Err == nil || e.Field != "" {
		t.Fatalf("the connection ended with %v, it did not break", err)
	}
	return e
}

// kinds are the back ends that ring tests run against.
func kinds(t *testing.T, run func(t *testing.T, cfg vhostback.Config, features uint64)) {
	for _, format := range []struct {
		name string
		bits uint64
	}{{"split", bits(bitVersion1)}, {"packed", bits(bitVersion1, bitPacked)}} {
		t.Run(format.name+"/device", func(t *testing.T) {
			run(t, vhostback.Config{Device: vdev.Config{Backend: wire.Gen(64)}}, format.bits)
		})
		t.Run(format.name+"/raw", func(t *testing.T) {
			run(t, vhostback.Config{Raw: &vhostback.RawConfig{Generate: true}}, format.bits)
		})
	}
}
