package vpci_test

import (
	"errors"
	"os"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

// fewVectors is a function behind a kernel that connects no more than so many MSI-X vectors,
// and no more than in the first call until the kind was disabled.
type fewVectors struct {
	*pcifn.Function
	most, connected int
}

func (f *fewVectors) SetIRQ(kind pci.IRQ, fds []int) error {
	if kind == pci.MSIX {
		if len(fds) > f.most || f.connected > 0 && len(fds) > f.connected {
			return os.ErrInvalid
		}
		f.connected = len(fds)
	}
	return f.Function.SetIRQ(kind, fds)
}

// pci/msix/2, pci/msix/3, pci/msix/4: each queue that is to interrupt has a vector, of its own
// or with others, as there are, and no other queue has one; without vectors INTx serves.
func TestQueueVectors(t *testing.T) {
	none := int(virtio.NoVector)
	for name, c := range map[string]struct {
		cfg  pcifn.Config
		most int // that the kernel connects
		want [2]int
	}{
		"one each":                   {pcifn.Config{Vectors: 3}, 3, [2]int{1, 2}},
		"more than needed":           {pcifn.Config{Vectors: 2048}, 2048, [2]int{1, 2}},
		"one for all queues":         {pcifn.Config{Vectors: 2}, 2, [2]int{1, 1}},
		"few that the kernel has":    {pcifn.Config{Vectors: 8}, 2, [2]int{1, 1}},
		"one for everything":         {pcifn.Config{Vectors: 1}, 1, [2]int{0, 0}},
		"one that the kernel has":    {pcifn.Config{Vectors: 8}, 1, [2]int{0, 0}},
		"one that the device allows": {pcifn.Config{RefuseVector: func(v uint16) bool { return v > 1 }}, 8, [2]int{1, 1}},
		"INTx":                       {pcifn.Config{Vectors: pcifn.NoMSIX}, 0, [2]int{none, none}},
	} {
		t.Run(name, func(t *testing.T) {
			before := fdtest.Count(t)
			c.cfg.Device.Pairs = 2
			fn := &fewVectors{Function: function(t, c.cfg), most: c.most}
			d := open(t, fn)
			for range 2 { // and again after a reset
				negotiate(t, d, features)
				must(t, d.EnableInterrupts([]int{0, 2}))
				for q := range 4 {
					_, err := d.SetQueue(q, areas(page, 64, features))
					must(t, err)
				}
				for q, want := range []int{c.want[0], none, c.want[1], none} {
					if want == none {
						want = -1
					}
					if got := d.QueueVector(q); got != want {
						t.Errorf("queue %d has vector %d, want %d", q, got, want)
					}
				}
				a, err := d.Interrupt(0)
				must(t, err)
				b, err := d.Interrupt(2)
				must(t, err)
				if shared := a == b; shared != (c.want[0] == c.want[1]) {
					t.Errorf("the queues share an eventfd: %v", shared)
				}
				if _, err := d.Interrupt(1); err == nil {
					t.Error("a transmit queue has an interrupt")
				}
				reset(t, d)
			}
			must(t, d.Close())
			fn.Function.Close()
			if after := fdtest.Count(t); after > before {
				t.Errorf("%d descriptors were open, now %d are", before, after)
			}
		})
	}
}

// A queue without an interrupt that was asked for is an error, which says what to do.
func TestQueueWithoutAnInterrupt(t *testing.T) {
	d := open(t, &noInterrupts{Function: function(t, pcifn.Config{Vectors: pcifn.NoMSIX}), lacks: []pci.IRQ{pci.INTx}})
	negotiate(t, d, features)
	if err := d.EnableInterrupts([]int{0}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
	must(t, d.EnableInterrupts(nil))
	_, err := d.SetQueue(0, areas(page, 64, features))
	must(t, err)
	reset(t, d)
	_, d = emulate(t, pcifn.Config{RefuseVector: func(uint16) bool { return true }})
	negotiate(t, d, features)
	must(t, d.EnableInterrupts([]int{0}))
	if _, err := d.SetQueue(0, areas(page, 64, features)); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
	reset(t, d)
}
