package output

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// queue is what waits to be written by one goroutine, in order.
type queue struct {
	streams []*Stream // that share it

	mu      sync.Mutex
	changed sync.Cond // there are entries, or the queue is closed
	entries []*entry
	size    int // bytes in entries and in the one that is being written
	closed  bool
	// diverted, if not nil, is where writes go that are not direct.
	diverted func([]byte)
	// dropping is set from the first line that is dropped until everything before it
	// is written, so that what is missing is missing in one place.
	dropping bool
}

// entry is one write to a stream, or a mark up to which everything is passed on.
type entry struct {
	stream *Stream
	text   []byte
	direct bool          // never diverted
	result bool          // not dropped, and reported if it is not written
	done   chan struct{} // of a mark: closed when the mark is reached
}

func newQueue() *queue {
	q := &queue{}
	q.changed.L = &q.mu
	return q
}

// put adds a write, or drops it if too much is waiting. It returns why nothing can be
// written to the stream any more.
func (q *queue) put(e *entry) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := e.stream
	switch full := q.size > 0 && q.size+len(e.text) > maxQueued; {
	case q.closed:
		return os.ErrClosed
	case q.diverted != nil && !e.direct:
		q.diverted(e.text)
		return nil
	case s.broken != nil:
		s.fail(e, s.broken)
		return s.broken
	case !e.result && (full || q.dropping):
		q.dropping = true
		if !e.direct { // a screen, of which another follows
			s.dropped += lines(e.text)
		}
		return nil
	}
	q.add(e)
	return nil
}

// add appends an entry. The lock is held.
func (q *queue) add(e *entry) {
	if e.result {
		e.stream.results++
	}
	q.size += len(e.text)
	q.entries = append(q.entries, e)
	q.changed.Signal()
}

// flush adds a mark, after the report of what was dropped before it.
func (q *queue) flush(mark *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		close(mark.done)
		return
	}
	q.reportDropped()
	q.add(mark)
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Signal()
}

// run writes the entries until the queue is closed and empty.
func (q *queue) run() {
	for e := q.next(); e != nil; e = q.next() {
		if e.done != nil {
			close(e.done)
			continue
		}
		q.written(e, e.stream.write(e.text))
	}
}

// next waits for an entry and removes it from the queue.
func (q *queue) next() *entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.entries) == 0 {
		if q.dropping {
			q.reportDropped()
			continue
		}
		if q.closed {
			return nil
		}
		q.changed.Wait()
	}
	e := q.entries[0]
	q.entries = q.entries[1:]
	return e
}

// written notes the outcome of a write.
func (q *queue) written(e *entry, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := e.stream
	q.size -= len(e.text)
	if e.result {
		s.results--
	}
	if err == nil {
		return
	}
	s.fail(e, err)
	if !errors.Is(err, syscall.EPIPE) {
		return
	}
	s.broken = err
	rest := q.entries
	q.entries = nil
	for _, e := range rest { // what is queued for the same stream is lost as well
		if e.stream != s || e.done != nil {
			q.entries = append(q.entries, e)
			continue
		}
		q.size -= len(e.text)
		if e.result {
			s.results--
		}
		s.fail(e, err)
	}
}

// fail notes that an entry was not written. A reader that ends is no failure, unless a
// result was for it. The lock of the queue is held.
func (s *Stream) fail(e *entry, err error) {
	if s.failed == nil && (e.result || !errors.Is(err, syscall.EPIPE)) {
		s.failed = err
	}
}

// reportDropped says how many lines were dropped, if any, and has lines accepted again.
// The lock is held. A queue of its own for standard error is locked after that of
// standard output, never the other way round.
func (q *queue) reportDropped() {
	q.dropping = false
	for _, s := range q.streams {
		if s.dropped == 0 || s.broken != nil {
			continue
		}
		text := fmt.Appendf(nil, "%s: %s was not read: %d lines were dropped\n", s.app, s.name, s.dropped)
		s.dropped = 0
		notice := &entry{stream: s.notices, text: text}
		if s.notices.queue == q {
			q.add(notice)
			continue
		}
		_ = s.notices.queue.put(notice) // dropped and counted there, or without a reader
	}
}
