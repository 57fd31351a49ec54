package traffic

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// rig is two wires whose far ends the test holds, as QEMU would.
type rig struct {
	near, far [2]*Dgram
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{}
	for i, name := range []string{"a", "b"} {
		far := filepath.Join(dir, "far-"+name)
		near := filepath.Join(dir, "near-"+name)
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: far, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		if r.near[i], err = DialDgram(name, near, far); err != nil {
			t.Fatal(err)
		}
		r.far[i] = &Dgram{UnixConn: l, name: "far-" + name, path: far}
		t.Cleanup(func() { _ = r.near[i].Close(); _ = r.far[i].Close() })
	}
	return r
}

// forward passes frames from far end i to the other's near end; each frame
// becomes what tamper makes of it.
func (r *rig) forward(i int, tamper func(n int, frame []byte) [][]byte) {
	buf := make([]byte, largest)
	to := r.near[1-i].LocalAddr().(*net.UnixAddr)
	for n := 0; ; n++ {
		size, err := r.far[i].Receive(buf)
		if err != nil {
			return
		}
		for _, f := range tamper(n, buf[:size]) {
			if _, err := r.far[1-i].WriteTo(f, to); err != nil {
				return
			}
		}
	}
}

// intact passes frames on as they are.
func intact(_ int, f []byte) [][]byte { return [][]byte{f} }

var (
	here  = MACs{Dst: net.HardwareAddr{2, 0, 0, 0, 0, 1}, Src: net.HardwareAddr{2, 0, 0, 0, 0, 2}}
	there = MACs{Dst: net.HardwareAddr{2, 0, 0, 0, 0, 3}, Src: net.HardwareAddr{2, 0, 0, 0, 0, 4}}
)

func TestExchangeBothWays(t *testing.T) {
	r := newRig(t)
	rewrite := func(_ int, f []byte) [][]byte {
		copy(f, there.Dst)
		copy(f[6:], there.Src)
		return [][]byte{f}
	}
	go r.forward(0, intact)
	go r.forward(1, rewrite)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	lab := &Lab{}
	ab := &Stream{From: r.near[0], To: r.near[1], Count: 5000, Flows: 7, Sent: here, Want: here}
	ba := &Stream{From: r.near[1], To: r.near[0], Count: 3000, Sent: here, Want: there,
		MaxSize: 9014}
	if err := lab.Await(ctx, ab); err != nil {
		t.Fatal(err)
	}
	if err := lab.Exchange(ctx, ab, ba); err != nil {
		t.Fatal(err)
	}
	if ab.Received() != 5007 || ba.Received() != 3001 {
		t.Errorf("received %d and %d frames, want 5007 and 3001", ab.Received(), ba.Received())
	}
}

// TestExchangeNotices has every kind of fault in the middle.
func TestExchangeNotices(t *testing.T) {
	const at = 100
	var held []byte
	faults := map[string]struct {
		tamper func(n int, f []byte) [][]byte
		reason string
	}{
		"duplicate": {func(n int, f []byte) [][]byte {
			if n == at {
				return [][]byte{f, f}
			}
			return [][]byte{f}
		}, "again, or late"},
		"loss": {func(n int, f []byte) [][]byte {
			if n == at {
				return nil
			}
			return [][]byte{f}
		}, "1 lost or overtaken"},
		"exchanged": {func(n int, f []byte) [][]byte {
			switch n {
			case at:
				held = append(held, f...)
				return nil
			case at + 1:
				return [][]byte{f, held}
			}
			return [][]byte{f}
		}, "1 lost or overtaken"},
		"one bit": {func(n int, f []byte) [][]byte {
			if n == at {
				f[len(f)-1] ^= 1
			}
			return [][]byte{f}
		}, "differs from byte"},
		"cut": {func(n int, f []byte) [][]byte {
			if n == at {
				return [][]byte{f[:len(f)-1]}
			}
			return [][]byte{f}
		}, "bytes long, was"},
		"address": {func(n int, f []byte) [][]byte {
			if n == at {
				f[3]++
			}
			return [][]byte{f}
		}, "has addresses"},
		"duplicate at the end": {func(n int, f []byte) [][]byte {
			if n == 499 {
				return [][]byte{f, f}
			}
			return [][]byte{f}
		}, "again, or late"},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			go r.forward(0, fault.tamper)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			s := &Stream{From: r.near[0], To: r.near[1], Count: 500, MinSize: 100,
				Sent: here, Want: here}
			err := (&Lab{}).Exchange(ctx, s)
			var frame *FrameError
			if !errors.As(err, &frame) || !strings.Contains(frame.Reason, fault.reason) {
				t.Errorf("got %v, want a *FrameError with %q", err, fault.reason)
			}
		})
	}
}

func TestExchangeNoticesHalt(t *testing.T) {
	r := newRig(t)
	go r.forward(0, func(n int, f []byte) [][]byte {
		if n >= 50 {
			return nil
		}
		return [][]byte{f}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	err := (&Lab{}).Exchange(ctx, &Stream{From: r.near[0], To: r.near[1], Count: 500,
		Sent: here, Want: here})
	var loss *LossError
	if !errors.As(err, &loss) || loss.Received != 50 || loss.Next != 50 {
		t.Errorf("got %v, want a *LossError after 50 frames", err)
	}
}

// TestSizes shows that every size between the bounds occurs.
func TestSizes(t *testing.T) {
	s := &Stream{}
	s.prepare(&Lab{})
	buf := make([]byte, largest)
	seen := map[int]bool{}
	for i := range 100_000 {
		seen[len(s.frame(buf, i, here))] = true
	}
	if len(seen) != MaxSize-MinSize+1 || !seen[MinSize] || !seen[MaxSize] {
		t.Errorf("%d sizes, want all %d from %d to %d", len(seen), MaxSize-MinSize+1,
			MinSize, MaxSize)
	}
}
