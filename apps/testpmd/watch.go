package main

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// The levels of verbosity, as in testpmd: bits that say which packets are shown.
const (
	showReceived = 1
	showSent     = 2
)

// watch records bursts of a stream, or shows their packets. It belongs to the poller; the
// counters are read by others.
type watch struct {
	rxBursts, txBursts *bursts // nil if they are not recorded
	verbose            int
	screen             io.Writer // for packets that are shown
	strip              bool      // the tags of received packets
	insert             []uint16  // tags of packets that are sent, the outermost last
}

// newWatch returns nil if nothing is to be done beside forwarding.
func (p *plan) newWatch(s *stream) *watch {
	in, out := p.tags[s.from], p.tags[s.number]
	w := &watch{verbose: p.verbose, screen: p.screen, strip: in.strips(s.rxQueue), insert: out.insert}
	if !p.burstStats && w.verbose == 0 && !w.strip && len(w.insert) == 0 {
		return nil
	}
	if p.burstStats {
		w.rxBursts, w.txBursts = new(bursts), new(bursts)
	}
	return w
}

// watchAgain has the streams of a run do from now on what its plan says beside forwarding.
func (e *engine) watchAgain() {
	for _, s := range e.streams {
		next := e.plan.newWatch(s)
		if w := s.watch.Load(); w != nil && next != nil {
			next.rxBursts, next.txBursts = w.rxBursts, w.txBursts
		}
		s.watch.Store(next)
	}
}

// received takes note of a burst that was received.
func (w *watch) received(s *stream, bufs []*mbuf.Buf) {
	if w.rxBursts != nil {
		w.rxBursts.of[len(bufs)].Add(1)
	}
	if w.strip {
		for _, b := range bufs {
			b.StripVLAN()
		}
	}
	if w.verbose&showReceived != 0 && len(bufs) > 0 {
		dump(w.screen, fmt.Sprintf("port %d/queue %d: received %d packets", s.from, s.rxQueue, len(bufs)), s.rxQueue, false, bufs)
	}
}

// sending takes note of a burst that is about to be sent.
func (w *watch) sending(s *stream, bufs []*mbuf.Buf) {
	for _, tci := range w.insert {
		for _, b := range bufs {
			b.InsertVLAN(tci)
		}
	}
	if w.verbose&showSent != 0 && len(bufs) > 0 {
		dump(w.screen, fmt.Sprintf("port %d/queue %d: sent %d packets", s.number, s.txQueue, len(bufs)), s.txQueue, true, bufs)
	}
}

// sent takes note of how many packets of a burst were sent.
func (w *watch) sent(n int) {
	if w.txBursts != nil {
		w.txBursts.of[n].Add(1)
	}
}

// bursts counts bursts by their length.
type bursts struct {
	of [command.MaxBurst + 1]atomic.Uint64
}

// add adds the counts of others.
func (b *bursts) add(others *bursts) {
	for i := range b.of {
		b.of[i].Add(others.of[i].Load())
	}
}

// words lists how long bursts were, as testpmd does: the share of those without packets, of the
// two most frequent lengths, and of the others.
func (b *bursts) words() string {
	var total uint64
	type count struct {
		length int
		n      uint64
	}
	top := [3]count{{length: 0, n: b.of[0].Load()}}
	for i := range b.of {
		n := b.of[i].Load()
		total += n
		switch {
		case i == 0:
		case n > top[1].n:
			top[1], top[2] = count{i, n}, top[1]
		case n > top[2].n:
			top[2] = count{i, n}
		}
	}
	if total == 0 {
		return "0"
	}
	share := func(n uint64) uint64 { return 100 * n / total }
	text := fmt.Sprintf("%d [%d%% of 0 pkts", total, share(top[0].n))
	others, shares := total-top[0].n, share(top[0].n)
	for _, t := range top[1:] {
		if t.n == 0 {
			continue
		}
		// The last share is what the others leave, so that they make 100.
		part := share(t.n)
		if others -= t.n; others == 0 {
			part = 100 - shares
		}
		shares += part
		text += fmt.Sprintf(" + %d%% of %d pkts", part, t.length)
	}
	if others > 0 {
		text += fmt.Sprintf(" + %d%% of other", 100-shares)
	}
	return text + "]"
}

// dump shows packets, with the words of testpmd.
func dump(w io.Writer, head string, queue int, sent bool, bufs []*mbuf.Buf) {
	var b strings.Builder
	fmt.Fprintln(&b, head)
	for _, buf := range bufs {
		dumpPacket(&b, queue, sent, buf)
	}
	_, _ = io.WriteString(w, b.String())
}
