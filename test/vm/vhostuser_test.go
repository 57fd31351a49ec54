package vm

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/test/vm/image"
	"github.com/virtio-pmd/virtio-pmd/test/vm/netlab"
	"github.com/virtio-pmd/virtio-pmd/test/vm/qemu"
)

const (
	// talkSize is what hosts send each other, in bytes.
	talkSize = 64 << 20
	// plainMemory is enough for a guest that only talks, in MiB.
	plainMemory = 256
	// wireMTU is the MTU of everything on a wire.
	wireMTU = 1500
)

// vhostWires are wires of which each end is a vhost-user socket: l2fwd serves
// all of them and forwards from one end of each to the other. The first two lead
// from guest to guest, the others from guest to pod; of both kinds one has split
// rings at both ends and one packed rings.
//
//	guest == socket = [l2fwd] = socket == guest
//	guest == socket = [l2fwd] = socket == [l2fwd in a namespace] = TAP = kernel
type vhostWires struct {
	dir     string
	l2fwd   *process
	sockets [][2]string
}

const (
	splitGuests = iota
	packedGuests
	splitPod
	packedPod
	wires
)

// newVhostWires starts l2fwd.
func newVhostWires(t *testing.T) *vhostWires {
	t.Helper()
	dir, err := os.MkdirTemp(shared.dir, "v")
	if err != nil {
		t.Fatal(err)
	}
	w := &vhostWires{dir: dir}
	args := []string{filepath.Join(shared.dir, "l2fwd"), "--no-mac-updating", "--stats-period=0",
		"--duration=" + guestLife.String()}
	for i := range wires {
		ends := [2]string{filepath.Join(dir, fmt.Sprintf("a%d", i)),
			filepath.Join(dir, fmt.Sprintf("b%d", i))}
		w.sockets = append(w.sockets, ends)
		args = append(args, "emu:vhost="+ends[0], "emu:vhost="+ends[1])
	}
	w.l2fwd = startProcess(t, nil, args...)
	w.l2fwd.await(t, fmt.Sprintf("l2fwd: port %d", 2*wires-1))
	return w
}

// noVectors has the guest's interrupts come by a pin: QEMU 7.2 without KVM
// reads a table of MSI-X vectors that it has not made when a vhost-user back end
// starts, and ends with a segmentation fault.
const noVectors = "vectors=0"

// nic is a guest's function at one end of a wire.
func (w *vhostWires) nic(wire, end int) *nic {
	n := &nic{id: fmt.Sprintf("wire%d", wire), vhost: w.sockets[wire][end],
		mac:     net.HardwareAddr{0x52, 0x54, 0, 1, byte(end), byte(wire)},
		options: noVectors}
	if packedWire(wire) {
		n.options += ",packed=on"
	}
	return n
}

func packedWire(wire int) bool { return wire == packedGuests || wire == packedPod }

// cidr is the address of the host at one end of a wire.
func cidr(wire, end int) string { return fmt.Sprintf("10.11.%d.%d/24", wire, 1+end) }

// host is a guest's interface at one end of a wire, which must have the rings
// that the wire is about.
func (w *vhostWires) host(t *testing.T, g *guest, wire, end int) host {
	t.Helper()
	id := w.nic(wire, end).id
	h := newGuestHost(t, g, id, cidr(wire, end))
	features := g.must(t, "/init", "cat", "/sys/class/net/"+g.netdev(t, id)+"/device/features")
	const ringPacked, version1 = 34, 32
	if features[version1] != '1' || (features[ringPacked] == '1') != packedWire(wire) {
		t.Errorf("%s has the features %s", id, features)
	}
	return h
}

// pod starts l2fwd in a namespace of its own, between the far socket of a wire
// and the namespace's kernel.
func (w *vhostWires) pod(t *testing.T, wire int) (host, *process) {
	t.Helper()
	ns, err := netlab.NewNamespace(fmt.Sprintf("pod%d", wire), cidr(wire, 1), 0, wireMTU)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ns.Close)
	port, ring := "vhost-user:"+w.sockets[wire][1]+",packed=0", "split"
	if packedWire(wire) {
		port, ring = "vhost-user:"+w.sockets[wire][1]+",packed=1", "packed"
	}
	p := startProcess(t, ns, filepath.Join(shared.dir, "l2fwd"), "--no-mac-updating", "--no-huge",
		"--stats-period=0",
		"--duration="+guestLife.String(), port, "emu:tap=pod")
	p.await(t, "l2fwd: port 1")
	_, path, _ := strings.Cut(p.stderr.String(), "l2fwd: port 0: ")
	if path, _, _ = strings.Cut(path, "\n"); !strings.Contains(path, ring) {
		t.Errorf("the pod's ring is not %s: %s", ring, path)
	}
	if err := ns.Configure("pod", wireMTU); err != nil {
		t.Fatal(err)
	}
	return podHost{ns}, p
}

// TestVhostUser has guests with Linux's own driver, and processes in network
// namespaces, as hosts on wires of vhost-user sockets that l2fwd forwards
// between.
func TestVhostUser(t *testing.T) {
	w := newVhostWires(t)
	content := image.Content{Modules: []string{"virtio_pci", "virtio_console", "virtio_net"}}
	ordinary := func(name string) qemu.Config {
		return qemu.Config{Name: name, MemoryMiB: plainMemory, CPUs: 1}
	}
	a := launch(t, ordinary("a"), content, []*nic{w.nic(splitGuests, 0), w.nic(packedGuests, 0),
		w.nic(splitPod, 0), w.nic(packedPod, 0)})
	b := launch(t, ordinary("b"), content, []*nic{w.nic(splitGuests, 1), w.nic(packedGuests, 1)})
	a.await(t)
	b.await(t)
	for i, name := range []string{splitGuests: "two guests, split",
		packedGuests: "two guests, packed"} {
		t.Run(name, func(t *testing.T) {
			testTalk(t, w.host(t, a, i, 0), w.host(t, b, i, 1), talkSize)
		})
	}
	if !privileged(t) {
		return
	}
	for i, ring := range []string{"split", "packed"} {
		t.Run("guest and pod, "+ring, func(t *testing.T) {
			pod, p := w.pod(t, splitPod+i)
			testTalk(t, w.host(t, a, splitPod+i, 0), pod, talkSize)
			p.stop(t)
		})
	}
}
