package vdev_test

import (
	"encoding/binary"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// violation is one way to break a rule.
type violation struct {
	name  string
	rule  string
	fatal bool // the device has to ask for a reset
	f     virtio.Features
	cfg   vdev.Config
	do    func(g *guest, rx, tx vq)
}

var (
	split        = allFeatures
	splitTable   = allFeatures.With(virtio.RingIndirectDesc)
	packed       = allFeatures.With(virtio.RingPacked)
	packedTable  = packed.With(virtio.RingIndirectDesc)
	splitInOrder = splitTable.With(virtio.InOrder)
)

// good returns a piece of memory with a valid packet in it.
func good(g *guest) piece {
	frame := make([]byte, 60)
	frame[12] = 8
	addr, b := g.alloc(128, 16)
	return piece{addr, copy(b, packet(frame)), false}
}

// publishSplit makes descriptor head available on a split ring.
func publishSplit(q vq, head uint16) {
	s := q.(*splitVQ)
	binary.LittleEndian.PutUint16(s.avail[4+2*(int(s.idx)%s.size):], head)
	s.idx++
	s.publish()
}

// desc writes descriptor i of a split ring.
func desc(q vq, i int, p piece, flags, next uint16) {
	writeSplitDesc(q.(*splitVQ).desc[16*i:], p, flags, next)
}

// slot writes descriptor i of a packed ring in its first lap.
func slot(q vq, i int, p piece, flags uint16) {
	if p.write {
		flags |= virtio.DescWrite
	}
	b := q.(*packedVQ).desc
	binary.LittleEndian.PutUint64(b[16*i:], p.addr)
	put64(b, 16*i+8, uint64(p.len)|uint64(i)<<32|uint64(flags)<<48)
}

// table makes an indirect table of n good entries in the split format.
func table(g *guest, n int) (piece, []byte) {
	addr, b := g.alloc(16*n, 16)
	for i := range n {
		flags := uint16(virtio.DescNext)
		if i == n-1 {
			flags = 0
		}
		writeSplitDesc(b[16*i:], good(g), flags, uint16(i+1))
	}
	return piece{addr, 16 * n, false}, b
}

var splitViolations = []violation{
	{"loop", "split/indirect/3", true, split, vdev.Config{}, func(g *guest, _, tx vq) {
		desc(tx, 0, good(g), virtio.DescNext, 1)
		desc(tx, 1, good(g), virtio.DescNext, 0)
		publishSplit(tx, 0)
	}},
	{"head outside", "x/split/head", true, split, vdev.Config{}, func(_ *guest, _, tx vq) { publishSplit(tx, 16) }},
	{"link outside", "x/split/next", true, split, vdev.Config{}, func(g *guest, _, tx vq) {
		desc(tx, 0, good(g), virtio.DescNext, 16)
		publishSplit(tx, 0)
	}},
	{"index jumps", "split/avail/1", true, split, vdev.Config{}, func(_ *guest, _, tx vq) { put32(tx.(*splitVQ).avail, 0, 17<<16) }},
	{"index goes back", "split/avail/1", true, split, vdev.Config{}, func(_ *guest, _, tx vq) { put32(tx.(*splitVQ).avail, 0, 0xffff<<16) }},
	{"no bytes", "x/desc/zero-length", true, split, vdev.Config{}, func(g *guest, _, tx vq) {
		desc(tx, 0, piece{good(g).addr, 0, false}, 0, 0)
		publishSplit(tx, 0)
	}},
	{"not mapped", "basic/reserved/4", true, split, vdev.Config{}, func(g *guest, _, tx vq) {
		desc(tx, 0, piece{g.base + uint64(len(g.mem)) - 16, 100, false}, 0, 0)
		publishSplit(tx, 0)
	}},
	{"end of the address space", "basic/reserved/4", true, split, vdev.Config{}, func(_ *guest, _, tx vq) {
		desc(tx, 0, piece{^uint64(0) - 15, 100, false}, 0, 0)
		publishSplit(tx, 0)
	}},
	{"read after write", "split/framing/1", true, split, vdev.Config{}, func(g *guest, _, tx vq) {
		p := good(g)
		p.write = true
		desc(tx, 0, p, virtio.DescNext, 1)
		desc(tx, 1, good(g), 0, 0)
		publishSplit(tx, 0)
	}},
	{"indirect not negotiated", "split/indirect/1", true, split, vdev.Config{}, func(g *guest, _, tx vq) {
		ref, _ := table(g, 2)
		desc(tx, 0, ref, virtio.DescIndirect, 0)
		publishSplit(tx, 0)
	}},
	{"indirect in indirect", "split/indirect/2", true, splitTable, vdev.Config{}, func(g *guest, _, tx vq) {
		ref, b := table(g, 2)
		inner, _ := table(g, 1)
		writeSplitDesc(b, inner, virtio.DescIndirect, 0)
		desc(tx, 0, ref, virtio.DescIndirect, 0)
		publishSplit(tx, 0)
	}},
	{"indirect and next", "split/indirect/4", true, splitTable, vdev.Config{}, func(g *guest, _, tx vq) {
		ref, _ := table(g, 2)
		desc(tx, 0, ref, virtio.DescIndirect|virtio.DescNext, 1)
		publishSplit(tx, 0)
	}},
	{"indirect table too long", "split/indirect/3", true, splitTable, vdev.Config{}, func(g *guest, _, tx vq) {
		ref, _ := table(g, 17)
		desc(tx, 0, ref, virtio.DescIndirect, 0)
		publishSplit(tx, 0)
	}},
	{"indirect table of half an entry", "x/indirect/len", true, splitTable, vdev.Config{}, func(g *guest, _, tx vq) {
		ref, _ := table(g, 2)
		ref.len -= 8
		desc(tx, 0, ref, virtio.DescIndirect, 0)
		publishSplit(tx, 0)
	}},
	{"indirect table not mapped", "basic/reserved/4", true, splitTable, vdev.Config{}, func(_ *guest, _, tx vq) {
		desc(tx, 0, piece{4096, 32, false}, virtio.DescIndirect, 0)
		publishSplit(tx, 0)
	}},
	{"loop in indirect table", "split/indirect/3", true, splitTable, vdev.Config{}, func(g *guest, _, tx vq) {
		ref, b := table(g, 3)
		writeSplitDesc(b[32:], good(g), virtio.DescNext, 0)
		desc(tx, 0, ref, virtio.DescIndirect, 0)
		publishSplit(tx, 0)
	}},
	{"link out of indirect table", "x/split/next", true, splitTable, vdev.Config{}, func(g *guest, _, tx vq) {
		ref, b := table(g, 2)
		writeSplitDesc(b, good(g), virtio.DescNext, 2)
		desc(tx, 0, ref, virtio.DescIndirect, 0)
		publishSplit(tx, 0)
	}},
	{"order of descriptors", "split/desc/2", false, splitInOrder, vdev.Config{}, func(g *guest, _, tx vq) {
		desc(tx, 0, good(g), virtio.DescNext, 2)
		desc(tx, 2, good(g), 0, 0)
		publishSplit(tx, 0)
	}},
	{"order in indirect table", "split/indirect/5", false, splitInOrder, vdev.Config{}, func(g *guest, _, tx vq) {
		ref, b := table(g, 3)
		writeSplitDesc(b, good(g), virtio.DescNext, 2)
		desc(tx, 0, ref, virtio.DescIndirect, 0)
		publishSplit(tx, 0)
	}},
	{"flags of the available ring", "split/used-suppress/1", false, split, vdev.Config{}, func(_ *guest, _, tx vq) { put32(tx.(*splitVQ).avail, 0, 2) }},
	{"flags with EVENT_IDX", "split/used-suppress/3", false, split.With(virtio.RingEventIdx), vdev.Config{}, func(_ *guest, _, tx vq) {
		put32(tx.(*splitVQ).avail, 0, 1)
	}},
}

var packedViolations = []violation{
	{"used in this lap", "x/packed/avail-bits", true, packed, vdev.Config{}, func(g *guest, _, tx vq) {
		slot(tx, 0, good(g), virtio.DescAvail|virtio.DescUsed)
	}},
	{"list not available", "packed/sg/6", true, packed, vdev.Config{}, func(g *guest, _, tx vq) {
		slot(tx, 0, good(g), virtio.DescAvail|virtio.DescNext)
	}},
	{"endless list", "packed/sg/2", true, packed, vdev.Config{}, func(g *guest, _, tx vq) {
		for i := range 16 {
			slot(tx, i, good(g), virtio.DescAvail|virtio.DescNext)
		}
	}},
	{"read after write", "packed/sg/3", true, packed, vdev.Config{}, func(g *guest, _, tx vq) {
		p := good(g)
		p.write = true
		slot(tx, 1, good(g), virtio.DescAvail)
		slot(tx, 0, p, virtio.DescAvail|virtio.DescNext)
	}},
	{"indirect not negotiated", "packed/indirect/1", true, packed, vdev.Config{}, func(g *guest, _, tx vq) {
		slot(tx, 0, good(g), virtio.DescAvail|virtio.DescIndirect)
	}},
	{"flags in indirect table", "packed/indirect/2", false, packedTable, vdev.Config{}, func(g *guest, _, tx vq) {
		addr, b := g.alloc(16, 16)
		p := good(g)
		binary.LittleEndian.PutUint64(b, p.addr)
		binary.LittleEndian.PutUint32(b[8:], uint32(p.len))
		binary.LittleEndian.PutUint16(b[14:], virtio.DescNext|virtio.DescAvail)
		slot(tx, 0, piece{addr, 16, false}, virtio.DescAvail|virtio.DescIndirect)
	}},
	{"indirect in indirect table", "packed/indirect/2", true, packedTable, vdev.Config{}, func(g *guest, _, tx vq) {
		addr, b := g.alloc(32, 16)
		p := good(g)
		binary.LittleEndian.PutUint64(b, p.addr)
		binary.LittleEndian.PutUint32(b[8:], uint32(p.len))
		binary.LittleEndian.PutUint16(b[14:], virtio.DescIndirect)
		slot(tx, 0, piece{addr, 32, false}, virtio.DescAvail|virtio.DescIndirect)
	}},
	{"indirect table too long", "packed/indirect/3", true, packedTable, vdev.Config{}, func(g *guest, _, tx vq) {
		addr, _ := g.alloc(17*16, 16)
		slot(tx, 0, piece{addr, 17 * 16, false}, virtio.DescAvail|virtio.DescIndirect)
	}},
	{"indirect and next", "packed/indirect/4", true, packedTable, vdev.Config{}, func(g *guest, _, tx vq) {
		slot(tx, 0, good(g), virtio.DescAvail|virtio.DescIndirect|virtio.DescNext)
	}},
	{"indirect at the end of a list", "packed/indirect/4", true, packedTable, vdev.Config{}, func(g *guest, _, tx vq) {
		slot(tx, 1, good(g), virtio.DescAvail|virtio.DescIndirect)
		slot(tx, 0, good(g), virtio.DescAvail|virtio.DescNext)
	}},
	{"not mapped", "basic/reserved/4", true, packed, vdev.Config{}, func(_ *guest, _, tx vq) {
		slot(tx, 0, piece{64, 100, false}, virtio.DescAvail)
	}},
	{"no bytes", "x/desc/zero-length", true, packed, vdev.Config{}, func(g *guest, _, tx vq) {
		slot(tx, 0, piece{good(g).addr, 0, false}, virtio.DescAvail)
	}},
	{"reserved event flags", "x/packed/event", false, packed, vdev.Config{}, func(g *guest, _, tx vq) {
		put32(tx.(*packedVQ).drv, 0, 3<<16)
		slot(tx, 0, good(g), virtio.DescAvail)
	}},
}

// header sends a packet whose header has one byte set.
func header(at int, v byte) func(*guest, vq, vq) {
	return func(g *guest, _, tx vq) {
		p := good(g)
		g.mem[p.addr-g.base+uint64(at)] = v
		tx.add(false, p)
		tx.publish()
	}
}

// post makes one receive buffer available.
func post(n int, write bool) func(*guest, vq, vq) {
	return func(g *guest, rx, _ vq) {
		addr, _ := g.alloc(n, 16)
		rx.add(false, piece{addr, n, write})
		rx.publish()
	}
}

var netViolations = []violation{
	{"header flags", "net/tx/3", false, packed, vdev.Config{}, header(0, 1)},
	{"DATA_VALID", "net/tx/20", false, split, vdev.Config{}, header(0, 2)},
	{"gso_type", "net/tx/14", false, split, vdev.Config{}, header(1, 1)},
	{"num_buffers", "net/tx/2", false, packed, vdev.Config{}, header(10, 1)},
	{"MTU", "net/config/9", false, split, vdev.Config{MTU: 1000}, func(g *guest, _, tx vq) {
		addr, _ := g.alloc(2048, 16)
		tx.add(false, piece{addr, 12 + 14 + 1001, false})
		tx.publish()
	}},
	{"header only", "x/net/tx-length", false, split, vdev.Config{}, func(g *guest, _, tx vq) {
		addr, _ := g.alloc(12, 16)
		tx.add(false, piece{addr, 12, false})
		tx.publish()
	}},
	{"writable packet", "x/net/tx-writable", false, packed, vdev.Config{}, func(g *guest, _, tx vq) {
		p := good(g)
		w := good(g)
		w.write = true
		tx.add(false, p, w)
		tx.publish()
	}},
	{"small buffer, MRG_RXBUF", "net/rxbuf/3", true, split.With(virtio.NetMrgRxbuf), vdev.Config{Backend: wire.Gen(64)}, post(11, true)},
	{"small buffer, MTU", "net/config/8", false, split, vdev.Config{Backend: wire.Gen(64)}, post(12+14+1499, true)},
	{"small buffer", "net/rxbuf/2", false, packed.Without(virtio.NetMTU), vdev.Config{Backend: wire.Gen(64)}, post(1525, true)},
	{"readable buffer", "x/net/rx-readable", true, split, vdev.Config{Backend: wire.Gen(64)}, post(2048, false)},
}

// A violation is recorded under its rule, and no other. One that would corrupt a ring
// stops the device until it is reset; then it works again.
func TestViolations(t *testing.T) {
	for name, list := range map[string][]violation{"split": splitViolations, "packed": packedViolations, "net": netViolations} {
		for _, m := range list {
			t.Run(name+"/"+m.name, func(t *testing.T) { m.run(t) })
		}
	}
}

func (m violation) run(t *testing.T) {
	m.cfg.Translated = true
	g := newGuest(t, m.cfg, 1<<20)
	rx, tx := g.up(m.f, 16)
	m.do(g, rx, tx)
	g.d.Poll()
	g.wantRules(m.rule)
	needsReset := g.d.Status().Has(virtio.StatusNeedsReset)
	if needsReset != m.fatal || g.irq.config.Load() != map[bool]int64{true: 1}[m.fatal] || g.d.Running() == m.fatal {
		t.Errorf("status %v, %d config interrupts, running %v", g.d.Status(), g.irq.config.Load(), g.d.Running())
	}
	if !m.fatal {
		return
	}
	if before := g.d.Stats(); g.d.Poll() != 0 || g.d.Stats() != before {
		t.Error("the device goes on")
	}
	g.d.ClearViolations()
	g.brk = 0
	_, tx = g.up(m.f, 16)
	if _, ok := tx.add(false, good(g)); !ok {
		t.Fatal("no room")
	}
	tx.publish()
	if g.d.Poll() == 0 {
		t.Error("the device does not work after a reset")
	}
	g.clean()
}

// wantRules fails unless exactly these rules were broken; of the header rules
// one byte may break two.
func (g *guest) wantRules(rules ...string) {
	g.t.Helper()
	seen := make(map[string]bool)
	for _, v := range g.d.Violations() {
		seen[v.Rule] = true
	}
	for _, r := range rules {
		if !seen[r] {
			g.t.Errorf("rule %s was not recorded; recorded: %v", r, g.d.Violations())
		}
		if delete(seen, r); r == "net/tx/20" {
			delete(seen, "net/tx/3")
		}
	}
	if len(seen) > 0 {
		g.t.Errorf("recorded besides: %v", g.d.Violations())
	}
}
