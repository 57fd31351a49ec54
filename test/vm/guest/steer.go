package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/flowtest"
	"github.com/virtio-pmd/virtio-pmd/vfio"
)

const (
	// steerPairs is the number of queue pairs, and steerFlows that of the flows that the
	// test sends all the time.
	steerPairs = 4
	steerFlows = 1000
	// smallRing and largeRing are the sizes between which a queue is changed.
	smallRing, largeRing = 256, 1024
	// steerTime bounds each step.
	steerTime = 30 * time.Second
)

// steer has a function spread packets of many flows over its queues, changes how it does
// so while they arrive, and checks on which queue and with which hash each one comes:
// ADDRESS. It says what it has seen.
func steer(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("steer ADDRESS")
	}
	pool, err := mbuf.NewPool(mbuf.Config{Count: 16384})
	if err != nil {
		return err
	}
	port, err := openFunction(args[0], vfio.Options{}, driver.Config{
		Queues: steerPairs, RxQueueSize: smallRing, TxQueueSize: smallRing, Pool: pool, ControlTimeout: steerTime,
		Require: virtio.FeatureSet(virtio.NetRSS, virtio.NetHashReport, virtio.NetMQ, virtio.RingReset)})
	if err != nil {
		return err
	}
	s := &steering{port: port, done: make(chan struct{})}
	go s.poll()
	err = s.steps()
	s.stop.Store(true)
	<-s.done
	if err != nil {
		return err
	}
	if err := s.drain(); err != nil {
		return err
	}
	outcome := s.outcome()
	if err := port.Close(); err != nil {
		return err
	}
	outcome.Buffers, outcome.Free = pool.Size(), pool.Free()
	if err := json.NewEncoder(os.Stdout).Encode(outcome); err != nil {
		return err
	}
	return pool.Release()
}

// steering is a port and what is seen of the packets that it receives.
type steering struct {
	port *driver.Port
	stop atomic.Bool
	done chan struct{}
	// check is called with each packet, by the goroutine that polls.
	check atomic.Pointer[func(queue int, b *mbuf.Buf)]
	sent  [steerPairs]atomic.Uint64 // packets, by their queues

	// What follows belongs to the goroutine that polls until it has ended.
	received, foreign, unsent uint64 // packets; of them not the test's; and those that no queue took
}

// poll receives on all queues and sends what it has received back: a burst on each queue
// in turn, and what that does not take on the first.
func (s *steering) poll() {
	defer close(s.done)
	bufs := make([]*mbuf.Buf, 32)
	for next := 0; !s.stop.Load(); {
		for queue := range steerPairs {
			n := s.port.RxQueue(queue).Burst(bufs)
			if n == 0 {
				continue
			}
			check := s.check.Load()
			for _, b := range bufs[:n] {
				if _, _, ok := flowtest.Parse(b.Data()); !ok {
					s.foreign++ // of the host's kernel
				}
				if check != nil {
					(*check)(queue, b)
				}
			}
			s.received += uint64(n)
			sent := s.port.TxQueue(next).Burst(bufs[:n])
			s.sent[next].Add(uint64(sent))
			first := s.port.TxQueue(0).Burst(bufs[sent:n])
			s.sent[0].Add(uint64(first))
			s.unsent += uint64(n - sent - first)
			mbuf.Free(bufs[sent+first : n])
			next = (next + 1) % steerPairs
		}
	}
}

// watch has check see packets until it says that it has seen enough, or returns the error
// that it returns.
func (s *steering) watch(what string, check func(queue int, b *mbuf.Buf) (enough bool, _ error)) error {
	result := make(chan error, 1)
	ended := false
	f := func(queue int, b *mbuf.Buf) {
		if ended {
			return
		}
		enough, err := check(queue, b)
		if ended = enough || err != nil; ended {
			result <- err
		}
	}
	s.check.Store(&f)
	defer s.check.Store(nil)
	select {
	case err := <-result:
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	case <-time.After(steerTime):
		return fmt.Errorf("%s: not seen within %v: %+v", what, steerTime, s.port.Stats())
	}
}

// steps are what is tried, one after the other.
func (s *steering) steps() error {
	fmt.Println("ready")
	ctx, cancel := context.WithTimeout(context.Background(), 4*steerTime)
	defer cancel()
	// With the types for extension headers QEMU reports those for all packets of IPv6.
	const types = virtio.HashIPv4 | virtio.HashTCPv4 | virtio.HashUDPv4 | virtio.HashIPv6 |
		virtio.HashTCPv6 | virtio.HashUDPv6
	if err := s.port.SetRSS(ctx, driver.RSS{Types: types}); err != nil {
		return err
	}
	if err := s.spread("RSS"); err != nil {
		return err
	}
	key := make([]byte, 40)
	for i := range key {
		key[i] = byte(i*i + 7)
	}
	if err := s.port.SetRSS(ctx, driver.RSS{Key: key, Types: types,
		Table: []uint16{3, 1, 2, 0, 0, 1, 3, 2}}); err != nil {
		return err
	}
	if err := s.spread("another key and table"); err != nil {
		return err
	}
	for _, pairs := range []int{2, steerPairs} {
		if err := s.port.SetQueuePairs(ctx, pairs); err != nil {
			return err
		}
		if err := s.spread(fmt.Sprintf("%d pairs", pairs)); err != nil {
			return err
		}
	}
	// Only a queue that is reset loses packets that the device has.
	if lost := s.port.Stats().TxLost; lost != 0 {
		return fmt.Errorf("%d packets are lost where no queue was reset", lost)
	}
	if err := s.resize(ctx); err != nil {
		return err
	}
	if err := s.port.SetHash(ctx, driver.HashConfig{Key: key, Types: types}); err != nil {
		return err
	}
	for _, pairs := range []int{2, steerPairs} {
		if err := s.port.SetQueuePairs(ctx, pairs); err != nil {
			return err
		}
		if err := s.any(pairs); err != nil {
			return err
		}
	}
	return nil
}

// spread checks that every flow comes on the queue that the configuration says, with its
// hash, and that transmit queues work if their pair is active. Packets that were
// underway when the configuration changed may still come as before: a flow counts once
// it has come right, and has to stay so.
func (s *steering) spread(what string) error {
	c, ok := s.port.RSS()
	if !ok {
		return fmt.Errorf("%s: there is no RSS", what)
	}
	flows := flowtest.Series(steerFlows)
	hashes := make([]uint32, len(flows))
	reports := make([]virtio.HashReport, len(flows))
	for i, f := range flows {
		hashes[i], reports[i] = f.Hash(c.Key, c.Types)
	}
	seen := make(map[int]int)
	complete, wrong := 0, 0
	var queues [steerPairs]int
	err := s.watch(what, func(queue int, b *mbuf.Buf) (bool, error) {
		flow, _, ok := flowtest.Parse(b.Data())
		if !ok || flow < 0 || flow >= len(flows) {
			return false, nil // of the host's kernel
		}
		hash, report := b.Hash()
		want := int(c.Table[hashes[flow]&uint32(len(c.Table)-1)])
		if queue != want || hash != hashes[flow] || report != reports[flow] {
			if wrong++; seen[flow] > 0 || wrong > 4*largeRing {
				return false, fmt.Errorf("flow %d: queue %d, hash %#x (%d), want queue %d, hash %#x (%d)",
					flow, queue, hash, report, want, hashes[flow], reports[flow])
			}
			return false, nil
		}
		if seen[flow]++; seen[flow] == 1 {
			queues[queue]++
		}
		if seen[flow] == 2 {
			complete++
		}
		return complete == len(flows), nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("%s: flows by queue %v\n", what, queues)
	return s.sends(what)
}

// any checks that packets come with their hash, on any queue of the active pairs, and that
// transmit queues work if their pair is active.
func (s *steering) any(pairs int) error {
	what := fmt.Sprintf("%d pairs that the device chooses from", pairs)
	h, ok := s.port.Hash()
	if !ok {
		return fmt.Errorf("%s: there are no hashes", what)
	}
	flows := flowtest.Series(steerFlows)
	left := 2 * len(flows)
	wrong := 0
	err := s.watch(what, func(queue int, b *mbuf.Buf) (bool, error) {
		flow, _, ok := flowtest.Parse(b.Data())
		if !ok || flow < 0 || flow >= len(flows) {
			return false, nil
		}
		hash, report := b.Hash()
		wantHash, wantReport := flows[flow].Hash(h.Key, h.Types)
		if queue >= pairs || hash != wantHash || report != wantReport {
			if wrong++; wrong > 4*largeRing {
				return false, fmt.Errorf("flow %d: queue %d, hash %#x (%d), want hash %#x (%d)",
					flow, queue, hash, report, wantHash, wantReport)
			}
			return false, nil
		}
		left--
		return left == 0, nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("%s: as they should be\n", what)
	return s.sends(what)
}

// sends checks that the transmit queues of active pairs take packets, and no others.
func (s *steering) sends(what string) error {
	var before [steerPairs]uint64
	for i := range before {
		before[i] = s.sent[i].Load()
	}
	active := s.port.ActivePairs()
	for deadline := time.Now().Add(steerTime); ; time.Sleep(time.Millisecond) {
		working := 0
		for i := range before {
			if s.sent[i].Load() != before[i] {
				if i >= active {
					return fmt.Errorf("%s: transmit queue %d takes packets", what, i)
				}
				working++
			}
		}
		if working == active {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: %d of %d transmit queues take packets", what, working, active)
		}
	}
}

// resize gives queues other sizes, and checks that all queues go on.
func (s *steering) resize(ctx context.Context) error {
	for _, size := range []int{largeRing, smallRing} {
		if err := s.port.ResizeRxQueue(ctx, 1, size); err != nil {
			return err
		}
		if err := s.port.ResizeTxQueue(ctx, 2, size*smallRing/largeRing); err != nil {
			return err
		}
		posted := s.port.Stats().Queues[1].Rx.Posted
		if err := s.spread(fmt.Sprintf("receive queue 1 with %d descriptors, %d posted", size, posted)); err != nil {
			return err
		}
	}
	return nil
}
