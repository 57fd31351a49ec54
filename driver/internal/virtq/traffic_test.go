package virtq

import (
	"bytes"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// sizes are the ring sizes that wrap-around is tested with.
func sizes(packed bool) []int {
	if packed {
		return []int{1, 2, 3, 5, 7, 8, 100, 256, 32768}
	}
	return []int{1, 2, 4, 8, 256, 32768}
}

// TestReceive moves numbered frames through receive rings of all sizes, several
// times round, in bursts that do not divide them.
func TestReceive(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		for _, size := range sizes(packed) {
			for _, features := range [][]virtio.Feature{nil, {virtio.NetMrgRxbuf},
				{virtio.RingEventIdx}, {virtio.InOrder}} {
				if size == 32768 && features != nil {
					continue // much memory, nothing new
				}
				s := setup{packed: packed, size: size, features: features, start: 65530,
					dataRoom: 1514, bufs: size + size/8 + 64}
				t.Run(s.String(), func(t *testing.T) { receive(t, s) })
			}
		}
	})
}

func receive(t *testing.T, s setup) {
	r := newRxRig(t, s)
	total := 5*s.size + 23
	if s.size == 8 || s.size == 32768 { // far enough for 16-bit indices to wrap
		total = 70000 / under
	}
	bufs := make([]*mbuf.Buf, 29)
	sent, got, idle := 0, 0, 0
	for got < total {
		for n := 0; n < 37 && sent < total; n++ {
			l, ok := r.dev.pop()
			if !ok {
				break
			}
			r.deliver(l, frametest.Seq(sent, 60+sent%200))
			sent++
		}
		r.dev.flush()
		n := r.rx.Burst(bufs)
		for _, b := range bufs[:n] {
			if want := frametest.Seq(got, 60+got%200); !bytes.Equal(b.Data(), want) {
				t.Fatalf("frame %d is % x", got, b.Data()[:16])
			}
			got++
		}
		r.cache.Put(bufs[:n])
		if idle++; n > 0 {
			idle = 0
		} else if idle > 10 {
			t.Fatalf("nothing received after frame %d of %d", got, sent)
		}
		r.ok()
	}
	r.conserved(0)
	if st := r.rx.Stats(); st.Packets.Load() != uint64(total) || st.Dropped() != 0 {
		t.Errorf("packets %d, dropped %d, want %d and 0", st.Packets.Load(), st.Dropped(),
			total)
	}
	if n := r.dev.interrupts(); n != 0 {
		t.Errorf("the device was made to interrupt %d times", n)
	}
	if n := r.rx.Drain(); n != s.size && n+s.size/4+32 < s.size {
		t.Errorf("%d buffers drained from a ring of %d", n, s.size)
	}
	r.conserved(0)
}

// TestTransmit moves numbered frames through transmit rings of all sizes.
func TestTransmit(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		for _, size := range sizes(packed) {
			for _, features := range [][]virtio.Feature{nil, {virtio.RingEventIdx},
				{virtio.InOrder}} {
				if size == 32768 && features != nil {
					continue // much memory, nothing new
				}
				s := setup{packed: packed, size: size, features: features, start: 65530,
					dataRoom: 1514, bufs: size + size/8 + 64}
				t.Run(s.String(), func(t *testing.T) { transmit(t, s) })
			}
		}
	})
}

func transmit(t *testing.T, s setup) {
	r := newTxRig(t, s)
	total := 5*s.size + 23
	if s.size == 8 || s.size == 32768 {
		total = 70000 / under
	}
	sent, got, idle := 0, 0, 0
	bufs := make([]*mbuf.Buf, 29)
	for got < total {
		n := r.cache.Get(bufs[:min(len(bufs), total-sent)])
		for i, b := range bufs[:n] {
			copy(b.Append(60+(sent+i)%200), frametest.Seq(sent+i, 60+(sent+i)%200))
		}
		took := r.tx.Burst(bufs[:n])
		sent += took
		r.cache.Put(bufs[took:n])
		for idle++; ; got++ {
			l, ok := r.dev.pop()
			if !ok {
				break
			}
			idle = 0
			want := append(make([]byte, 12), frametest.Seq(got, 60+got%200)...)
			if frame := r.device().read(l); !bytes.Equal(frame, want) {
				t.Fatalf("frame %d: % x", got, frame[:min(len(frame), 30)])
			}
			r.dev.push(l.id, 0, l.slots)
		}
		r.dev.flush()
		if idle > 10 {
			t.Fatalf("nothing sent after frame %d", got)
		}
		r.ok()
	}
	r.conserved(0)
	if st := r.tx.Stats(); st.Packets.Load() != uint64(total) || st.Dropped() != 0 {
		t.Errorf("packets %d, dropped %d, want %d and 0", st.Packets.Load(), st.Dropped(),
			total)
	}
	r.tx.Drain()
	r.conserved(0)
	if r.pool.Free() != r.pool.Size() {
		t.Errorf("after Drain %d of %d buffers are free", r.pool.Free(), r.pool.Size())
	}
}
