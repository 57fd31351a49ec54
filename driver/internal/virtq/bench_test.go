package virtq

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// The benchmarks measure the driver alone. The device of the benchmark works
// through the whole ring while the clock is stopped, then the driver works through
// what the device left. ns/pkt is the time of the driver's part; whatever waits
// for the device's core in real life comes on top.

const benchSize = 256

// benchDevice uses everything that is available, as fast as it can.
type benchDevice struct {
	split  *splitDevice
	packed *packedDevice
	header []byte // written in front of every packet, nil: just num_buffers
}

func newBenchDevice(d ringDevice) benchDevice {
	var b benchDevice
	b.split, _ = d.(*splitDevice)
	b.packed, _ = d.(*packedDevice)
	return b
}

// useAll marks every available descriptor used, with so many bytes written.
func (d benchDevice) useAll(written uint32) int {
	if d.split != nil {
		return d.useSplit(written)
	}
	return d.usePacked(written)
}

func (d benchDevice) useSplit(written uint32) int {
	s, n := d.split, 0
	for idx := s.availIdx(); s.lastAvail != idx; n++ {
		id := le.Uint16(s.avail[4+2*(int(s.lastAvail)%s.size):])
		if written > 0 {
			s.putHeader(s.desc[16*int(id):], d.header)
		}
		e := s.used[4+8*(int(s.usedIdx)%s.size):]
		le.PutUint64(e, uint64(id)|uint64(written)<<32)
		s.lastAvail++
		s.usedIdx++
	}
	s.putUsedWord()
	return n
}

func (d benchDevice) usePacked(written uint32) int {
	p, n := d.packed, 0
	for {
		word, flags := p.flagsAt(p.availAt)
		if !available(flags, p.availWrap) {
			return n
		}
		if written > 0 {
			p.putHeader(p.desc[16*p.availAt:], d.header)
		}
		used := uint64(flags) & fWrite << 48
		if p.availWrap {
			used |= (fAvail | fUsed) << 48
		}
		put64(p.desc[16*p.availAt+8:], word&(0xffff<<32)|used|uint64(written))
		if p.availAt++; p.availAt == p.size {
			p.availAt, p.availWrap = 0, !p.availWrap
		}
		n++
	}
}

// putHeader writes a header with num_buffers of 1 where a descriptor points.
func (r *rules) putHeader(desc, h []byte) {
	header, err := r.mem.at(le.Uint64(desc), max(12, len(h)))
	if err != nil {
		r.fail("%v", err)
		return
	}
	copy(header, h)
	le.PutUint16(header[10:], 1)
}

// variants are the ring formats that are measured.
var variants = []struct {
	name     string
	packed   bool
	features []virtio.Feature
}{
	{"split", false, nil},
	{"split-mrg", false, []virtio.Feature{virtio.NetMrgRxbuf}},
	{"split-inorder", false, []virtio.Feature{virtio.InOrder}},
	{"packed", true, nil},
	{"packed-mrg", true, []virtio.Feature{virtio.NetMrgRxbuf}},
	{"packed-inorder", true, []virtio.Feature{virtio.InOrder}},
}

// clock collects the time the driver took for each round of the ring. The machine
// may be shared: the median of the rounds is least disturbed by others.
type clock struct {
	rounds []float64 // ns a packet
	start  time.Time
}

func (c *clock) run() { c.start = time.Now() }

func (c *clock) stop(packets int) {
	took := time.Since(c.start)
	if packets > 0 && len(c.rounds) < cap(c.rounds) {
		c.rounds = append(c.rounds, float64(took.Nanoseconds())/float64(packets))
	}
}

func (c *clock) report(b *testing.B) {
	slices.Sort(c.rounds)
	if n := len(c.rounds); n > 0 {
		b.ReportMetric(c.rounds[n/2], "ns/pkt")
		b.ReportMetric(c.rounds[n/20], "ns/pkt-p5")
	}
	b.ReportMetric(0, "ns/op")
}

// bench runs f for every variant and burst. f does b.N packets.
func bench(b *testing.B, f func(b *testing.B, s setup, burst int, c *clock)) {
	for _, v := range variants {
		for _, burst := range []int{1, 8, 32, 256} {
			b.Run(fmt.Sprintf("%s/burst=%d", v.name, burst), func(b *testing.B) {
				b.ReportAllocs()
				c := &clock{rounds: make([]float64, 0, 1<<16)}
				f(b, setup{packed: v.packed, size: benchSize, features: v.features,
					bufs: 8 * benchSize}, burst, c)
				c.report(b)
			})
		}
	}
}

// BenchmarkRx receives packets and frees them unread, into the cache that the
// ring is refilled from: the clock runs for that as well.
func BenchmarkRx(b *testing.B) {
	bench(b, func(b *testing.B, s setup, burst int, c *clock) {
		r := newRxRig(b, s)
		dev := newBenchDevice(r.dev)
		dev.want(false)
		bufs := make([]*mbuf.Buf, burst)
		b.ResetTimer()
		for done := 0; done < b.N; {
			dev.useAll(12 + 64)
			round := 0
			c.run()
			for {
				n := r.rx.Burst(bufs)
				if n == 0 {
					break
				}
				r.cache.Put(bufs[:n])
				round += n
			}
			c.stop(round)
			r.progress(round)
			done += round
		}
		r.ok()
	})
}

// BenchmarkTx sends packets with clean headers that are ready before the clock
// runs. It includes reclaiming those of the round before.
func BenchmarkTx(b *testing.B) {
	bench(b, func(b *testing.B, s setup, burst int, c *clock) {
		r := newTxRig(b, s)
		dev := newBenchDevice(r.dev)
		dev.want(false)
		packets := make([]*mbuf.Buf, benchSize)
		b.ResetTimer()
		for done := 0; done < b.N; {
			r.cache.Get(packets)
			for _, p := range packets {
				p.Append(64)
			}
			round := 0
			c.run()
			for at := 0; at < benchSize; at += burst {
				round += r.tx.Burst(packets[at:][:burst])
			}
			c.stop(round)
			r.cache.Put(packets[round:])
			r.progress(round)
			done += round
			dev.useAll(0)
		}
		r.ok()
	})
}

// BenchmarkForward sends what it receives, unread.
func BenchmarkForward(b *testing.B) {
	bench(b, func(b *testing.B, s setup, burst int, c *clock) {
		r := newRxRig(b, s)
		other := newTxRig(b, s)
		if err := other.tx.AddPool(r.pool); err != nil {
			b.Fatal(err)
		}
		if err := other.tx.SetCache(r.cache); err != nil {
			b.Fatal(err)
		}
		from, to := newBenchDevice(r.dev), newBenchDevice(other.dev)
		from.want(false)
		to.want(false)
		bufs := make([]*mbuf.Buf, burst)
		b.ResetTimer()
		for done := 0; done < b.N; {
			from.useAll(12 + 64)
			round := 0
			c.run()
			for {
				n := r.rx.Burst(bufs)
				if n == 0 {
					break
				}
				sent := other.tx.Burst(bufs[:n])
				r.cache.Put(bufs[sent:n])
				round += sent
			}
			c.stop(round)
			r.progress(round)
			done += round
			to.useAll(0)
		}
		r.ok()
		other.ok()
	})
}

// progress ends a benchmark in which nothing moves.
func (r *rig) progress(packets int) {
	if packets == 0 {
		r.ok()
		r.t.Fatal("nothing moves")
	}
}

// want makes the device ask for doorbells, or not.
func (d benchDevice) want(on bool) {
	if d.split != nil {
		d.split.want(on)
		return
	}
	d.packed.want(on)
}
