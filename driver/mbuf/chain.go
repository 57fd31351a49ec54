package mbuf

// Next returns the segment that follows, nil behind the last.
func (b *Buf) Next() *Buf { return b.next }

// SetNext makes next, which may be nil, follow b. A segment that followed b is
// the caller's to free. A chain must not lead back into itself.
func (b *Buf) SetNext(next *Buf) { b.next = next }

// Segments returns how many segments the packet has from b on.
func (b *Buf) Segments() int {
	n := 0
	for ; b != nil; b = b.next {
		n++
	}
	return n
}

// PacketLen returns how many bytes the packet has from b on.
func (b *Buf) PacketLen() int {
	n := 0
	for ; b != nil; b = b.next {
		n += b.Len()
	}
	return n
}

// Free frees whole packets: every segment goes back to the pool it came from. A
// segment that is free already is counted by its pool as a double free, and
// neither it nor what follows it is touched. nil entries are skipped. It may be
// called from any goroutine; where a Cache is at hand, its Put is faster.
func Free(bufs []*Buf) {
	var locked *Pool // a stretch of buffers of one pool costs one lock
	for _, b := range bufs {
		for b != nil {
			if b.pool != locked {
				if locked != nil {
					locked.mu.Unlock()
				}
				locked = b.pool
				locked.mu.Lock()
			}
			next := b.next
			if !locked.reclaim(b) {
				break
			}
			b = next
		}
	}
	if locked != nil {
		locked.mu.Unlock()
	}
}
