package vm

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// matrixFeatures are what the functions of the matrix differ in: a property of
// QEMU's device each, and the name of the feature bit.
var matrixFeatures = []struct{ property, feature string }{
	{"packed", "RING_PACKED"}, {"mrg_rxbuf", "MRG_RXBUF"}, {"event_idx", "EVENT_IDX"},
	{"indirect_desc", "INDIRECT_DESC"},
}

// cell is one function of the matrix: bit i of it is set if the device
// offers matrixFeatures[i].
type cell int

// nic is the function of a cell. Its receive queue may have up to 1024
// descriptors. QEMU gives more than 256 to a transmit queue only if the back
// end is vhost-user.
func (c cell) nic() *nic {
	n := &nic{id: fmt.Sprintf("cell%d", int(c))}
	options := []string{"rx_queue_size=1024"}
	for i, f := range matrixFeatures {
		state := "off"
		if c.has(i) {
			state = "on"
		}
		options = append(options, f.property+"="+state)
	}
	n.options = strings.Join(options, ",")
	return n
}

// opposite offers what c does not.
func (c cell) opposite() cell { return cells - 1 - c }

func (c cell) has(i int) bool { return c>>i&1 == 1 }

func (c cell) String() string {
	words := []string{"split"}
	if c.has(0) {
		words[0] = "packed"
	}
	for i, f := range matrixFeatures[1:] {
		if c.has(i + 1) {
			words = append(words, f.property)
		}
	}
	return strings.Join(words, "+")
}

const (
	// mergeable is the place of mrg_rxbuf in matrixFeatures.
	mergeable = 1
	// cells is the number of functions.
	cells = 1 << 4
	// mostTx is the largest transmit queue that QEMU gives these functions.
	mostTx = 256
)

// TestMatrix forwards between functions that offer every combination of
// features, with queues of every size: each function with its opposite, so
// that each pair has one split and one packed ring, and all pairs in one l2fwd.
func TestMatrix(t *testing.T) {
	for name, iommu := range map[string]bool{"IOMMU": true, "no IOMMU": false} {
		t.Run(name, func(t *testing.T) {
			var nics []*nic
			var ids []string
			for c := range cell(cells / 2) {
				a, b := c.nic(), c.opposite().nic()
				nics, ids = append(nics, a, b), append(ids, a.id, b.id)
			}
			g := boot(t, "matrix", iommu, nics)
			g.bind(t, ids...)
			for _, size := range []int{64, 256, 1024} {
				t.Run(fmt.Sprint(size), func(t *testing.T) { g.testCells(t, size, ids) })
			}
		})
	}
}

// testCells forwards between all pairs of the matrix with queues of one size.
func (g *guest) testCells(t *testing.T, size int, ids []string) {
	list := ports(fmt.Sprintf(",rx_queue_size=%d,tx_queue_size=%d", size, min(size, mostTx)),
		ids...)
	f := g.l2fwd(t, nil, list)
	for c := range cell(cells / 2) {
		t.Run(fmt.Sprintf("%v with %v", c, c.opposite()), func(t *testing.T) {
			// Every ring goes round, the largest too.
			streams := f.both(int(2*c), int(2*c)+1, max(1500, 3*size))
			for i, receiver := range []cell{c, c.opposite()} {
				if receiver.has(mergeable) {
					// Of up to three buffers, to be sent as a chain by the other.
					streams[i].MaxSize, streams[i].Window = 6000, 8
				}
			}
			f.exchange(t, streams...)
			g.hasSizes(t, c.nic().id, size)
			g.hasSizes(t, c.opposite().nic().id, size)
		})
	}
	s := f.stop(t)
	for c := range cell(cells / 2) {
		c.negotiated(t, s.Ports[2*c].Features)
		c.opposite().negotiated(t, s.Ports[2*c+1].Features)
	}
}

// hasSizes shows that the device's queues have the size that was asked for.
func (g *guest) hasSizes(t *testing.T, id string, size int) {
	t.Helper()
	for q, want := range []int{size, min(size, mostTx)} {
		queue, err := g.QMP.Queue(id, q)
		if err != nil {
			t.Fatal(err)
		}
		if queue.Size != want {
			t.Errorf("%s: virtqueue %d has %d descriptors, want %d", id, q, queue.Size, want)
		}
	}
}

// negotiated shows that the driver uses exactly what the cell is about.
func (c cell) negotiated(t *testing.T, features []string) {
	t.Helper()
	for i, f := range matrixFeatures {
		if has := slices.Contains(features, f.feature); has != c.has(i) {
			t.Errorf("%v: %s negotiated: %v, in %v", c, f.feature, has, features)
		}
	}
}
