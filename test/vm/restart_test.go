package vm

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/virtio-pmd/virtio-pmd/test/vm/image"
	"github.com/virtio-pmd/virtio-pmd/test/vm/netlab"
	"github.com/virtio-pmd/virtio-pmd/test/vm/qemu"
)

// mortal is a vhostdev between a guest and the kernel of a network namespace, and those
// that take its place after it was killed.
type mortal struct {
	name, ring string
	options    string
	ns         *netlab.Namespace
	socket     string
	running    *process
}

// start starts a vhostdev, and gives its TAP interface the address.
func (m *mortal) start(t *testing.T) {
	t.Helper()
	_ = os.Remove(m.socket)
	m.running = startProcess(t, m.ns, append([]string{filepath.Join(shared.dir, "vhostdev"), "--socket", m.socket,
		"--backend=tap=pod", "--stats-period=0", "--duration=" + guestLife.String()},
		strings.Fields(m.options)...)...)
	m.running.await(t, "waiting for a front end")
	if err := m.ns.Configure("pod", wireMTU); err != nil {
		t.Fatal(err)
	}
}

// counters are those of the interface of the vhostdev that runs, whose RX is what the
// guest has sent.
func (m *mortal) counters(t *testing.T) (n netlink.LinkStatistics) {
	t.Helper()
	if err := m.ns.Do(func() error {
		link, err := netlink.LinkByName("pod")
		if err == nil {
			n = *link.Attrs().Statistics
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// kill kills vhostdev when the guest has sent something by it, and starts another one.
func (m *mortal) kill(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(trafficTime); m.counters(t).RxBytes < 1<<20; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes moved after %v", m.counters(t).RxBytes, trafficTime)
		}
	}
	if err := m.running.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-m.running.done
	m.start(t)
}

// A vhostdev is killed in the middle of a TCP connection of a guest, over and over, and
// another one takes its place: the guest, which is told nothing, goes on, and what it sends
// arrives intact. Split rings take nothing for that, packed ones a state file.
func TestBackEndOfGuestIsKilled(t *testing.T) {
	if !privileged(t) {
		return
	}
	dir, err := os.MkdirTemp(shared.dir, "k")
	if err != nil {
		t.Fatal(err)
	}
	mortals := []*mortal{
		{name: "split", ring: "split"},
		{name: "packed", ring: "packed", options: "--state=" + filepath.Join(dir, "state")},
		{name: "packed, polled", ring: "packed", options: "--cpus=0 --state=" + filepath.Join(dir, "polled")},
	}
	var nics []*nic
	for i, m := range mortals {
		m.socket = filepath.Join(dir, fmt.Sprint(i))
		if m.ns, err = netlab.NewNamespace(fmt.Sprintf("killed%d", i), fmt.Sprintf("10.12.%d.2/24", i), 0, wireMTU); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.ns.Close)
		m.start(t)
		n := &nic{id: fmt.Sprintf("wire%d", i), vhost: m.socket, options: noVectors,
			mac: net.HardwareAddr{0x52, 0x54, 0, 2, 0, byte(i)}}
		if m.ring == "packed" {
			n.options += ",packed=on"
		}
		nics = append(nics, n)
	}
	g := launch(t, qemu.Config{Name: "killed", MemoryMiB: plainMemory, CPUs: 1},
		image.Content{Modules: []string{"virtio_pci", "virtio_console", "virtio_net"}}, nics)
	g.await(t)
	guests := make([]*guestHost, len(mortals))
	for i := range mortals {
		guests[i] = newGuestHost(t, g, nics[i].id, fmt.Sprintf("10.12.%d.1/24", i))
	}
	for i, m := range mortals[:2] {
		t.Run("large packets, "+m.name, func(t *testing.T) { m.large(t, guests[i], podHost{m.ns}) })
	}
	t.Run("all", func(t *testing.T) { // at a time: most of it is waiting
		for i, m := range mortals {
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				m.talk(t, guests[i], podHost{m.ns})
			})
		}
	})
}

// large has guest and namespace send to each other: Linux leaves checksums and segments to
// the other end, so that a packet on the wire is many of the network's.
func (m *mortal) large(t *testing.T, guest, pod host) {
	ctx, cancel := context.WithTimeout(t.Context(), trafficTime)
	defer cancel()
	const size = 8 << 20
	for _, way := range [][2]host{{guest, pod}, {pod, guest}} {
		before, start := m.counters(t), time.Now()
		end, err := way[1].receive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := way[0].send(ctx, way[1].ip(), size)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := end(); err != nil || got != sent {
			t.Fatalf("sent: %s; arrived: %s, %v", sent, got, err)
		}
		after, took := m.counters(t), time.Since(start)
		packets, bytes := after.RxPackets-before.RxPackets, after.RxBytes-before.RxBytes
		if way[0] == pod {
			packets, bytes = after.TxPackets-before.TxPackets, after.TxBytes-before.TxBytes
		}
		if bytes < size || bytes/packets < 2*wireMTU {
			t.Errorf("%d bytes in %d packets", bytes, packets)
		}
		t.Logf("%s > %s: %d bytes in %d packets, %.0f Mbit/s", way[0].ip(), way[1].ip(), bytes, packets, size*8e-6/took.Seconds())
	}
}

// talk has the guest send to the namespace while vhostdev is killed again and again.
func (m *mortal) talk(t *testing.T, from, to host) {
	ctx, cancel := context.WithTimeout(t.Context(), trafficTime)
	defer cancel()
	if err := from.ping(ctx, to.ip(), 10); err != nil {
		t.Fatal(err)
	}
	end, err := to.receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	const size, kills = 16 << 20, 3
	type outcome struct {
		sum string
		err error
	}
	sent := make(chan outcome, 1)
	start := time.Now()
	go func() {
		sum, err := from.send(ctx, to.ip(), size)
		sent <- outcome{sum, err}
	}()
	for range kills {
		m.kill(t)
	}
	o := <-sent
	if o.err != nil {
		t.Fatal(o.err)
	}
	if got, err := end(); err != nil || got != o.sum {
		t.Fatalf("sent: %s; arrived: %s, %v", o.sum, got, err)
	}
	if err := from.ping(ctx, to.ip(), 50); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s after %d kills in %.1f s", o.sum, kills, time.Since(start).Seconds())
}
