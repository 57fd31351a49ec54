package generator

import (
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// Source makes the packets of a stream. It belongs to the goroutine of its transmit queue.
type Source interface {
	// Fill writes the next len(bufs) packets into bufs, which are empty, stamps them with now
	// where they carry a time, and returns how many bytes they have.
	Fill(bufs []*mbuf.Buf, now int64) (bytes int)
}

// Receiver gets all packets that a port receives, in one goroutine. They are freed when
// Receive returns.
type Receiver interface {
	Receive(bufs []*mbuf.Buf, now int64)
}

// Stream is packets that leave by one transmit queue. Streams that several queues send are
// several streams, so that each numbers its packets in one goroutine.
type Stream struct {
	Name   string
	Source Source
	Queue  int // the transmit queue of the port

	// PPS is the rate at scale 1, in packets a second; +Inf for as many as possible.
	PPS     float64
	Pattern pace.Pattern
	// Constant streams keep their rate whatever the scale of a trial is: probes, which
	// sample what the load builds up.
	Constant bool
	// MeanLen is the mean length of its frames, without FCS. Rates in bits follow from
	// it.
	MeanLen float64
}

// Port is a port and what is done with it.
type Port struct {
	Name    string
	Port    *driver.Port
	Streams []Stream
	// Receiver is called with what the port receives; nil counts and frees it.
	Receiver Receiver
	// Device has the emulated device behind the port process its queues once, and
	// is polled with them; nil if it is not emulated or has a goroutine of its own.
	Device func() int
}

// Config says what a [Generator] has.
type Config struct {
	Ports []Port
	// Caches are those of the pollers, one each: their number is that of the pollers. They are
	// caches of the pool of the ports.
	Caches []*mbuf.Cache
	// Burst is how many packets are sent or received at once at most; 0 means
	// pace.DefaultBurst.
	Burst int
	// CatchUp is how much time packets may be behind their schedule and still be sent; 0 means
	// pace.DefaultCatchUp. What is left out is unsent.
	CatchUp time.Duration
	// Clock is that which packets are stamped with. The zero value means a new one.
	Clock Clock
}
