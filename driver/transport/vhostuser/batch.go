package vhostuser

import "time"

// maxPosted is how many requests may be on their way at a time. Neither side then waits
// for the other to read, and an answer that is late for want of CPU time delays many
// requests once. A port with 64 queue pairs makes about 900 to set itself up.
const maxPosted = 128

// posted is a request that was sent and whose reply has not been read.
type posted struct {
	message message
	check   func(reply []byte) error
}

// post sends a request with a reply. check is called with the reply: in a batch by
// settle, and otherwise before post returns.
func (s *session) post(m message, needReply bool, want expectation, check func([]byte) error) error {
	if len(s.posted) == maxPosted {
		s.collect()
	}
	s.mu.Lock()
	s.awaited = append(s.awaited, want)
	s.mu.Unlock()
	if err := s.send(m, needReply); err != nil {
		s.posted = nil
		return err
	}
	s.posted = append(s.posted, posted{m, check})
	if s.batching {
		return nil
	}
	return s.settle()
}

// batch calls do, whose commands are sent one after the other. With wait it returns
// when they are all answered; otherwise the next request that is not in a batch, or
// fence, has the error of one that was refused.
func (s *session) batch(wait bool, do func() error) error {
	s.batching = true
	err := do()
	s.batching = false
	if err == nil && wait {
		err = s.settle()
	}
	return err
}

// settle reads all replies that are on their way, and returns the first error in them.
func (s *session) settle() error {
	s.drain()
	err := s.refusal
	s.refusal = nil
	return err
}

// drain reads all replies that are on their way.
func (s *session) drain() {
	for len(s.posted) != 0 {
		s.collect()
	}
}

// collect reads the oldest reply that is on its way.
func (s *session) collect() {
	p := s.posted[0]
	s.posted = s.posted[1:]
	reply, err := s.await(p.message)
	if err != nil {
		s.posted = nil // there are no further replies
	} else {
		err = p.check(reply)
	}
	if err != nil && s.refusal == nil {
		s.refusal = err
	}
}

// Bounds of the wait for this process to read what has arrived in time.
const (
	readPause = 10 * time.Millisecond
	maxReads  = 100
)

// await waits for the next reply, which is that to m.
func (s *session) await(m message) ([]byte, error) {
	limit := s.requestLimit()
	defer s.spend(time.Now())
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for reads := 0; ; reads++ {
		select {
		case b := <-s.replies:
			return b, nil
		case <-timer.C:
			if reads < maxReads && s.sock.unread() {
				timer.Reset(readPause) // the back end has answered; the reader waits for a CPU
				continue
			}
			s.end(s.requestTimeout(m, limit))
		case <-s.done:
		}
		select { // a refusal says more than the end of the connection that followed it
		case b := <-s.replies:
			return b, nil
		default:
			return nil, s.disconnected()
		}
	}
}
