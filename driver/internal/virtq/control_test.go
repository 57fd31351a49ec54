package virtq

import (
	"errors"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// TestChain keeps several commands in flight, completes them in any order the
// features allow, and lies about what was written.
func TestChain(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		for _, features := range [][]virtio.Feature{nil, feats(virtio.RingIndirectDesc), feats(virtio.InOrder)} {
			s := setup{packed: packed, size: 16, features: features, segments: 4}
			t.Run(s.String(), func(t *testing.T) { commands(t, s) })
		}
	})
}

func commands(t *testing.T, s setup) {
	r := newChainRig(t, s)
	b := r.packets(2, 64)
	out, in := r.segment(b[0], 64), r.segment(b[1], 64)
	flying := map[uint16]bool{}
	for round := range 100 {
		n := 1 + round%3
		for range n {
			token, err := r.chain.Add([]Segment{out, out}, []Segment{in})
			if err != nil || flying[token] {
				t.Fatalf("token %d: %v", token, err)
			}
			flying[token] = true
		}
		r.chain.Kick()
		all := r.popAll()
		if len(all) != n || r.chain.Kicks() != uint64(round+1) {
			t.Fatalf("the device sees %d of %d commands, %d doorbells", len(all), n, r.chain.Kicks())
		}
		last := all[n-1]
		if s.has(virtio.InOrder) {
			r.dev.pushBatch(last, 5, 3*n, n)
		} else {
			for i := range all {
				l := all[(i*2+round)%n]
				if n == 2 {
					l = all[1-i]
				}
				r.dev.push(l.id, 1000, l.slots) // more than it was given
			}
		}
		r.dev.flush()
		for i := range n {
			token, written, ok := r.chain.Used()
			want := uint32(64)
			if s.has(virtio.InOrder) && i == n-1 {
				want = 5
			}
			if !ok || !flying[token] || written != want {
				t.Fatalf("round %d: Used() = %d, %d, %v; want %d bytes", round, token, written, ok, want)
			}
			delete(flying, token)
		}
		if _, _, ok := r.chain.Used(); ok || r.chain.Posted() != 0 {
			t.Fatalf("a command too many, %d posted", r.chain.Posted())
		}
		r.ok()
	}
}

// TestChainBroken gives a control queue used entries for commands that it does
// not have.
func TestChainBroken(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		r := newChainRig(t, setup{packed: packed, size: 8})
		b := r.packets(1, 64)
		if _, err := r.chain.Add([]Segment{r.segment(b[0], 64)}, nil); err != nil {
			t.Fatal(err)
		}
		r.popAll()
		r.rawPush(5, 0)
		if _, _, ok := r.chain.Used(); ok {
			t.Error("a command that was never added is done")
		}
		var broken *BrokenError
		if !errors.As(r.chain.Broken(), &broken) || broken.Value != 5 {
			t.Errorf("broken by %v", r.chain.Broken())
		}
		if _, err := r.chain.Add([]Segment{r.segment(b[0], 64)}, nil); !errors.As(err, &broken) {
			t.Errorf("Add on a broken queue: %v", err)
		}
		if n := r.chain.Drain(); n != 1 || r.chain.Posted() != 0 {
			t.Errorf("%d drained, %d posted", n, r.chain.Posted())
		}
	})
}

// TestChainBatchTooLong names a command further on than the used index goes.
func TestChainBatchTooLong(t *testing.T) {
	r := newChainRig(t, setup{size: 8, features: feats(virtio.InOrder)})
	b := r.packets(1, 64)
	for range 4 {
		if _, err := r.chain.Add([]Segment{r.segment(b[0], 64)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	all := r.popAll()
	r.dev.pushBatch(all[3], 0, 4, 2) // stands for four, the index says two
	r.dev.flush()
	if _, _, ok := r.chain.Used(); ok || r.chain.Broken() == nil {
		t.Errorf("Used: %v, broken by %v", ok, r.chain.Broken())
	}
}
