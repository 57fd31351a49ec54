package portset

import (
	"errors"
	"slices"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// TestDevices: each emulated device is polled by exactly one poller, one that uses its
// port, and the pollers share them.
func TestDevices(t *testing.T) {
	for name, c := range map[string]struct {
		uses [][]int // per poller: ports
		want []int   // per port: its poller, -1 for none
	}{
		"one poller":            {[][]int{{0, 1, 2, 3}}, []int{0, 0, 0, -1}},
		"both use both":         {[][]int{{0, 1}, {0, 1}}, []int{0, 1, -1, -1}},
		"more than ports":       {[][]int{{0}, {0}, {0}}, []int{0, -1, -1, -1}},
		"pairs":                 {[][]int{{0, 1}, {2, 3}}, []int{0, 0, 1, -1}},
		"one with nothing else": {[][]int{{2}, {0, 1, 2}}, []int{1, 1, 0, -1}},
	} {
		polled := make([]int, 4)
		s := &Set{Caches: make([]*mbuf.Cache, len(c.uses)), EmuPolls: make([]func() int, 4)}
		for i := range s.EmuPolls[:3] { // the last port is not emulated
			s.EmuPolls[i] = func() int { polled[i]++; return 0 }
		}
		dealt := s.Devices(func(poller, port int) bool { return slices.Contains(c.uses[poller], port) })
		got := []int{-1, -1, -1, -1}
		for i := range dealt {
			before := slices.Clone(polled)
			dealt[i].Poll(true)
			if dealt[i].Any() == slices.Equal(before, polled) {
				t.Errorf("%s: poller %d: Any is %t", name, i, dealt[i].Any())
			}
			for port := range polled {
				if polled[port] > before[port] {
					got[port] = i
				}
				if polled[port] > 1 {
					t.Errorf("%s: port %d is polled twice", name, port)
				}
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: the ports are polled by %v, want %v", name, got, c.want)
		}
	}
}

// TestPortIsNamedOnce: an error names a port once, wherever what failed has named its device.
func TestPortIsNamedOnce(t *testing.T) {
	spec, err := devargs.Parse("0000:99:00.0,queues=2")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"find 0000:99:00.0: there is no such function": "port 0000:99:00.0,queues=2: find: there is no such function",
		"0000:99:00.0: reset: no answer":               "port 0000:99:00.0,queues=2: reset: no answer",
		"no memory":                                    "port 0000:99:00.0,queues=2: no memory",
	} {
		if got := named(spec, errors.New(text)).Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
