package virtq

import "github.com/virtio-pmd/virtio-pmd/driver/mbuf"

// receiveSlow delivers the next packet, of any number of buffers. It returns nil
// if there is none, or none that is complete.
func (r *Rx) receiveSlow() *mbuf.Buf {
	for !r.idle() {
		b, n := r.assemble()
		if n == 0 {
			if !r.collect() {
				r.missing()
				return nil
			}
			continue
		}
		r.pending -= n
		r.leave(n)
		if b != nil {
			return b
		}
	}
	return nil
}

// collect makes the next used buffer pending, or with IN_ORDER all that one used
// entry stands for. It returns false if there is none.
func (r *Rx) collect() bool {
	if r.packed {
		return r.collectPacked()
	}
	return r.collectSplit()
}

// consumeUsed makes a used buffer pending: its identifier is id, and the device
// wrote n bytes. limit is how many there may be, at least 1. It returns how many
// buffers became pending, 0 if id is invalid, which breaks the queue.
//
// With IN_ORDER one used entry may stand for all buffers up to id; those before
// it were then used completely (2.7.9, 2.8.8).
func (r *Rx) consumeUsed(id, n uint32, limit int) int {
	from := r.wrap(r.head + r.pending)
	d := 0
	if id != uint32(r.id[from]) {
		if d = r.distance(id, from, limit); d < 0 {
			r.fail(notOutstanding, uint64(id), uint64(r.size()))
			return 0
		}
		if !r.inOrder {
			r.toFront(from, d)
			d = 0
		}
	}
	for i := range d {
		r.lens[r.wrap(from+i)] = r.room
	}
	r.lens[r.wrap(from+d)] = n
	r.pending += d + 1
	return d + 1
}
