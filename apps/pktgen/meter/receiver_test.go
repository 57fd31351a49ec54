package meter

import (
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// TestEverythingIsCountedOnce gives a receiver packets of every kind.
func TestEverythingIsCountedOnce(t *testing.T) {
	s := newSource(t, 64)
	r := newReceiver(t, Config{Streams: []Stream{{ID: 1, Name: "a"}, {ID: 4, Name: "b"}}})
	chain := s.packet(100, 1, 1, 0)
	second := s.packet(70, 1, 1, 0)
	chain.SetNext(second)
	receive(
		r, 0,
		s.packet(60, 1, 0, 0), chain, // 0 1 in order
		s.packet(60, 4, 7, 0), s.packet(60, 4, 5, 0), s.packet(60, 4, 7, 0), // in order, reordered, duplicate
		s.packet(60, 2, 0, 0), s.packet(60, 5, 0, 0), s.packet(60, 0xffff, 0, 0), // not measured
		s.raw(make([]byte, 60)), s.raw(make([]byte, 15)),
	)
	got := r.Snapshot()
	a, b := got.Streams[0].Counts, got.Streams[1].Counts
	if want := (Counts{InOrder: 2, Bytes: 230}); a != want {
		t.Errorf("stream a: %+v, want %+v", a, want)
	}
	if want := (Counts{
		InOrder: 1, Reordered: 1, Duplicate: 1, Bytes: 180, Skipped: 7, ExtentSum: 1, ExtentMax: 1,
	}); b != want {
		t.Errorf("stream b: %+v, want %+v", b, want)
	}
	if want := (Tally{2, 75}); got.Unknown != want {
		t.Errorf("unknown: %+v, want %+v", got.Unknown, want)
	}
	if want := (Tally{3, 180}); got.Invalid != want {
		t.Errorf("invalid: %+v, want %+v", got.Invalid, want)
	}
	if got.Packets() != 10 || got.Bytes() != 230+180+75+180 {
		t.Errorf("%d packets of %d bytes in all", got.Packets(), got.Bytes())
	}
	if a.Lost(3) != 1 || b.Lost(8) != 6 || b.Missing() != 6 || b.Lost(1) != 0 {
		t.Errorf("lost %d of 3, %d of 8; missing %d", a.Lost(3), b.Lost(8), b.Missing())
	}
}

// TestSignatureInSeveralSegments cuts a packet at every byte of its signature.
func TestSignatureInSeveralSegments(t *testing.T) {
	s := newSource(t, 64)
	r := newReceiver(t, Config{Streams: []Stream{{ID: 1}}})
	data := make([]byte, 60)
	for seq := range uint32(traffic.SignatureLen + 2) {
		sign(data, 1, seq, 0)
		cut := len(data) - int(seq)
		b, tail := s.raw(data[:cut]), s.raw(data[cut:])
		b.SetNext(tail)
		receive(r, 0, b)
	}
	got := r.Snapshot().Streams[0].Counts
	if want := (Counts{InOrder: 18, Bytes: 18 * 60}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

// TestTrialsDoNotMix sends packets of a trial after the next one has begun.
func TestTrialsDoNotMix(t *testing.T) {
	s := newSource(t, 64)
	r := newReceiver(t, Config{Streams: []Stream{{ID: 0, Latency: true}}})
	receive(r, 10, s.packet(60, 0, 0, 1), s.packet(60, 0, 1, 2))
	ended := r.Begin(map[uint16]uint32{0: 5}) // 2, 3 and 4 are under way
	receive(r, 20, s.packet(60, 0, 2, 3), s.packet(60, 0, 5, 14), s.packet(60, 0, 4, 6), s.packet(60, 0, 6, 16))
	got := r.Snapshot()
	if want := (Counts{InOrder: 2, Bytes: 120}); ended.Trial != 0 || ended.Streams[0].Counts != want {
		t.Errorf("trial %d: %+v, want %+v of trial 0", ended.Trial, ended.Streams[0].Counts, want)
	}
	if n := r.Unique(); n != 4 {
		t.Errorf("%d unique packets in both trials", n)
	}
	if want := (Counts{InOrder: 2, Stale: 2, Bytes: 240}); got.Trial != 1 || got.Streams[0].Counts != want {
		t.Errorf("trial %d: %+v, want %+v of trial 1", got.Trial, got.Streams[0].Counts, want)
	}
	if l := ended.Streams[0].Latency; l.Samples() != 2 || l.Min() != 8 || l.Max() != 9 {
		t.Errorf("%d latencies of %d to %d in trial 0", l.Samples(), l.Min(), l.Max())
	}
	if l := got.Streams[0].Latency; l.Samples() != 2 || l.Min() != 4 || l.Max() != 6 || l.Jitter() != 2 {
		t.Errorf("%d latencies of %d to %d, jitter %v in trial 1", l.Samples(), l.Min(), l.Max(), l.Jitter())
	}
}

// TestSnapshotIsTheReaders changes what a receiver has counted after it was read.
func TestSnapshotIsTheReaders(t *testing.T) {
	s := newSource(t, 8)
	r := newReceiver(t, Config{Streams: []Stream{{Latency: true}}})
	receive(r, 7, s.packet(60, 0, 0, 0))
	before := r.Snapshot()
	receive(r, 9, s.packet(60, 0, 1, 0))
	after := r.Snapshot()
	if n, m := before.Packets(), before.Streams[0].Latency.Samples(); n != 1 || m != 1 {
		t.Errorf("the first snapshot has %d packets and %d latencies", n, m)
	}
	if n, m := after.Packets(), after.Streams[0].Latency.Samples(); n != 2 || m != 2 {
		t.Errorf("the second snapshot has %d packets and %d latencies", n, m)
	}
}

// TestWrapBesideAnotherStream lets a stream wrap just before the next stream begins.
func TestWrapBesideAnotherStream(t *testing.T) {
	s := newSource(t, 8)
	r := newReceiver(t, Config{Streams: []Stream{{ID: 3}, {ID: 4}}})
	r.Begin(map[uint16]uint32{3: 1<<32 - 2})
	receive(
		r, 0, s.packet(60, 3, 1<<32-2, 0), s.packet(60, 3, 1<<32-1, 0), s.packet(60, 4, 0, 0), s.packet(60, 4, 1, 0),
		s.packet(60, 3, 0, 0), s.packet(60, 3, 1, 0), s.packet(60, 3, 2, 0),
	)
	got := r.Snapshot()
	if a, b := got.Streams[0].Counts, got.Streams[1].Counts; a != (Counts{InOrder: 5, Bytes: 300}) ||
		b != (Counts{InOrder: 2, Bytes: 120}) {
		t.Errorf("counted %+v and %+v", a, b)
	}
}

func TestBadConfig(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Window: 100}, "window of 100"},
		{Config{Window: 32}, "window of 32"},
		{Config{Window: -64}, "window of -64"},
		{Config{Window: 2 * MaxWindow}, "not a power of two from 64 to 16777216"},
		{Config{Streams: []Stream{{Name: "a"}, {Name: "b"}}}, `stream "b": it has the number 0 of stream "a"`},
	} {
		if _, err := New(c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New(%+v): %v, want %q", c.config, err, c.want)
		}
	}
}

// TestReceiveAllocatesNothing includes reordering, and latencies of all kinds.
func TestReceiveAllocatesNothing(t *testing.T) {
	s := newSource(t, 64)
	r := newReceiver(t, Config{Streams: []Stream{{ID: 0}, {ID: 1, Latency: true}}})
	var bufs []*mbuf.Buf
	for i := range uint32(8) {
		bufs = append(bufs, s.packet(60, uint16(i&1), i^2, int64(i)<<38))
	}
	defer mbuf.Free(bufs)
	if n := testing.AllocsPerRun(100, func() { r.Receive(bufs, 1<<39) }); n != 0 {
		t.Errorf("%v allocations a burst", n)
	}
}
