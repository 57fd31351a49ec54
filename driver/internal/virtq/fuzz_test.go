package virtq

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// FuzzRing reads a byte stream as what a driver and a device do in turns, the
// device anything it can do to the memory. Whatever happens, no buffer is lost
// or there twice, nothing outside a buffer is delivered, nothing panics, and
// what is broken stays broken.
func FuzzRing(f *testing.F) {
	for seed := range int64(20) {
		f.Add(stream(seed, 300))
	}
	f.Fuzz(play)
}

// TestRandom is the same with streams of its own, longer ones.
func TestRandom(t *testing.T) {
	for seed := range int64(300 / under) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { play(t, stream(seed, 1500)) })
	}
}

func stream(seed int64, n int) []byte {
	rng := rand.New(rand.NewSource(seed))
	b := make([]byte, n)
	rng.Read(b)
	if seed%2 == 0 { // conforming devices get further
		for i := 4; i < n; i++ {
			b[i] %= conformingActions
		}
	}
	return b
}

// game is the state of one play.
type game struct {
	t     *testing.T
	rx    *rig // also the owner of the buffers
	tx    *rig
	held  map[*mbuf.Buf]int // and in which order it came
	came  int
	input []byte
	rxOut []list // what the devices have taken and not used
	txOut []list
}

// next returns the next byte of the stream, 0 behind its end.
func (g *game) next() int {
	if len(g.input) == 0 {
		return 0
	}
	b := g.input[0]
	g.input = g.input[1:]
	return int(b)
}

func play(t *testing.T, input []byte) {
	if len(input) < 5 || len(input) > 4000 {
		return
	}
	g := &game{t: t, held: map[*mbuf.Buf]int{}, input: input}
	g.setUp()
	for len(g.input) > 0 {
		g.step()
		g.check()
	}
	g.end()
}

// setUp builds the queues that the first bytes ask for.
func (g *game) setUp() {
	sizes := [][]int{{1, 2, 4, 8, 16, 64}, {1, 2, 3, 5, 7, 8, 16, 64}}
	s := setup{packed: g.next()%2 == 1, segments: 4, bufs: 100}
	choice := sizes[b2i(s.packed)]
	s.size = choice[g.next()%len(choice)]
	bits := g.next()
	for i, f := range feats(virtio.NetMrgRxbuf, virtio.RingEventIdx, virtio.InOrder,
		virtio.RingIndirectDesc, virtio.NotificationData) {
		if bits>>i&1 != 0 {
			s.features = append(s.features, f)
		}
	}
	if s.start = uint16(-g.next()); s.has(virtio.NetMrgRxbuf) {
		s.dataRoom = 300
	}
	g.rx = newRxRig(g.t, s)
	g.tx = newTxRig(g.t, s)
	if err := g.tx.tx.AddPool(g.rx.pool); err != nil {
		g.t.Fatal(err)
	}
	for page, p := range g.rx.mem.pages { // so that what is received can be sent
		g.tx.mem.pages[page] = p
	}
}

// conformingActions is the number of actions that a conforming device may take.
const conformingActions = 8

func (g *game) step() {
	switch action := g.next(); action % 16 {
	case 0:
		g.receive(1 + g.next()%40)
	case 1:
		g.transmit(1 + g.next()%8)
	case 2:
		g.release(g.next())
	case 3:
		g.rxOut = append(g.rxOut, g.rx.popAll()...)
		g.txOut = append(g.txOut, g.tx.popAll()...)
	case 4, 5:
		g.use(g.rx, &g.rxOut, g.next())
	case 6:
		g.use(g.tx, &g.txOut, g.next())
	case 7:
		g.rx.dev.want(g.next()%2 == 0)
		g.tx.dev.want(g.next()%2 == 0)
	case 8, 9:
		g.rx.rawPush(uint32(g.next()), uint32(g.next())*16)
	case 10:
		g.tx.rawPush(uint32(g.next()), uint32(g.next()))
	case 11:
		g.jump(g.rx, g.next())
	case 12:
		g.jump(g.tx, g.next())
	case 13:
		g.corrupt(g.rx)
	case 14:
		g.corrupt(g.tx)
	case 15:
		g.headers()
	}
}

// receive takes packets, and reads all of each.
func (g *game) receive(n int) {
	bufs := make([]*mbuf.Buf, n)
	quiet := g.rx.rx.NothingToDo()
	got := g.rx.rx.Burst(bufs)
	if quiet && got > 0 {
		g.t.Fatalf("there was nothing to do, and then %d packets", got)
	}
	for _, b := range bufs[:got] {
		if b.PacketLen() < minFrame {
			g.t.Fatalf("a packet of %d bytes", b.PacketLen())
		}
		for ; b != nil; b = b.Next() {
			if _, twice := g.held[b]; twice {
				g.t.Fatal("a buffer was delivered that the application holds")
			}
			if !mbuf.Driver(b).Held() || len(b.Data()) > b.Pool().DataRoom()+12 {
				g.t.Fatalf("a segment of %d bytes", len(b.Data()))
			}
			g.hold(b)
		}
	}
}

func (g *game) hold(b *mbuf.Buf) {
	g.came++
	g.held[b] = g.came
}

// transmit sends what was received, or packets of its own.
func (g *game) transmit(n int) {
	var packets []*mbuf.Buf
	packets = append(packets, g.heads()...)
	packets = packets[:min(n, len(packets))]
	for len(packets) < n {
		segs := make([]*mbuf.Buf, 1+g.next()%5)
		got := g.tx.cache.Get(segs)
		if got < len(segs) {
			g.tx.cache.Put(segs[:got])
			break
		}
		for i, b := range segs {
			b.Append(g.next())
			b.Prepend(g.next() % 200)
			if g.hold(b); i > 0 {
				segs[i-1].SetNext(b)
			}
		}
		packets = append(packets, segs[0])
	}
	segments := make([][]*mbuf.Buf, len(packets))
	for i, b := range packets { // they must not be touched once they are taken
		for ; b != nil; b = b.Next() {
			segments[i] = append(segments[i], b)
		}
	}
	for _, segs := range segments[:g.tx.tx.Burst(packets)] {
		for _, b := range segs {
			delete(g.held, b)
		}
	}
}

// heads returns the held buffers that begin a packet, the oldest first.
func (g *game) heads() []*mbuf.Buf {
	follows := map[*mbuf.Buf]bool{}
	for b := range g.held {
		follows[b.Next()] = true
	}
	var heads []*mbuf.Buf
	for b := range g.held {
		if !follows[b] {
			heads = append(heads, b)
		}
	}
	slices.SortFunc(heads, func(a, b *mbuf.Buf) int { return g.held[a] - g.held[b] })
	return heads
}

// release frees some of what is held.
func (g *game) release(n int) {
	for _, b := range g.heads() {
		if n--; n < 0 {
			return
		}
		for s := b; s != nil; s = s.Next() {
			delete(g.held, s)
		}
		if n%2 == 0 {
			g.rx.cache.Put([]*mbuf.Buf{b})
		} else {
			mbuf.Free([]*mbuf.Buf{b})
		}
	}
}

// use completes lists, in order if the device promised that.
func (g *game) use(r *rig, out *[]list, n int) {
	for range 1 + n%4 {
		if len(*out) == 0 {
			return
		}
		i := 0
		if !r.setup.has(virtio.InOrder) {
			i = n % len(*out)
		}
		l := (*out)[i]
		*out = append((*out)[:i], (*out)[i+1:]...)
		if r.rx != nil {
			r.deliver(l, frametest.Seq(n, 60+n%200))
		} else {
			r.dev.push(l.id, 0, l.slots)
		}
	}
	r.dev.flush()
}

// jump moves the used position of the device.
func (g *game) jump(r *rig, n int) {
	switch d := r.dev.(type) {
	case *splitDevice:
		d.usedIdx += uint16(n * n)
	case *packedDevice:
		d.usedAt = n % d.size
		d.usedWrap = n%3 == 0
	}
	r.dev.flush()
}

// corrupt overwrites a piece of the ring memory.
func (g *game) corrupt(r *rig) {
	at := (g.next()<<8 | g.next()) % len(r.ring)
	for i := range min(1+g.next()%64, len(r.ring)-at) {
		r.ring[at+i] = byte(g.next())
	}
}

// headers scribbles over the start of every receive buffer that a device has.
func (g *game) headers() {
	n := uint16(g.next())
	for _, l := range g.rxOut {
		g.rx.device().write(l, netHeader(n%9))
	}
}

// check is the oracle.
func (g *game) check() {
	posted := g.rx.rx.Posted() + g.tx.tx.Posted()
	free := g.rx.pool.Free() + g.tx.pool.Free()
	if all := g.rx.pool.Size() + g.tx.pool.Size(); free+posted+len(g.held) != all {
		g.t.Fatalf("%s: %d free + %d posted + %d held is not %d", g.rx.setup, free, posted,
			len(g.held), all)
	}
	if n := g.rx.pool.DoubleFrees() + g.tx.pool.DoubleFrees(); n != 0 {
		g.t.Fatalf("%d double frees", n)
	}
}

// end resets the devices.
func (g *game) end() {
	g.rx.rx.Drain()
	g.tx.tx.Drain()
	g.release(1 << 20)
	g.check()
	for _, r := range []*rig{g.rx, g.tx} {
		r.cache.Flush()
		if r.pool.Free() != r.pool.Size() {
			g.t.Fatalf("%d of %d buffers are free at the end", r.pool.Free(), r.pool.Size())
		}
		_ = r.pool.Release()
	}
}
