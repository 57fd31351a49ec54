package virtq

import (
	"errors"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// TestControl keeps several commands in flight, completes them in any order the
// features allow, and reports more bytes than the device was given.
func TestControl(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		for _, features := range [][]virtio.Feature{nil, feats(virtio.RingIndirectDesc),
			feats(virtio.InOrder)} {
			s := setup{packed: packed, size: 16, features: features, segments: 4}
			t.Run(s.String(), func(t *testing.T) { commands(t, s) })
		}
	})
}

func commands(t *testing.T, s setup) {
	r := newControlRig(t, s)
	b := r.packets(2, 64)
	out, in := r.segment(b[0], 64), r.segment(b[1], 64)
	flying := map[uint16]bool{}
	for round := range 100 {
		n := 1 + round%3
		for range n {
			token, err := r.control.Add([]Segment{out, out}, []Segment{in})
			if err != nil || flying[token] {
				t.Fatalf("token %d: %v", token, err)
			}
			flying[token] = true
		}
		r.control.Kick()
		all := r.popAll()
		if len(all) != n || r.control.Kicks() != uint64(round+1) {
			t.Fatalf("the device sees %d of %d commands, %d doorbells", len(all), n,
				r.control.Kicks())
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
			token, written, ok := r.control.Used()
			want := uint32(64)
			if s.has(virtio.InOrder) && i == n-1 {
				want = 5
			}
			if !ok || !flying[token] || written != want {
				t.Fatalf("round %d: Used() = %d, %d, %v; want %d bytes", round, token, written,
					ok, want)
			}
			delete(flying, token)
		}
		if _, _, ok := r.control.Used(); ok || r.control.Posted() != 0 {
			t.Fatalf("a command too many, %d posted", r.control.Posted())
		}
		r.ok()
	}
}

// TestControlBroken gives a control queue used entries for commands that it does
// not have.
func TestControlBroken(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		r := newControlRig(t, setup{packed: packed, size: 8})
		b := r.packets(1, 64)
		if _, err := r.control.Add([]Segment{r.segment(b[0], 64)}, nil); err != nil {
			t.Fatal(err)
		}
		r.popAll()
		r.rawPush(5, 0)
		if _, _, ok := r.control.Used(); ok {
			t.Error("a command that was never added is done")
		}
		var broken *BrokenError
		if !errors.As(r.control.Broken(), &broken) || broken.Value != 5 {
			t.Errorf("broken by %v", r.control.Broken())
		}
		if _, err := r.control.Add([]Segment{r.segment(b[0], 64)}, nil); !errors.As(err, &broken) {
			t.Errorf("Add on a broken queue: %v", err)
		}
		if n := r.control.Drain(); n != 1 || r.control.Posted() != 0 {
			t.Errorf("%d drained, %d posted", n, r.control.Posted())
		}
	})
}

// TestControlBatchTooLong names a command beyond the used index.
func TestControlBatchTooLong(t *testing.T) {
	r := newControlRig(t, setup{size: 8, features: feats(virtio.InOrder)})
	b := r.packets(1, 64)
	for range 4 {
		if _, err := r.control.Add([]Segment{r.segment(b[0], 64)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	all := r.popAll()
	r.dev.pushBatch(all[3], 0, 4, 2) // stands for four, and the index moved by two
	r.dev.flush()
	if _, _, ok := r.control.Used(); ok || r.control.Broken() == nil {
		t.Errorf("Used: %v, broken by %v", ok, r.control.Broken())
	}
}

// TestControlAstray: a device that has used a command twice, and answers the next one behind
// the place where its answer is waited for, is found out when that does not come.
func TestControlAstray(t *testing.T) {
	r := newControlRig(t, setup{packed: true, size: 16})
	b := r.packets(2, 64)
	out, in := r.segment(b[0], 64), r.segment(b[1], 64)
	add := func() {
		t.Helper()
		if _, err := r.control.Add([]Segment{out}, []Segment{in}); err != nil {
			t.Fatal(err)
		}
		r.control.Kick()
	}
	add()
	first := r.popAll()[0]
	r.dev.push(first.id, 1, first.slots)
	r.dev.flush()
	if _, _, ok := r.control.Used(); !ok || r.control.Astray() {
		t.Fatal("the first answer is not there, or something is wrong with it")
	}
	r.dev.push(first.id, 1, first.slots) // once more, and before the driver looks it adds another
	r.dev.flush()
	add()
	if r.control.Astray() {
		t.Fatal("astray before the device has answered")
	}
	second := r.popAll()[0]
	r.dev.push(second.id, 1, second.slots)
	r.dev.flush()
	if _, _, ok := r.control.Used(); ok || r.control.Broken() != nil {
		t.Fatalf("the answer is in the right place, or %v", r.control.Broken())
	}
	var broken *BrokenError
	if !r.control.Astray() || !errors.As(r.control.Broken(), &broken) {
		t.Errorf("the queue is not broken: %v", r.control.Broken())
	}
}

// TestControlStray: an answer to nothing breaks the queue.
func TestControlStray(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		r := newControlRig(t, setup{packed: packed, size: 8})
		b := r.packets(1, 64)
		if _, err := r.control.Add([]Segment{r.segment(b[0], 64)}, nil); err != nil {
			t.Fatal(err)
		}
		l := r.popAll()[0]
		for range 2 {
			r.dev.push(l.id, 0, l.slots)
		}
		r.dev.flush()
		r.control.Used()
		if _, _, ok := r.control.Used(); ok || r.control.Broken() == nil {
			t.Error("an answer to nothing is taken for one")
		}
	})
}
