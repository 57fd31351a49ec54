package vm

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/test/vm/agent"
	"github.com/virtio-pmd/virtio-pmd/test/vm/image"
	"github.com/virtio-pmd/virtio-pmd/test/vm/netlab"
	"github.com/virtio-pmd/virtio-pmd/test/vm/qemu"
	"github.com/virtio-pmd/virtio-pmd/test/vm/traffic"
)

const (
	// guestLife bounds a guest, whatever the tests in it do.
	guestLife = 5 * time.Minute
	// bootTime is how long a guest may take to answer the first command.
	bootTime = 90 * time.Second
	// commandTime bounds a command that has nothing to wait for.
	commandTime = 30 * time.Second

	guestMemory    = 1024 // MiB
	guestHugepages = 200
)

// nic is a virtio-net function of a guest.
type nic struct {
	id      string
	options string // properties of QEMU's virtio-net-pci
	bus     qemu.Bus
	ns      *netlab.Namespace // where its frames go; nil: to a unix socket
	vhost   string            // or to the vhost-user back end at this socket
	peer    string            // or to the function of this id, whose frames come here
	mac     net.HardwareAddr  // nil: one is found for it

	// What follows is known when the guest runs.
	address string
	wire    traffic.Wire
}

// guest is a guest that runs, and the functions it has.
type guest struct {
	*qemu.Machine
	iommu bool
	nics  map[string]*nic
	dir   string
}

// boot starts a guest that ends with the test, for the commands to be tried in.
func boot(t *testing.T, name string, iommu bool, nics []*nic) *guest {
	t.Helper()
	commands := []string{filepath.Join(shared.dir, "l2fwd"), filepath.Join(shared.dir, "devbind")}
	// These are large, which a guest takes time to unpack.
	if slices.ContainsFunc(nics, func(n *nic) bool { return n.peer != "" }) {
		commands = append(commands, filepath.Join(shared.dir, "pktgen"), filepath.Join(shared.dir, "testpmd"))
	}
	g := launch(t, qemu.Config{Name: name, IOMMU: iommu, MemoryMiB: guestMemory}, image.Content{
		Commands: commands,
		Modules: []string{"virtio_pci", "virtio_console", "virtio_net",
			"vfio_iommu_type1", "vfio_pci",
			"bridge"},
		NoIOMMU:   !iommu,
		Hugepages: guestHugepages,
	}, nics)
	g.await(t)
	return g
}

// launch starts a guest that ends with the test. It is still booting.
func launch(t *testing.T, config qemu.Config, content image.Content, nics []*nic) *guest {
	t.Helper()
	dir, err := os.MkdirTemp(shared.dir, config.Name)
	if err != nil {
		t.Fatal(err)
	}
	config.Dir, config.Kernel, config.Initrd = dir, shared.kernel.Image, filepath.Join(dir,
		"initrd")
	content.Init = filepath.Join(shared.dir, "guest")
	if err := shared.kernel.Write(config.Initrd, content); err != nil {
		t.Fatal(err)
	}
	g := &guest{iommu: config.IOMMU, nics: map[string]*nic{}, dir: dir}
	for i, n := range nics {
		if n.mac == nil {
			n.mac = net.HardwareAddr{0x52, 0x54, 0, 0, 0, byte(i + 1)}
		}
		config.NICs = append(config.NICs, n.describe(dir))
		g.nics[n.id] = n
	}
	ctx, cancel := context.WithTimeout(context.Background(), guestLife+2*wakeTime())
	g.Machine, err = qemu.Start(ctx, config)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.end(t)
		cancel()
	})
	return g
}

// complaints are words of the guest's kernel that show that something went
// wrong which no command has noticed: a device that reached for memory that
// was not its own, or a fault of the kernel itself.
var complaints = []string{"DMAR: [DMA", "BUG:", "WARNING:", "Oops"}

// end ends the guest, after a look at what its kernel and QEMU have to say.
func (g *guest) end(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	r, err := g.Agent.Run(ctx, "/init", "dmesg")
	if err != nil {
		t.Error(err)
	}
	for _, c := range complaints {
		if strings.Contains(r.Stdout, c) {
			t.Errorf("the guest's kernel says %q:\n%s", c, r.Stdout)
		}
	}
	g.Stop()
	// QEMU's devices say what a driver does wrong: "virtio: zero sized buffers
	// are not allowed".
	if strings.Contains(g.Output(), "virtio") {
		t.Errorf("QEMU complains: %s", g.Output())
	}
	if t.Failed() {
		t.Log(g.Report())
	}
}

// describe is what QEMU is told of the function.
func (n *nic) describe(dir string) qemu.NIC {
	d := qemu.NIC{ID: n.id, MAC: n.mac.String(), Options: n.options, Bus: n.bus}
	switch {
	case n.vhost != "":
		d.Net.VhostUser = n.vhost
	case n.ns != nil:
		d.Net.Taps = n.ns.Queues
	case n.peer != "":
		d.Net.Dgram = &qemu.Dgram{QEMU: filepath.Join(dir, n.id), Peer: filepath.Join(dir, n.peer)}
	default:
		d.Net.Dgram = &qemu.Dgram{QEMU: filepath.Join(dir, n.id),
			Peer: filepath.Join(dir, n.id+".peer")}
	}
	return d
}

// await waits for the guest to be up and connects the wires of its functions.
func (g *guest) await(t *testing.T) {
	t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	if _, err := g.Agent.Run(ctx, "/init", "true"); err != nil {
		t.Fatalf("the guest did not come up: %v", err)
	}
	t.Logf("booted in %.1f s", time.Since(start).Seconds())
	addresses, err := g.QMP.Addresses()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range g.nics {
		n.address = addresses[n.id]
		if n.address == "" {
			t.Fatalf("QEMU does not know where function %s is", n.id)
		}
		switch {
		case n.vhost != "", n.peer != "":
			continue // its frames are not for the test
		case n.ns != nil:
			n.wire, err = n.ns.Wire()
		default:
			n.wire, err = traffic.DialDgram(n.id, filepath.Join(g.dir, n.id+".peer"),
				filepath.Join(g.dir, n.id))
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.wire.Close() })
	}
}

// run runs a command in the guest to its end, however that is.
func (g *guest) run(t *testing.T, args ...string) agent.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	r, err := g.Agent.Run(ctx, args...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// must runs a command that has to succeed.
func (g *guest) must(t *testing.T, args ...string) string {
	t.Helper()
	r := g.run(t, args...)
	if r.Exit != 0 {
		t.Fatal(r)
	}
	return r.Stdout
}

// refuses runs a command that has to fail, without a crash, with an error that
// contains all of words. It must leave the guest as it is.
func (g *guest) refuses(t *testing.T, words []string, args ...string) agent.Result {
	t.Helper()
	before := g.state(t)
	r := g.run(t, args...)
	if r.Exit <= 0 || strings.Contains(r.Stderr, "goroutine ") {
		t.Errorf("not refused as it should be: %v", r)
	}
	for _, w := range words {
		if !strings.Contains(r.Stderr, w) {
			t.Errorf("the error does not say %q: %v", w, r)
		}
	}
	g.unchanged(t, before)
	t.Logf("refused: %s", strings.TrimSpace(r.Stderr))
	return r
}

// state is everything in the guest that a command must leave as it found it.
func (g *guest) state(t *testing.T) string {
	t.Helper()
	return g.must(t, "/init", "state")
}

// unchanged compares the state with an earlier one.
func (g *guest) unchanged(t *testing.T, before string) {
	t.Helper()
	if after := g.state(t); after != before {
		t.Errorf("the guest is not as it was:\n%s", difference(before, after))
	}
}

// difference shows the lines that are in one text only.
func difference(before, after string) string {
	var b strings.Builder
	had, has := strings.Split(before, "\n"), strings.Split(after, "\n")
	for _, l := range had {
		if !slices.Contains(has, l) {
			fmt.Fprintf(&b, "- %s\n", l)
		}
	}
	for _, l := range has {
		if !slices.Contains(had, l) {
			fmt.Fprintf(&b, "+ %s\n", l)
		}
	}
	return b.String()
}

// addresses are where the functions are.
func (g *guest) addresses(ids ...string) []string {
	var list []string
	for _, id := range ids {
		list = append(list, g.nics[id].address)
	}
	return list
}

// bind hands functions to vfio-pci.
func (g *guest) bind(t *testing.T, ids ...string) {
	t.Helper()
	g.must(t, append([]string{"/bin/devbind", "bind"}, g.addresses(ids...)...)...)
}

// netdev is the name of the kernel's interface of a function.
func (g *guest) netdev(t *testing.T, id string) string {
	t.Helper()
	return strings.TrimSpace(g.must(t, "/init", "netdev", g.nics[id].address))
}
