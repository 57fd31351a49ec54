package vhostuser_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Protocol features, as numbers of bits: the tests speak the wire on their own
// and share no constant with the front end.
const (
	mq, replyAck, config, reset, slots, status = 0, 3, 9, 13, 15, 16
)

// Device features.
const (
	version1 = 1 << 32
	packed   = 1 << 34
	multiQ   = 1 << 22
	protocol = 1 << 30
)

var names = map[uint32]string{
	1: "GET_FEATURES", 2: "SET_FEATURES", 3: "SET_OWNER", 5: "SET_MEM_TABLE",
	8: "SET_VRING_NUM", 9: "SET_VRING_ADDR", 10: "SET_VRING_BASE", 11: "GET_VRING_BASE",
	12: "SET_VRING_KICK", 13: "SET_VRING_CALL", 14: "SET_VRING_ERR",
	15: "GET_PROTOCOL_FEATURES", 16: "SET_PROTOCOL_FEATURES", 17: "GET_QUEUE_NUM",
	18: "SET_VRING_ENABLE", 19: "SEND_RARP", 24: "GET_CONFIG", 34: "RESET_DEVICE", 36: "GET_MAX_MEM_SLOTS",
	37: "ADD_MEM_REG", 38: "REM_MEM_REG", 39: "SET_STATUS", 40: "GET_STATUS",
}

// descriptors says how many go with a message; -1 is counted in its payload.
var descriptors = map[uint32]int{5: -1, 37: 1, 12: 1, 13: 1, 14: 1}

// backend is a back end from a script: it answers as a good one does, except
// where a test replaces its answer.
type backend struct {
	t    *testing.T
	path string
	// What it offers.
	features, protocols, pairs, slotCount uint64
	config                                []byte
	// once: there is no second connection.
	once bool
	// answer replaces the back end's own answer to a message, if it returns
	// true. It runs in the back end's goroutine.
	answer func(p *peer, m msg) bool

	listener *net.UnixListener
	running  sync.WaitGroup
	mu       sync.Mutex
	log      []string
	peers    []*peer
	wrong    []string
}

// newBackend makes a back end like DPDK's, which is not started yet.
func newBackend(t *testing.T) *backend {
	b := &backend{t: t, path: filepath.Join(t.TempDir(), "s"),
		features:  version1 | packed | protocol | multiQ,
		protocols: 1<<mq | 1<<replyAck | 1<<status, pairs: 2, slotCount: 32}
	t.Cleanup(func() {
		b.stop()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, w := range b.wrong {
			t.Error("the front end broke a rule: " + w)
		}
	})
	return b
}

// listen starts it as a server.
func (b *backend) listen() *backend {
	b.t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: b.path, Net: "unix"})
	if err != nil {
		b.t.Fatal(err)
	}
	b.listener = l
	once := b.once
	b.running.Go(func() {
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			b.serve(conn)
			if once {
				_ = l.Close()
				return
			}
		}
	})
	return b
}

// connect starts it as a client, as soon as the front end listens.
func (b *backend) connect() {
	b.t.Helper()
	if conn := b.dial(); conn != nil {
		b.serve(conn)
	}
}

// connectAndClose connects and closes the connection, as soon as the front end
// listens.
func (b *backend) connectAndClose() {
	b.t.Helper()
	if conn := b.dial(); conn != nil {
		_ = conn.Close()
	}
}

// dial connects as soon as the front end listens.
func (b *backend) dial() *net.UnixConn {
	b.t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		var conn net.Conn
		if conn, err = net.Dial("unix", b.path); err == nil {
			return conn.(*net.UnixConn)
		}
		time.Sleep(time.Millisecond)
	}
	b.t.Errorf("the front end does not listen: %v", err)
	return nil
}

// serve answers one connection in a goroutine.
func (b *backend) serve(conn *net.UnixConn) {
	p := &peer{b: b, conn: conn, kicks: map[uint64]int{}, errs: map[uint64]int{}}
	b.mu.Lock()
	b.peers = append(b.peers, p)
	b.mu.Unlock()
	b.running.Go(func() {
		defer p.close()
		for {
			m, err := p.read()
			if err != nil {
				return
			}
			b.note(m)
			if b.answer == nil || !b.answer(p, m) {
				p.respond(m)
			}
		}
	})
}

// drop ends the last connection, as SIGKILL would.
func (b *backend) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.peers[len(b.peers)-1].conn.Close()
}

// stop ends listener and connections, and waits for their goroutines.
func (b *backend) stop() {
	if b.listener != nil {
		_ = b.listener.Close()
	}
	b.mu.Lock()
	for _, p := range b.peers {
		_ = p.conn.Close()
	}
	b.mu.Unlock()
	b.running.Wait()
}

// note logs a message in words.
func (b *backend) note(m msg) {
	line := names[m.id]
	u32 := func(i int) uint32 { return binary.NativeEndian.Uint32(m.payload[i:]) }
	switch m.id {
	case 2, 16:
		line += fmt.Sprintf(" %#x", m.number())
	case 12, 13, 14, 39:
		line += fmt.Sprintf(" %d", m.number())
	case 8, 10, 11, 18:
		line += fmt.Sprintf(" %d %#x", u32(0), u32(4))
	case 9:
		line += fmt.Sprintf(" %d", u32(0))
	case 5:
		line += fmt.Sprintf(" %d regions", u32(0))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log = append(b.log, line)
}

// messages returns the messages that arrived since the last call.
func (b *backend) messages() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	log := b.log
	b.log = nil
	return log
}

// compare finds the first message that is not as it should be.
func compare(t *testing.T, got []string, want string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(want), "\n")
	for i := range max(len(got), len(lines)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(lines) {
			w = strings.TrimSpace(lines[i])
		}
		if g != w {
			t.Fatalf("message %d is %q, not %q; all of them:\n%s", i, g, w, strings.Join(got, "\n"))
		}
	}
}

// open opens a device on a back end, and closes it in the end.
func open(t *testing.T, b *backend, o vhostuser.Options) *vhostuser.Device {
	t.Helper()
	d, err := tryOpen(b.path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func tryOpen(path string, o vhostuser.Options) (*vhostuser.Device, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return vhostuser.Open(ctx, path, o)
}

// await receives an event.
func await(t *testing.T, d *vhostuser.Device, want transport.Event) {
	t.Helper()
	select {
	case got := <-d.Events():
		if got != want {
			t.Fatalf("event %d, want %d", got, want)
		}
	case <-time.After(time.Minute):
		t.Fatalf("event %d did not come", want)
	}
}

// syncBuffer is a buffer that several goroutines write to.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
