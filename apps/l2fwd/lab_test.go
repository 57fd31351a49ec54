package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// lab is an l2fwd between two cables, and at their other ends a port each.
//
//	near == cable l == port 0 [l2fwd] port 1 == cable r == far
type lab struct {
	near, far *station
	cancel    context.CancelFunc
	done      chan error
	stdout    bytes.Buffer
	stderr    bytes.Buffer
}

// newLab starts l2fwd with the given keys on its ports. outside are keys for the
// stations.
func newLab(t *testing.T, keys, outside string, updateMACs bool, set func(*plan)) *lab {
	t.Helper()
	p, err := newPlan([]string{"emu:cable=l,mac=52:54:00:00:00:aa" + keys, "emu:cable=r,mac=52:54:00:00:00:bb" + keys}, "")
	if err != nil {
		t.Fatal(err)
	}
	p.options = command.Options{JSON: true, Burst: 32, Logger: slog.New(slog.DiscardHandler)}
	p.updateMACs, p.cables = updateMACs, new(devargs.Cables)
	if set != nil {
		set(p)
	}
	l := startLab(t, p, outside)
	if updateMACs { // to the port that the frame left by, from its own address
		l.near.mac = &[12]byte{2, 0, 0, 0, 0, 0, 0x52, 0x54, 0, 0, 0, 0xaa}
		l.far.mac = &[12]byte{2, 0, 0, 0, 0, 1, 0x52, 0x54, 0, 0, 0, 0xbb}
	}
	return l
}

// startLab starts l2fwd and opens the stations, with some keys, at the other
// ends of the cables l and r.
func startLab(t *testing.T, p *plan, outside string) *lab {
	t.Helper()
	l := &lab{done: make(chan error, 1)}
	l.near = newStation(t, "emu:cable=l"+outside, p.cables, 1)
	l.far = newStation(t, "emu:cable=r"+outside, p.cables, 2)
	ctx, cancel := context.WithCancel(t.Context())
	l.cancel = cancel
	go func() { l.done <- p.run(ctx, &l.stdout, &l.stderr) }()
	return l
}

// stop ends l2fwd and the stations and returns what l2fwd printed.
func (l *lab) stop(t *testing.T) report.Object {
	t.Helper()
	l.cancel()
	select {
	case err := <-l.done:
		if err != nil {
			t.Fatalf("l2fwd: %v\n%s", err, l.stderr.String())
		}
	case <-time.After(hang):
		t.Fatal("l2fwd does not stop")
	}
	for _, s := range []*station{l.near, l.far} {
		if err := s.port.Close(); err != nil {
			t.Errorf("%s: %v", s.port.Name(), err)
		}
	}
	return decode(t, l.stdout.Bytes())
}

// station sends numbered frames and checks those of the other station. It
// belongs to one goroutine.
type station struct {
	port     *driver.Port
	bufs     []*mbuf.Buf
	id       byte // in its frames, to tell directions apart
	sent     int
	device   func() int // polls the device behind the port
	received int
	seen     []bool    // numbers of the frames that came
	last     int       // the highest of them
	mac      *[12]byte // what frames begin with, nil: as they were sent
	fault    error
}

func newStation(t *testing.T, text string, cables *devargs.Cables, id byte) *station {
	t.Helper()
	s := &station{bufs: make([]*mbuf.Buf, 32), id: id, last: -1}
	var err error
	s.port, err = devargs.Open(t.Context(), text, devargs.Options{Cables: cables, EmuPoll: &s.device})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// exchange has both stations send n frames of sizes least to most and receive
// those of the other, with at most window under way each way.
func (l *lab) exchange(t *testing.T, n, least, most, window int) {
	t.Helper()
	l.near.seen, l.far.seen = make([]bool, n), make([]bool, n)
	moved := time.Now()
	for l.near.received < n || l.far.received < n {
		progress := l.near.round(l.far, n, least, most, window)
		progress = l.far.round(l.near, n, least, most, window) || progress
		for _, s := range []*station{l.near, l.far} {
			if s.fault != nil {
				t.Fatal(s.fault)
			}
		}
		if progress {
			moved = time.Now()
			continue
		}
		if time.Since(moved) > hang {
			t.Fatalf("nothing moves; near: sent %d, received %d; far: sent %d, received %d\n%s",
				l.near.sent, l.near.received, l.far.sent, l.far.received, l.stderr.String())
		}
		select {
		case err := <-l.done:
			t.Fatalf("l2fwd ended: %v\n%s", err, l.stderr.String())
		default:
			runtime.Gosched()
		}
	}
}

// round sends and receives what is possible, and reports whether anything moved.
func (s *station) round(peer *station, n, least, most, window int) bool {
	before := s.sent + s.received
	for q := range s.port.Queues() {
		s.send(peer, q, n, least, most, window)
	}
	s.device()
	for q := range s.port.Queues() {
		s.receive(peer, q, least, most)
	}
	return s.sent+s.received != before
}

// send puts as many frames on a queue as the window allows.
func (s *station) send(peer *station, q, n, least, most, window int) {
	room := min(window-(s.sent-peer.received), n-s.sent, len(s.bufs))
	if room <= 0 {
		return
	}
	bufs := s.bufs[:s.port.Pool().Get(s.bufs[:room])]
	for i, b := range bufs {
		s.write(b, s.sent+i, least, most)
	}
	sent := s.port.TxQueue(q).Burst(bufs)
	mbuf.Free(bufs[sent:])
	s.sent += sent
}

// write makes b frame number i of the station.
func (s *station) write(b *mbuf.Buf, i, least, most int) {
	if !b.AppendBytes(seqFrame(s.id, i, least, most)) {
		s.fault = fmt.Errorf("station %d: no buffers", s.id)
	}
}

// seqFrame returns frame number i of a station, whose id is in the upper bits of the
// number in the frame. Sizes go up and down through all that are allowed, in steps
// that do not divide them.
func seqFrame(id byte, i, least, most int) []byte {
	return frametest.Seq(int(id)<<24|i, least+i*977%(most-least+1))
}

func (s *station) receive(peer *station, q, least, most int) {
	got := s.bufs[:s.port.RxQueue(q).Burst(s.bufs)]
	for _, b := range got {
		if err := s.check(b, peer.id, least, most); err != nil && s.fault == nil {
			s.fault = fmt.Errorf("station %d, frame %d: %w", s.id, s.received, err)
		}
		s.received++
	}
	mbuf.Free(got)
}

// check compares a received frame with what the peer sent.
func (s *station) check(b *mbuf.Buf, from byte, least, most int) error {
	frame := frametest.Content(b)
	if len(frame) < frametest.MinLen || frametest.Number(frame)>>24 != int(from) {
		return fmt.Errorf("not one of station %d: %x", from, frame)
	}
	i := frametest.Number(frame) & 0xffffff
	if i >= len(s.seen) || s.seen[i] {
		return fmt.Errorf("number %d came twice or was never sent", i)
	}
	if s.port.Queues() == 1 && i != s.last+1 {
		return fmt.Errorf("number %d came after %d", i, s.last)
	}
	s.seen[i], s.last = true, i
	want := seqFrame(from, i, least, most)
	if s.mac != nil {
		copy(want, s.mac[:])
	}
	if !bytes.Equal(frame, want) {
		return fmt.Errorf("number %d differs:\n got %x\nwant %x", i, frame, want)
	}
	return nil
}

// watcher is a standard error that says when a pattern was written.
type watcher struct {
	found   chan struct{}
	pattern *regexp.Regexp
	mu      sync.Mutex
	text    bytes.Buffer
}

func newWatcher(pattern string) *watcher {
	return &watcher{found: make(chan struct{}), pattern: regexp.MustCompile(pattern)}
}

func (w *watcher) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.pattern.Match(w.text.Bytes())
	w.text.Write(b)
	if !before && w.pattern.Match(w.text.Bytes()) {
		close(w.found)
	}
	return len(b), nil
}

func (w *watcher) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// openForwarder opens the ports of a plan without starting a poller.
func openForwarder(t testing.TB, p *plan) *forwarder {
	t.Helper()
	set, err := p.session().OpenPorts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f, err := newForwarder(p, set)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
