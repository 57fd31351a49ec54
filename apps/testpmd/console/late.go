package console

import (
	"io"
	"sync"
)

// lateWrites is how many writes wait at most: more than anyone reads.
const lateWrites = 256

// late is what goes to a terminal past its editor: messages, and lines of the log.
type late struct {
	more chan struct{} // has something when there is more to write

	mu      sync.Mutex
	waiting [][]byte
	writing sync.Mutex // locked before mu
}

// add takes a write, without waiting.
func (l *late) add(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == lateWrites {
		return
	}
	l.waiting = append(l.waiting, b)
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// write writes what was added before, also if another goroutine is writing it already.
func (l *late) write(w io.Writer) {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	list := l.waiting
	l.waiting = nil
	l.mu.Unlock()
	for _, b := range list {
		_, _ = w.Write(b)
	}
}
