package vhostuser_test

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// Memory that is mapped while there is traffic: the rings are disabled meanwhile.
func TestMemoryAtRunTime(t *testing.T) {
	for name, c := range map[string]struct {
		protocols uint64
		add       string
		remove    string
	}{
		"table": {1<<mq | 1<<replyAck, "SET_MEM_TABLE 2 regions", ""},
		"slots": {1<<mq | 1<<replyAck | 1<<slots, "ADD_MEM_REG", "REM_MEM_REG"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t)
			b.protocols = c.protocols
			b.listen()
			d := open(t, b, vhostuser.Options{})
			newSteps(t, d, 2).run(t)
			b.messages()
			more := allocate(t)
			for range 2 { // the second time nothing has to be done
				if _, err := d.MapDMA(more); err != nil {
					t.Fatal(err)
				}
			}
			compare(t, b.messages(), `
				SET_VRING_ENABLE 0 0x0
				SET_VRING_ENABLE 1 0x0
				`+c.add+`
				SET_VRING_ENABLE 0 0x1
				SET_VRING_ENABLE 1 0x1`)
			if err := d.UnmapDMA(more); !is[*transport.StopError](err) {
				t.Errorf("unmapped under a running ring: %T %v", err, err)
			}
			if err := d.Reset(context.Background()); err != nil {
				t.Fatal(err)
			}
			b.messages()
			for range 2 {
				if err := d.UnmapDMA(more); err != nil {
					t.Fatal(err)
				}
			}
			compare(t, append(b.messages(), "."), c.remove+"\n.")
		})
	}
}

// Memory that the back end refuses while it runs: the rings go on, and the memory is
// not mapped.
func TestMemoryRefusedAtRunTime(t *testing.T) {
	b := newBackend(t)
	refuse := false
	b.answer = func(p *peer, m msg) bool {
		if m.id == 5 && refuse {
			p.acknowledge(m, 1)
			return true
		}
		refuse = refuse || m.id == 5
		return false
	}
	b.listen()
	d := open(t, b, vhostuser.Options{})
	newSteps(t, d, 2).run(t)
	b.messages()
	more := allocate(t)
	if _, err := d.MapDMA(more); !isRefused(err) ||
		!strings.Contains(err.Error(), "SET_MEM_TABLE") {
		t.Errorf("%T %v", err, err)
	}
	compare(t, b.messages(), `
		SET_VRING_ENABLE 0 0x0
		SET_VRING_ENABLE 1 0x0
		SET_MEM_TABLE 2 regions
		SET_VRING_ENABLE 0 0x1
		SET_VRING_ENABLE 1 0x1`)
	if err := d.UnmapDMA(more); err != nil {
		t.Error("it was mapped after all:", err)
	}
}

// A back end that refuses to disable or enable a ring loses the connection: nothing
// else would show that the ring stays disabled. The memory is shared over the next.
func TestEnableRefusedAtRunTime(t *testing.T) {
	for on := range uint32(2) {
		b := newBackend(t)
		var refuse atomic.Bool
		b.answer = func(p *peer, m msg) bool {
			if m.id != 18 || binary.NativeEndian.Uint32(m.payload[4:]) != on ||
				!refuse.CompareAndSwap(true, false) {
				return false
			}
			p.acknowledge(m, 1)
			return true
		}
		b.listen()
		d := open(t, b, vhostuser.Options{})
		s := newSteps(t, d, 2)
		s.run(t)
		refuse.Store(true)
		if _, err := d.MapDMA(allocate(t)); err != nil {
			t.Errorf("enable %d refused: %T %v", on, err, err)
		}
		await(t, d, transport.Disconnected)
		await(t, d, transport.Reconnected)
		b.messages()
		s.run(t)
		if log := b.messages(); !slices.Contains(log, "SET_MEM_TABLE 2 regions") {
			t.Errorf("enable %d refused: the new connection received %q", on, log)
		}
	}
}

// The device addresses of memory are its virtual addresses.
func TestMapDMA(t *testing.T) {
	b := newBackend(t).listen()
	d := open(t, b, vhostuser.Options{})
	mem := allocate(t)
	pages, err := d.MapDMA(mem)
	if err != nil || len(pages) != len(mem.Bytes())/4096 || pages[1] != mem.Address()+4096 {
		t.Errorf("%x %v", pages, err)
	}
	if err := d.UnmapDMA(mem); err != nil {
		t.Error(err)
	}
	if err := mem.Release(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.MapDMA(mem); !is[*transport.Error](err) ||
		!strings.Contains(err.Error(), "it was released") {
		t.Errorf("%T %v", err, err)
	}
}

// Eight regions and no more, unless the back end has slots.
func TestRegionLimit(t *testing.T) {
	for _, c := range []struct {
		protocols, slots uint64
		max              int
	}{{1 << replyAck, 0, 8}, {1<<replyAck | 1<<slots, 10, 10}} {
		b := newBackend(t)
		b.protocols, b.slotCount = c.protocols, c.slots
		b.listen()
		d := open(t, b, vhostuser.Options{})
		for i := range c.max + 1 {
			mem, err := hugepages.Allocate(hugepages.Options{Bytes: 4096, PageSize: 4096})
			if err != nil {
				t.Fatal(err)
			}
			defer mem.Release()
			_, err = d.MapDMA(mem)
			if (err == nil) != (i < c.max) || err != nil && !isRegions(err) {
				t.Errorf("region %d of %d: %T %v", i, c.max, err, err)
			}
		}
	}
}
