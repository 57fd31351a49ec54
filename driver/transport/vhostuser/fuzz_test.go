package vhostuser

import (
	"bytes"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

// bytesOf is a message as a back end might send it.
func bytesOf(r request, flags, size uint32, payload ...byte) []byte {
	b := order.AppendUint32(nil, uint32(r))
	b = order.AppendUint32(b, flags)
	b = order.AppendUint32(b, size)
	return append(b, payload...)
}

// FuzzReply decodes any bytes as the reply to any request. What is accepted is
// exactly what was expected.
func FuzzReply(f *testing.F) {
	f.Add(uint32(getFeatures), 0, bytesOf(getFeatures, 5, 8, make([]byte, 8)...))
	f.Add(uint32(getVringBase), 3, bytesOf(getVringBase, 5, 8, 3, 0, 0, 0, 7, 0, 0, 0))
	f.Add(uint32(getConfig), 12, bytesOf(getConfig, 5, 24, make([]byte, 24)...))
	f.Add(uint32(getConfig), 12, bytesOf(getConfig, 5, 0))
	f.Add(uint32(setFeatures), 0, bytesOf(setFeatures, 5, 8, 1, 0, 0, 0, 0, 0, 0, 0))
	f.Add(uint32(getStatus), 0, bytesOf(getStatus, 5, 0xffffffff))
	f.Fuzz(func(t *testing.T, asked uint32, n int, data []byte) {
		if len(data) < headerLen || n < 0 || n > configMax {
			return
		}
		want := expectation{request: request(asked), size: u64Len}
		if want.request == getConfig {
			want.size, want.orEmpty = configHead+n, true
		}
		h := decodeHeader((*[headerLen]byte)(data))
		if (*expectation)(nil).check(h) == nil {
			t.Fatal("a message was accepted that was not expected")
		}
		if want.check(h) != nil {
			return
		}
		if h.request != want.request || h.flags&7 != 5 || int(h.size) != want.size &&
			(h.size != 0 || !want.orEmpty) {
			t.Fatalf("accepted %+v for %+v", h, want)
		}
		payload := data[headerLen:]
		if uint64(h.size) > uint64(len(payload)) {
			return // the rest is never received
		}
		decode(t, want.request, n, payload[:h.size])
	})
}

// decode reads a payload as the reply to a request and compares it with the
// bytes.
func decode(t *testing.T, r request, n int, payload []byte) {
	switch r {
	case getVringBase:
		if v, err := decodeState(payload, n); err == nil &&
			!bytes.Equal(payload, vringState(r, n, v).payload) {
			t.Fatalf("ring %d is at %d: %x", n, v, payload)
		}
	case getConfig:
		// Offset and size have to be those of the request, the flags need not.
		if b, err := decodeConfig(payload, n); err == nil &&
			(len(b) != n || !bytes.Equal(payload[:8], readConfig(n).payload[:8])) {
			t.Fatalf("%d bytes of configuration: %x", n, payload)
		}
	default:
		v, err := decodeU64(r, payload)
		if err != nil || !bytes.Equal(payload, order.AppendUint64(nil, v)) {
			t.Fatalf("the number %d: %x, %v", v, payload, err)
		}
	}
}

// FuzzBegin has a back end send any bytes and close the connection. The front end
// returns, with or without an error, and leaves no descriptor open.
func FuzzBegin(f *testing.F) {
	f.Add(bytesOf(getFeatures, 5, 8, 0, 0, 0, 0, 1, 0, 0, 0), false)
	features := bytesOf(getFeatures, 5, 8, 0, 0, 0, 0x40, 1, 0, 0, 0)
	protocols := bytesOf(getProtocolFeatures, 5, 8, 9, 0, 1, 0, 0, 0, 0, 0)
	f.Add(bytes.Join([][]byte{features, protocols, bytesOf(getQueueNum, 5, 8, make([]byte, 8)...)},
		nil), false)
	f.Add(features[:7], true)
	f.Fuzz(func(t *testing.T, data []byte, descriptors bool) {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fds[1])
		var oob []byte
		if descriptors {
			oob = unix.UnixRights(fds[1], fds[1])
		}
		if err := unix.Sendmsg(fds[1], data[:min(len(data), 4096)], oob, nil, 0); err != nil {
			t.Fatal(err)
		}
		if err := unix.Shutdown(fds[1], unix.SHUT_WR); err != nil {
			t.Fatal(err)
		}
		file := os.NewFile(uintptr(fds[0]), "")
		conn, err := net.FileConn(file)
		_ = file.Close()
		if err != nil {
			t.Fatal(err)
		}
		before := fdtest.Count(t)
		s := newSession("fuzz", conn.(*net.UnixConn), 2*time.Minute, 2*time.Minute)
		began := time.Now()
		if err := s.begin(); err == nil && (s.protocol&^protocolImplemented != 0 || s.pairs < 1 ||
			s.pairs > maxRings/2 || s.slots < 0) {
			t.Fatalf("negotiated %+v", s.negotiated)
		}
		s.close()
		if time.Since(began) > time.Minute {
			t.Fatal("it took too long")
		}
		if after := fdtest.Count(t); after > before-1 {
			t.Fatalf("%d descriptors are open, there were %d with the connection", after, before)
		}
	})
}
