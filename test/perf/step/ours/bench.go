//go:build cgo && amd64

package main

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/test/perf/step/device"
	"github.com/virtio-pmd/virtio-pmd/test/perf/step/internal/tsc"
)

// bench is a port and what moves its packets. dpdk.c does the same with DPDK's functions.
type bench struct {
	port     *driver.Port
	rx       *driver.RxQueue
	tx       *driver.TxQueue
	cache    *mbuf.Cache
	bufs     [maxBurst]*mbuf.Buf
	parts    [(largeBytes + partBytes - 1) / partBytes]*mbuf.Buf // of a large packet
	frame    int
	offloads bool
	good     uint64 // packets received with a good checksum
	filled   int    // by the device, and not received yet
	number   uint64 // of the next packet to be sent

	problem error // the first
}

// sum is what some bursts took.
type sum struct{ cycles, units uint64 }

// work is one burst of something, of so many packets. It adds to s.
type work struct {
	name  string
	burst func(bufs []*mbuf.Buf, s *sum)
}

func (b *bench) works() []work {
	if b.offloads {
		return []work{{"RX", b.receiveChecked}, {"TX", b.sendChecksum}, {"forward", b.forward}, {"TSO", b.sendLarge}}
	}
	return []work{{"RX", b.receive}, {"TX", b.send}, {"forward", b.forward},
		{"get", b.get}, {"get and free", b.buffers}, {"empty poll", b.poll}}
}

// receive times receiving and freeing.
func (b *bench) receive(bufs []*mbuf.Buf, s *sum) {
	b.filled += device.Fill(len(bufs) - b.filled)
	t := tsc.Start()
	n := b.rx.Burst(bufs)
	b.cache.Put(bufs[:n])
	s.cycles += tsc.Stop() - t
	s.units += uint64(n)
	b.filled -= n
}

// prepare makes empty packets of the frame's length. Their contents are undefined.
func (b *bench) prepare(bufs []*mbuf.Buf) []*mbuf.Buf {
	bufs = bufs[:b.cache.Get(bufs)]
	for _, buf := range bufs {
		buf.Append(b.frame)
	}
	return bufs
}

// send times sending, with taking back what the device has sent.
func (b *bench) send(bufs []*mbuf.Buf, s *sum) { b.sendPrepared(b.prepare(bufs), s) }

func (b *bench) sendPrepared(bufs []*mbuf.Buf, s *sum) {
	for i, buf := range bufs {
		binary.LittleEndian.PutUint64(buf.Data(), b.number+uint64(i))
	}
	t := tsc.Start()
	n := b.tx.Burst(bufs)
	s.cycles += tsc.Stop() - t
	s.units += uint64(n)
	b.number += uint64(n)
	b.cache.Put(bufs[n:])
	device.Take(len(bufs))
}

// forward times sending what was received.
func (b *bench) forward(bufs []*mbuf.Buf, s *sum) {
	b.filled += device.Fill(len(bufs) - b.filled)
	t := tsc.Start()
	n := b.rx.Burst(bufs)
	sent := b.tx.Burst(bufs[:n])
	s.cycles += tsc.Stop() - t
	s.units += uint64(sent)
	b.filled -= n
	b.cache.Put(bufs[sent:n])
	device.Take(len(bufs))
}

// get times what send does before it sends: the buffers are those that come back.
func (b *bench) get(bufs []*mbuf.Buf, s *sum) {
	t := tsc.Start()
	bufs = b.prepare(bufs)
	s.cycles += tsc.Stop() - t
	s.units += uint64(len(bufs))
	b.sendPrepared(bufs, &sum{})
}

// buffers times getting empty packets and freeing them.
func (b *bench) buffers(bufs []*mbuf.Buf, s *sum) {
	t := tsc.Start()
	n := b.cache.Get(bufs)
	b.cache.Put(bufs[:n])
	s.cycles += tsc.Stop() - t
	s.units += uint64(n)
}

// polls is how many empty polls are timed together.
const polls = 32

func (b *bench) poll(bufs []*mbuf.Buf, s *sum) {
	n := 0
	t := tsc.Start()
	for range polls {
		n += b.rx.Burst(bufs)
	}
	s.cycles += tsc.Stop() - t
	s.units += polls
	if n > 0 && b.problem == nil {
		b.problem = fmt.Errorf("%d packets were received of a device that had filled none", n)
	}
}

// result is a measurement: cycles of the counter for a packet, or for an empty poll.
type result struct {
	Work   string  `json:"work"`
	Burst  int     `json:"burst"`
	Cycles float64 `json:"cycles"` // the median of the samples
	Least  float64 `json:"least"`
}

// passes is how often everything is measured. What disturbs a process for some
// milliseconds then falls on a part of the samples of each figure.
const passes = 4

// measureAll takes samples of all kinds of work at all sizes of bursts.
func (b *bench) measureAll(args arguments) []result {
	samples := map[result][]float64{}
	var order []result
	for pass := range passes {
		for _, size := range args.sizes {
			for _, w := range b.works() {
				r := result{Work: w.name, Burst: size}
				if pass == 0 {
					order = append(order, r)
				}
				samples[r] = b.measure(samples[r], w, size, (args.samples+passes-1)/passes, args.bursts)
			}
		}
	}
	for i, r := range order {
		if s := slices.Sorted(slices.Values(samples[r])); len(s) > 0 {
			order[i].Cycles, order[i].Least = s[len(s)/2], s[0]
		}
	}
	return order
}

// measure has one kind of work done, long enough for both rings to go round, and then
// takes n samples, which it appends to those that there are.
func (b *bench) measure(samples []float64, w work, size, n, bursts int) []float64 {
	b.drain()
	b.expect(w)
	bufs := b.bufs[:size]
	if w.name == "TSO" {
		bufs = b.bufs[:min(size, maxLarge)]
	}
	for range 32 + 2*ring/size {
		w.burst(bufs, &sum{})
	}
	if bursts == 0 {
		bursts = max(16, 2*ring/size)
	}
	for range n {
		var s sum
		for range bursts {
			w.burst(bufs, &s)
		}
		if s.units == 0 {
			b.note(fmt.Errorf("%s, burst %d: nothing was moved", w.name, size))
			break
		}
		samples = append(samples, (float64(s.cycles)-tare()*float64(bursts))/float64(s.units))
	}
	return samples
}

// tare returns what two readings of the counter with nothing in between differ by, on
// average. It is taken after each sample, as it is more in one process, and at one moment,
// than at others. The counter advances in steps of many cycles on some processors, so the
// time from one pair of readings to the next varies.
func tare() float64 {
	const readings = 61
	sum := uint64(0)
	for i := range readings {
		for range i {
			pause++
		}
		t := tsc.Start()
		sum += tsc.Stop() - t
	}
	return float64(sum) / readings
}

var pause int // so that the loop is there

// expect tells the device which packets come next.
func (b *bench) expect(w work) {
	switch {
	case w.name == "TSO":
		device.Expect(b.number, largeBytes, device.Segments)
	case w.name == "TX" && b.offloads:
		device.Expect(b.number, b.frame, device.Checksum)
	case w.name == "TX" || w.name == "get":
		device.Expect(b.number, b.frame, device.Nothing)
	default:
		device.Expect(device.Next(), b.frame, device.Nothing)
	}
}

// drain receives what the device has filled, so that another kind of work can begin.
func (b *bench) drain() {
	for tries := 0; b.filled > 0 && tries < 2*ring; tries++ {
		n := b.rx.Burst(b.bufs[:])
		b.cache.Put(b.bufs[:n])
		b.filled -= n
	}
}

// verify receives some laps of the ring and compares each packet.
func (b *bench) verify() error {
	const size = 32
	for range 4 * ring / size {
		number := device.Next()
		n, got := device.Fill(size), 0
		for tries := 0; got < n && tries < 2*ring; tries++ {
			bufs := b.bufs[:b.rx.Burst(b.bufs[:size])]
			for i, buf := range bufs {
				if buf.Len() != b.frame || buf.Next() != nil ||
					binary.LittleEndian.Uint64(buf.Data()) != number+uint64(got+i) {
					return fmt.Errorf("received packet %d is not what the device made", number+uint64(got+i))
				}
			}
			b.cache.Put(bufs)
			got += len(bufs)
		}
		if n == 0 || got < n {
			return fmt.Errorf("%d packets were received of %d", got, n)
		}
	}
	return nil
}

// check compares the device's counts with the port's.
func (b *bench) check() error {
	c, s := device.Count(), b.port.Stats()
	if c.BadHeaders|c.BadLengths|c.BadNumbers|c.ShortBuffers != 0 {
		return fmt.Errorf("the device has seen invalid packets: %+v", c)
	}
	if c.Filled != s.RxPackets+uint64(b.filled) || c.Taken != s.TxPackets {
		return fmt.Errorf("the device counts %d filled and %d taken; the port %d received, with %d more to come, and %d sent",
			c.Filled, c.Taken, s.RxPackets, b.filled, s.TxPackets)
	}
	return nil
}
