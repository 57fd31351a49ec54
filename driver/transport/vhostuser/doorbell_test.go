package vhostuser_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

// A back end that polls is sent the numbers of the rings and bit 8, and no
// descriptors but for its faults.
func TestOrderForABackEndThatPolls(t *testing.T) {
	b := newBackend(t).listen()
	d := open(t, b, vhostuser.Options{Polled: true})
	s := newSteps(t, d, 2, virtio.RingPacked)
	s.run(t)
	compare(t, b.messages()[10:], `
		SET_MEM_TABLE 1 regions
		SET_VRING_NUM 0 0x80
		SET_VRING_BASE 0 0x80008000
		SET_VRING_ADDR 0
		SET_VRING_CALL 256
		SET_VRING_ERR 0
		SET_VRING_KICK 256
		SET_VRING_ENABLE 0 0x1
		SET_VRING_NUM 1 0x80
		SET_VRING_BASE 1 0x80008000
		SET_VRING_ADDR 1
		SET_VRING_CALL 257
		SET_VRING_ERR 1
		SET_VRING_KICK 257
		SET_VRING_ENABLE 1 0x1
		SET_STATUS 15`)
	before := fdtest.Count(t)
	for range 2 { // no eventfd is created again
		b.drop()
		await(t, d, transport.Disconnected)
		await(t, d, transport.Reconnected)
		s.run(t)
	}
	if after := fdtest.Count(t); after > before {
		t.Errorf("%d descriptors are open, there were %d", after, before)
	}
}

// A disconnected back end that kept its eventfds cannot ring those of the next.
func TestDoorbellsAreNotInherited(t *testing.T) {
	b := newBackend(t).listen()
	d := open(t, b, vhostuser.Options{})
	s := newSteps(t, d, 2)
	s.run(t)
	b.mu.Lock()
	kept, err := unix.Dup(b.peers[0].kicks[1])
	b.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(kept)
	b.drop()
	await(t, d, transport.Disconnected)
	await(t, d, transport.Reconnected)
	s.run(t)
	if _, err := unix.Write(kept, u64(1)); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	kick := b.peers[1].kicks[1]
	b.mu.Unlock()
	if _, err := unix.Read(kick, make([]byte, 8)); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("the old back end rings at the new one (%v)", err)
	}
}

// Frames go to a back end without doorbells and come back.
func TestTrafficWithoutDoorbells(t *testing.T) {
	for _, c := range []struct {
		name   string
		refuse virtio.Features
	}{{"packed", virtio.Features{}}, {"split", virtio.FeatureSet(virtio.RingPacked)}} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			back, err := vhostback.Serve(path,
				vhostback.Config{Device: vdev.Config{Backend: wire.Loop()}})
			if err != nil {
				t.Fatal(err)
			}
			defer back.Close()
			d, err := tryOpen(path, vhostuser.Options{Polled: true})
			if err != nil {
				t.Fatal(err)
			}
			p, err := driver.Open(d, driver.Config{Refuse: c.refuse,
				Memory: hugepages.Options{PageSize: os.Getpagesize()}})
			if err != nil {
				t.Fatal(err)
			}
			echo(t, p, 300)
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// echo sends frames into a loop, one after the other with a pause now and then,
// and checks that each comes back.
func echo(t *testing.T, p *driver.Port, frames int) {
	t.Helper()
	bufs := make([]*mbuf.Buf, 1)
	deadline := time.Now().Add(time.Minute)
	for i := range frames {
		frame := bytes.Repeat([]byte(fmt.Sprintf("frame %04d ", i)), 8)
		if p.Pool().Get(bufs) != 1 {
			t.Fatal("the pool is empty")
		}
		copy(bufs[0].Append(len(frame)), frame)
		if p.TxQueue(0).Burst(bufs) != 1 {
			t.Fatalf("frame %d was not sent", i)
		}
		for p.RxQueue(0).Burst(bufs) == 0 {
			if time.Now().After(deadline) {
				t.Fatalf("frame %d did not come back", i)
			}
			time.Sleep(10 * time.Microsecond)
		}
		if !bytes.Equal(bufs[0].Data(), frame) {
			t.Fatalf("frame %d came back as %q", i, bufs[0].Data())
		}
		mbuf.Free(bufs)
		if i%100 == 0 {
			time.Sleep(5 * time.Millisecond) // long enough for a back end to go to sleep
		}
	}
}
