package vhostuser_test

import (
	"os"
	"sync/atomic"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

// The second back end closes the connection after each message in turn, the third
// does not: the port is up again with it, no buffer is lost and no descriptor is left
// open, in both roles.
func TestReconnectCutAtEachMessage(t *testing.T) {
	for name, protocols := range map[string]uint64{
		"acknowledged": 1<<mq | 1<<replyAck | 1<<status,
		"all":          1<<mq | 1<<replyAck | 1<<status | 1<<slots | 1<<config, "none": 0,
	} {
		for _, server := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ",client", true: ",server"}[server],
				func(t *testing.T) {
					messages := newCut(t, protocols, server, 0).count(t)
					if messages < 20 {
						t.Fatalf("there are only %d messages", messages)
					}
					for at := 1; at <= messages; at++ {
						newCut(t, protocols, server, at).run(t)
					}
				})
		}
	}
}

// cut is a back end of three connections, the second of which ends after a
// message.
type cut struct {
	*backend
	server   bool
	at       int
	peers    atomic.Int32 // connections that sent SET_OWNER
	received atomic.Int32 // messages of the second
	before   int          // open descriptors
	pool     *mbuf.Pool
	port     *driver.Port
}

func newCut(t *testing.T, protocols uint64, server bool, at int) *cut {
	t.Helper()
	c := &cut{backend: newBackend(t), server: server, at: at, before: fdtest.Count(t)}
	c.protocols, c.config = protocols, make([]byte, 64)
	c.config[8] = 1
	c.answer = func(p *peer, m msg) bool {
		if m.id == 3 {
			c.peers.Add(1)
		}
		if c.peers.Load() != 2 || int(c.received.Add(1)) != c.at {
			return false
		}
		_ = p.conn.Close()
		return true
	}
	c.again()
	var err error
	if c.pool, err = mbuf.NewPool(mbuf.Config{Count: 2048,
		Memory: hugepages.Options{PageSize: os.Getpagesize()}}); err != nil {
		t.Fatal(err)
	}
	d, err := tryOpen(c.path, vhostuser.Options{Server: server})
	if err != nil {
		t.Fatal(err)
	}
	if c.port, err = driver.Open(d, driver.Config{Pool: c.pool,
		Memory: hugepages.Options{PageSize: os.Getpagesize()}}); err != nil {
		t.Fatal(err)
	}
	return c
}

// again starts a back end, for the first time or after a disconnect.
func (c *cut) again() {
	switch {
	case c.server:
		c.running.Go(c.connect)
	case c.listener == nil:
		c.listen()
	}
}

// run disconnects the first back end and waits until the port is up with the third.
func (c *cut) run(t *testing.T) {
	t.Helper()
	c.drop()
	c.again()
	until(t, "the second back end has disconnected",
		func() bool { return int(c.received.Load()) >= c.at })
	c.again()
	until(t, "the port is up", func() bool {
		return c.peers.Load() == 3 && c.port.Stats().Resets > 0 && c.port.Link().Up
	})
	// The second was set up if its last message needs no answer.
	if s := c.port.Stats(); s.Resets > s.Disconnects || s.Disconnects > 2 {
		t.Errorf("cut at %d: %d resets, %d disconnects", c.at, s.Resets, s.Disconnects)
	}
	c.close(t)
}

// count returns how many messages the second back end receives.
func (c *cut) count(t *testing.T) int {
	t.Helper()
	c.drop()
	c.again()
	until(t, "the port is up",
		func() bool { return c.port.Stats().Resets == 1 && c.port.Link().Up })
	n := int(c.received.Load())
	c.close(t)
	return n
}

// close closes the port, and fails on lost buffers and open descriptors.
func (c *cut) close(t *testing.T) {
	t.Helper()
	if err := c.port.Close(); err != nil {
		t.Errorf("cut at %d: %v", c.at, err)
	}
	if c.pool.Free() != c.pool.Size() || c.pool.DoubleFrees() != 0 {
		t.Errorf("cut at %d: %d of %d buffers are back, %d twice", c.at, c.pool.Free(),
			c.pool.Size(), c.pool.DoubleFrees())
	}
	if err := c.pool.Release(); err != nil {
		t.Error(err)
	}
	c.stop()
	if after := fdtest.Count(t); after > c.before {
		t.Errorf("cut at %d: %d descriptors are open, there were %d", c.at, after, c.before)
	}
}
