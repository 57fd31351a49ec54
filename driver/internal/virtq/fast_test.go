package virtq

import (
	"fmt"
	"hash/crc32"
	"math"
	"math/rand"
	"slices"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// TestFastAgainstSlow has the same packets moved, and used in the same order, by a queue
// that may take its fast paths and by one that takes the slow path for every packet. Both
// must see and count the same after every step.
func TestFastAgainstSlow(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		for _, features := range [][]virtio.Feature{nil, {virtio.InOrder}, {virtio.NetMrgRxbuf},
			{virtio.NetMrgRxbuf, virtio.InOrder}, {virtio.RingIndirectDesc, virtio.RingEventIdx}} {
			for seed := range int64(16 / under) {
				size := []int{1, 2, 8, 64}[seed%4]
				if packed && seed%8 >= 4 {
					size += 3
				}
				s := setup{packed: packed, size: size, features: features, bufs: 3*size + 100,
					dataRoom: 1514, segments: 3, start: 65530}
				t.Run(fmt.Sprintf("%v/%d", s, seed), func(t *testing.T) {
					same(t, receiveScript(t, s, seed, false), receiveScript(t, s, seed, true))
					same(t, sendScript(t, s, seed, false), sendScript(t, s, seed, true))
				})
			}
		}
	})
}

// same compares two logs.
func same(t *testing.T, fast, slow []string) {
	t.Helper()
	for i := range slow {
		if i >= len(fast) || fast[i] != slow[i] {
			t.Fatalf("step %d of %d: the fast path has\n%s\nand the slow path\n%s", i, len(slow),
				fast[min(i, len(fast)-1)], slow[i])
		}
	}
}

// useOrder returns how many of n lists that a device has it uses next, and in which order:
// mostly that in which they were made available.
func useOrder(rng *rand.Rand, n int, inOrder bool) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	if !inOrder && rng.Intn(4) == 0 {
		rng.Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	return order[:rng.Intn(n+1)]
}

// without returns the lists that are not at one of the indices.
func without(lists []list, used []int) []list {
	var left []list
	for i, l := range lists {
		if !slices.Contains(used, i) {
			left = append(left, l)
		}
	}
	return left
}

// receiveScript receives and returns what was seen.
func receiveScript(t *testing.T, s setup, seed int64, slow bool) []string {
	rng := rand.New(rand.NewSource(seed))
	r := newRxRig(t, s)
	if slow {
		r.rx.fast.least, r.rx.fast.span = math.MaxUint32, 0
	}
	var log []string
	var out []list
	bufs := make([]*mbuf.Buf, 40)
	for step := range 200 {
		out = append(out, r.popAll()...)
		used := useOrder(rng, len(out), s.has(virtio.InOrder))
		for k := 0; k < len(used); k++ {
			n := 60 + rng.Intn(1440)
			switch {
			case rng.Intn(20) == 0:
				n = 1514 // which fills a buffer
			case rng.Intn(20) == 0:
				n = rng.Intn(20) // which is no frame
			}
			l := out[used[k]]
			if s.has(virtio.NetMrgRxbuf) && rng.Intn(10) == 0 && k+1 < len(used) {
				next := out[used[k+1]]
				k++
				r.deliverMerged(rng, l, next, step)
				continue
			}
			r.dev.push(l.id, uint32(r.device().write(l, append(netHeader(1), frametest.Seq(step+k, max(n, 60))...)[:12+n])), l.slots)
		}
		out = without(out, used)
		r.dev.flush()
		quiet := r.rx.NothingToDo()
		got := r.rx.Burst(bufs[:1+rng.Intn(len(bufs))])
		if quiet && got > 0 {
			t.Fatalf("step %d: there was nothing to do, and then %d packets", step, got)
		}
		text := fmt.Sprint(got, len(used))
		for _, b := range bufs[:got] {
			data := make([]byte, b.PacketLen())
			b.CopyTo(data)
			text += fmt.Sprintf(" %d:%x", len(data), crc32.ChecksumIEEE(data))
		}
		r.cache.Put(bufs[:got])
		st := r.rx.Stats()
		text += fmt.Sprintf("; posted %d free %d packets %d bytes %d lengths %d headers %d", r.rx.Posted(), r.pool.Free(),
			st.Packets.Load(), st.Bytes.Load(), st.LengthErrors.Load(), st.HeaderErrors.Load())
		log = append(log, text)
		r.conserved(0)
		if r.rx.Broken() != nil { // too many lengths in a row were invalid
			return append(log, r.rx.Broken().Error())
		}
		r.ok()
	}
	return log
}

// deliverMerged has the device use two buffers for one packet.
func (r *rig) deliverMerged(rng *rand.Rand, first, second list, n int) {
	full := append(netHeader(2), frametest.Seq(n, 1514)...)
	r.dev.push(first.id, uint32(r.device().write(first, full)), first.slots)
	rest := frametest.Seq(n, 60+rng.Intn(1000))
	r.dev.push(second.id, uint32(r.device().write(second, rest)), second.slots)
}

// sendScript sends and returns what was seen.
func sendScript(t *testing.T, s setup, seed int64, slow bool) []string {
	rng := rand.New(rand.NewSource(seed))
	r := newTxRig(t, s)
	foreign := newPool(t, r.mem, 0x300_0000_0000, mbuf.Config{Count: 4 * s.size, DataRoom: s.dataRoom})
	if err := r.tx.AddPool(foreign); err != nil {
		t.Fatal(err)
	}
	if slow {
		r.tx.fast.pool = nil
		r.tx.special++ // reclaiming believes that there is always a packet for the slow path
	}
	var log []string
	var out []list
	for step := range 200 {
		var packets []*mbuf.Buf
		odd := step/20%3 == 1 // chains and buffers of the other pool come at times
		for range rng.Intn(min(40, s.size+2)) {
			switch kind := rng.Intn(10); {
			case kind == 0 && odd:
				packets = append(packets, r.chained(64+rng.Intn(100), 1+rng.Intn(50)))
			case kind == 1 && odd:
				if b := foreign.GetOne(); b != nil {
					copy(b.Append(80), frametest.Seq(step, 80))
					packets = append(packets, b)
				}
			default:
				packets = append(packets, r.packets(1, 64+rng.Intn(200))...)
			}
		}
		took := r.tx.Burst(packets)
		mbuf.Free(packets[took:])
		text := fmt.Sprint(len(packets), took)
		for _, l := range r.popAll() {
			text += fmt.Sprintf(" %x", crc32.ChecksumIEEE(r.device().read(l)))
			out = append(out, l)
		}
		used := useOrder(rng, len(out), s.has(virtio.InOrder))
		if s.has(virtio.InOrder) && len(used) > 0 && rng.Intn(2) == 0 {
			slots := 0
			for _, l := range out[:len(used)] {
				slots += l.slots
			}
			r.pushBatch(out[:len(used)], slots)
		} else {
			for _, i := range used {
				r.dev.push(out[i].id, 0, out[i].slots)
			}
		}
		out = without(out, used)
		r.dev.flush()
		if rng.Intn(3) == 0 {
			text += fmt.Sprint(" reclaimed ", r.tx.Reclaim())
		}
		st := r.tx.Stats()
		log = append(log, text+fmt.Sprintf("; posted %d free %d and %d packets %d bytes %d full %d", r.tx.Posted(), r.pool.Free(),
			foreign.Free(), st.Packets.Load(), st.Bytes.Load(), st.Full.Load()))
		r.ok()
	}
	r.tx.Drain()
	if r.pool.Free() != r.pool.Size() || foreign.Free() != foreign.Size() {
		t.Fatalf("%d of %d and %d of %d buffers are free at the end", r.pool.Free(), r.pool.Size(), foreign.Free(), foreign.Size())
	}
	return log
}

// pushBatch marks lists used with one entry, and the device forgets all it had but later.
func (r *rig) pushBatch(lists []list, slots int) {
	last := lists[len(lists)-1]
	if d, ok := r.dev.(*packedDevice); ok {
		for _, l := range lists {
			delete(d.ids, l.id)
		}
		d.push(last.id, 0, slots)
		return
	}
	r.dev.pushBatch(last, 0, slots, len(lists))
}

// TestRuns compares the runs of identifiers that are counted with those that are read.
func TestRuns(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for range 200 {
		s := newSlots(1 + rng.Intn(40))
		for range rng.Intn(6) { // none: the order of the beginning
			s.count = s.size()
			s.toFront(s.head, rng.Intn(s.count))
		}
		for at := range s.size() {
			n := rng.Intn(s.size() - at + 1)
			want := 0
			for want < n && int(s.id[at+want]) == int(s.id[at])+want {
				want++
			}
			if got := s.run(at, n); got != want {
				t.Fatalf("identifiers %v: a run of %d at %d, want %d of %d", s.id, got, at, want, n)
			}
		}
	}
}

// TestUsedInOrder compares descriptors one by one with the loop that takes four.
func TestUsedInOrder(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for range 5000 {
		const used = uint64(packedState)
		d := make([]desc, rng.Intn(20))
		first := uint64(rng.Intn(100))
		for i := range d {
			d[i].meta = used | (first+uint64(i))<<packedIDShift | uint64(rng.Uint32())
		}
		want := len(d)
		if len(d) > 0 && rng.Intn(4) > 0 { // one differs in a bit of its flags or its buffer ID
			want = rng.Intn(len(d))
			d[want].meta ^= 1 << (packedIDShift + rng.Intn(32))
			for i := want + 1; i < len(d); i++ {
				d[i].meta ^= uint64(rng.Intn(2)) << (packedIDShift + rng.Intn(32))
			}
		}
		if got := usedInOrder(d, used|first<<packedIDShift); got != want {
			t.Fatalf("%d of %d descriptors, want %d", got, len(d), want)
		}
	}
}

// TestNothingToDo checks when a receive queue says so: not before a burst has found
// nothing, nor while something is left to do, nor when the device has used a buffer.
func TestNothingToDo(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		r := newRxRig(t, setup{packed: packed, size: 64, bufs: 80, features: feats(virtio.NetMrgRxbuf)})
		bufs := make([]*mbuf.Buf, 64)
		expect := func(when string, want bool) {
			t.Helper()
			if got := r.rx.NothingToDo(); got != want {
				t.Errorf("%s: %v", when, got)
			}
		}
		expect("before the first burst", false)
		r.rx.Burst(bufs)
		r.rx.Burst(bufs)
		expect("after bursts that found nothing", true)
		all := r.popAll()
		r.deliver(all[0], frametest.Seq(0, 60))
		r.dev.flush()
		expect("when a buffer is used", false)
		r.cache.Put(bufs[:r.rx.Burst(bufs)])
		expect("after a packet", false)
		r.rx.Burst(bufs)
		expect("after a burst that found nothing", true)

		half := append(netHeader(2), make([]byte, int(r.rx.room)-12)...)
		r.dev.push(all[1].id, uint32(r.device().write(all[1], half)), 1)
		r.dev.flush()
		r.rx.Burst(bufs)
		r.rx.Burst(bufs)
		expect("while half of a packet is missing", false)
		r.dev.push(all[2].id, 60, 1)
		r.dev.flush()
		r.cache.Put(bufs[:r.rx.Burst(bufs)])

		held := bufs[:0]
		for _, l := range all[3:60] {
			r.deliver(l, frametest.Seq(0, 60))
		}
		r.dev.flush()
		r.pool.Get(make([]*mbuf.Buf, 10))
		held = bufs[:r.rx.Burst(bufs)]
		r.rx.Burst(make([]*mbuf.Buf, 1))
		r.rx.Burst(make([]*mbuf.Buf, 1))
		expect("while the pool is short of buffers", false)
		r.cache.Put(held)
		r.rx.Burst(make([]*mbuf.Buf, 1))
		r.rx.Burst(make([]*mbuf.Buf, 1))
		expect("when they are back", true)
		r.rx.Drain()
		expect("after Drain", false)
	})
}
