package wire

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
)

// impaired sends n numbered frames through an impaired cable, a millisecond after each other
// in a time of the test, and returns the numbers and the times of those that come out.
func impaired(t *testing.T, c ImpairConfig, n int) (w *Impairment, numbers []int, took []time.Duration) {
	t.Helper()
	a, b := Cable()
	w, err := Impair(b, c)
	if err != nil {
		t.Fatal(err)
	}
	var now time.Duration
	w.now = func() time.Duration { return now }
	frames := make([][]byte, 8)
	for i := range n + 100 {
		now = time.Duration(i) * time.Millisecond
		if i < n {
			if a.Transmit(0, [][]byte{binary.BigEndian.AppendUint32(nil, uint32(i))}) != 1 {
				t.Fatal("the cable is full")
			}
		}
		for k := w.Receive(vdev.AnyPair, frames); k > 0; k = w.Receive(vdev.AnyPair, frames) {
			for _, f := range frames[:k] {
				number := int(binary.BigEndian.Uint32(f))
				numbers = append(numbers, number)
				took = append(took, now-time.Duration(number)*time.Millisecond)
			}
		}
	}
	return w, numbers, took
}

// TestImpairmentIsWhatItCounts has every impairment, and finds in the frames what is counted,
// near to what was asked for.
func TestImpairmentIsWhatItCounts(t *testing.T) {
	const n = 10000
	w, numbers, _ := impaired(t, ImpairConfig{Loss: 10, Reorder: 5, Duplicate: 2}, n)
	seen := map[int]bool{}
	next := 0
	var reordered, duplicated uint64
	for _, number := range numbers {
		switch {
		case seen[number]:
			duplicated++
		case number < next:
			reordered++
		}
		seen[number] = true
		next = max(next, number+1)
	}
	lost, swapped, twice := w.Counts()
	if uint64(n-len(seen)) != lost || reordered != swapped || duplicated != twice {
		t.Errorf("lost %d, reordered %d, duplicate %d; counted %d, %d, %d",
			n-len(seen), reordered, duplicated, lost, swapped, twice)
	}
	if lost < 900 || lost > 1100 || swapped < 360 || swapped > 520 || twice < 140 || twice > 220 {
		t.Errorf("lost %d, reordered %d, duplicate %d of %d frames", lost, swapped, twice, n)
	}
	again, _, _ := impaired(t, ImpairConfig{Loss: 10, Reorder: 5, Duplicate: 2}, n)
	if l, s, d := again.Counts(); l != lost || s != swapped || d != twice {
		t.Errorf("then lost %d, reordered %d, duplicate %d", l, s, d)
	}
}

// TestImpairmentDelays: all frames come, in order, after the delay and within the jitter.
func TestImpairmentDelays(t *testing.T) {
	const n = 1000
	_, numbers, took := impaired(t, ImpairConfig{Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond}, n)
	if len(numbers) != n {
		t.Fatalf("%d of %d frames", len(numbers), n)
	}
	least, most := took[0], took[0]
	for i, number := range numbers {
		if number != i {
			t.Fatalf("frame %d after %d others", number, i)
		}
		least, most = min(least, took[i]), max(most, took[i])
	}
	if least < 15*time.Millisecond || least > 17*time.Millisecond || most < 23*time.Millisecond || most > 26*time.Millisecond {
		t.Errorf("delays from %v to %v", least, most)
	}
}

// TestLastFrameIsNotKept: a frame that no other one follows leaves as well.
func TestLastFrameIsNotKept(t *testing.T) {
	w, numbers, took := impaired(t, ImpairConfig{Reorder: 100}, 1)
	if len(numbers) != 1 || took[0] != reorderTimeout {
		t.Errorf("frames %v after %v", numbers, took)
	}
	if _, reordered, _ := w.Counts(); reordered != 0 {
		t.Errorf("%d reordered", reordered)
	}
}

// TestImpairmentWakes has the device woken when a delayed frame leaves.
func TestImpairmentWakes(t *testing.T) {
	a, b := Cable()
	w, err := Impair(b, ImpairConfig{Delay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	woken := make(chan struct{}, 16)
	if err := w.Attach(func() { woken <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	frames := make([][]byte, 1)
	a.Transmit(0, [][]byte{{1}})
	for n := 0; n == 0; n = w.Receive(vdev.AnyPair, frames) {
		select {
		case <-woken:
		case <-time.After(time.Minute):
			t.Fatal("not woken")
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// TestImpairmentIsBounded: what it cannot delay stays in the wire, which refuses more.
func TestImpairmentIsBounded(t *testing.T) {
	a, b := Cable()
	w, err := Impair(b, ImpairConfig{Delay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	frames := make([][]byte, 1)
	taken := 0
	for a.Transmit(0, [][]byte{{1}}) == 1 {
		taken++
		w.Receive(vdev.AnyPair, frames)
	}
	if taken < impairFrames-4*impairBatch || taken > impairFrames+cableFrames {
		t.Errorf("took %d frames", taken)
	}
}

func TestBadImpairment(t *testing.T) {
	for _, c := range []ImpairConfig{
		{Loss: -1}, {Duplicate: 100.1}, {Reorder: 101}, {Delay: -1}, {Jitter: -1, Delay: 1}, {Jitter: 2, Delay: 1},
	} {
		var e *Error
		if _, err := Impair(Loop(), c); !errors.As(err, &e) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
