package portset

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs/sysfstest"
	"github.com/virtio-pmd/virtio-pmd/vfio"
)

func specs(t *testing.T, texts ...string) []devargs.Spec {
	t.Helper()
	list, err := Parse(texts)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestOpenAndClose(t *testing.T) {
	s, err := Open(t.Context(), Config{Specs: specs(t, "emu:cable=a", "emu:cable=a,queues=2"), Burst: 32, Pollers: 1, PollDevices: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Ports) != 2 || s.Ports[0].Pool() != s.Pool || s.Ports[1].Pool() != s.Pool {
		t.Fatalf("%d ports; all have to share the pool", len(s.Ports))
	}
	if s.Ports[1].Queues() != 2 || s.EmuPolls[0] == nil || s.EmuPolls[1] == nil {
		t.Errorf("%d queue pairs, polls %v", s.Ports[1].Queues(), s.EmuPolls)
	}
	if s.Pool.Size() != minPool {
		t.Errorf("a pool of %d", s.Pool.Size())
	}
	failed := s.Failed()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; !errors.Is(err, os.ErrClosed) || !strings.HasPrefix(err.Error(), "port emu:cable=a") {
		t.Errorf("the end of a port is reported as %v", err)
	}
}

// TestUnboundFunctionInUse: what a function is used for comes before the command that would end
// it.
func TestUnboundFunctionInUse(t *testing.T) {
	runtime.LockOSThread() // the thread ends with the test, and its network namespace with it
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		if os.Geteuid() != 0 && os.Getenv("CI") == "" { // in CI it fails instead
			t.Skip("making a network namespace needs root")
		}
		t.Fatal(err)
	}
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "peer"}
	address, err := netlink.ParseAddr("192.0.2.1/24")
	if err := errors.Join(err, netlink.LinkAdd(link), netlink.AddrAdd(link, address), netlink.LinkSetUp(link)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSH_CONNECTION", "192.0.2.9 5000 192.0.2.1 22")
	machine := sysfstest.New(t, sysfstest.VirtioNet("0000:00:03.0", 0x1041, "eth0"))
	_, err = Open(t.Context(), Config{Specs: specs(t, "0000:00:03.0"), Burst: 32, Pollers: 1, root: machine.Root})
	if !errors.Is(err, vfio.ErrInUse) {
		t.Fatalf("got %v", err)
	}
	text := err.Error()
	use, command := strings.Index(text, "eth0 carries this SSH connection"), strings.Index(text, "devbind bind")
	if use < 0 || command < use || !strings.Contains(text, "virtio-pci (interface eth0)") {
		t.Errorf("%s", text)
	}
}

// TestMissingBuffer: a buffer that was not freed is found when all is closed.
func TestMissingBuffer(t *testing.T) {
	s, err := Open(t.Context(), Config{Specs: specs(t, "emu:gen"), Burst: 32, Pollers: 1})
	if err != nil {
		t.Fatal(err)
	}
	kept := make([]*mbuf.Buf, 1)
	for deadline := time.Now().Add(time.Minute); s.Ports[0].RxQueue(0).Burst(kept) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("no packet in a minute")
		}
	}
	var busy *mbuf.BusyError
	if err := s.Close(); !errors.As(err, &busy) || busy.Out != 1 {
		t.Errorf("got %v, want a *mbuf.BusyError about 1 buffer", err)
	}
	mbuf.Free(kept)
	if err := s.Pool.Release(); err != nil {
		t.Error(err)
	}
}

// TestOpenAllOrNone: when a port cannot be opened those before it are closed
// again, and the error says which one it was.
func TestOpenAllOrNone(t *testing.T) {
	var opened []*driver.Port
	_, err := Open(t.Context(), Config{Specs: specs(t, "emu:gen", "emu:pcap=missing"), Burst: 32, Pollers: 1,
		Open: func(s devargs.Spec, o devargs.Options) (*driver.Port, error) {
			p, err := s.Open(t.Context(), o)
			if err == nil {
				opened = append(opened, p)
			}
			return p, err
		}})
	if err == nil || !strings.HasPrefix(err.Error(), "port emu:pcap=missing: ") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("unexpected error %v", err)
	}
	if len(opened) != 1 || !errors.Is(opened[0].Err(), os.ErrClosed) {
		t.Errorf("%d ports were opened and not all of them closed", len(opened))
	}
}

// TestTooSmall: a device whose frames do not fit the buffers is refused with the
// keys that make larger ones, and they do.
func TestTooSmall(t *testing.T) {
	jumbo := func(s devargs.Spec, o devargs.Options) (*driver.Port, error) {
		fn, err := pcifn.New(pcifn.Config{Device: vdev.Config{MTU: 9000, Refuse: virtio.FeatureSet(virtio.NetMrgRxbuf)}})
		if err != nil {
			return nil, err
		}
		device, err := vpci.Open(fn, vpci.Options{})
		if err != nil {
			return nil, err
		}
		return driver.Open(device, driver.Config{Pool: o.Pool, Memory: o.Memory, MTU: s.MTU, Refuse: s.Refuse})
	}
	_, err := Open(t.Context(), Config{Specs: specs(t, "emu:null"), Burst: 32, Pollers: 1, Open: jumbo})
	const keys = "mtu=9000,mrg_rxbuf=0"
	var pool *driver.PoolError
	if !errors.As(err, &pool) || !strings.Contains(err.Error(), keys) {
		t.Fatalf("got %v, want a *driver.PoolError that tells of %s", err, keys)
	}
	s, err := Open(t.Context(), Config{Specs: specs(t, "emu:null,"+keys), Burst: 32, Pollers: 1, Open: jumbo})
	if err != nil {
		t.Fatalf("the remedy does not help: %v", err)
	}
	if s.Pool.DataRoom() != 9018 || s.Ports[0].MTU() != 9000 {
		t.Errorf("buffers of %d bytes, MTU %d", s.Pool.DataRoom(), s.Ports[0].MTU())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestBuffers(t *testing.T) {
	for _, c := range []struct {
		ports   []string
		pollers int
		want    int
	}{
		{[]string{"emu:gen"}, 1, 8192},
		{[]string{"0000:00:03.0", "0000:00:04.0"}, 1, 8192},
		{[]string{"0000:00:03.0,queues=4", "0000:00:04.0,queues=4"}, 2, 8*(1024+1536+32) + 2*2*256},
		{[]string{"emu:gen,rx_queue_size=32768"}, 1, 32768 + 49152 + 32 + 256},
	} {
		cfg := Config{Specs: specs(t, c.ports...), Burst: 32, Pollers: c.pollers}
		if got, err := cfg.buffers(); err != nil || got != c.want {
			t.Errorf("%v: %d buffers, %v; want %d", c.ports, got, err, c.want)
		}
	}
	cfg := Config{Specs: specs(t, "0000:00:03.0"), Burst: 32, Pollers: 1, PoolSize: 1071}
	var small *poolSizeError
	if _, err := cfg.buffers(); !errors.As(err, &small) || small.need != 1072 {
		t.Errorf("a pool of 1071: %v, want a *poolSizeError", err)
	}
}

// TestLeastPool: the size that a refusal names is accepted by all ports, and with it every
// port receives and transmits for ever.
func TestLeastPool(t *testing.T) {
	for _, ports := range [][]string{
		{"emu:gen,rx_queue_size=32,tx_queue_size=32", "emu:gen,rx_queue_size=32,tx_queue_size=32"},
		{"emu:gen,rx_queue_size=16,queues=2", "emu:gen,tx_queue_size=8", "emu:gen"},
	} {
		c := Config{Specs: specs(t, ports...), Burst: 32, Pollers: 1, PoolSize: 1, PollDevices: true}
		var small *poolSizeError
		if _, err := Open(t.Context(), c); !errors.As(err, &small) {
			t.Fatalf("a pool of 1: %v", err)
		}
		c.PoolSize = small.need
		s, err := Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if err := forward(s, 3*c.PoolSize); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// forward has each port send what the port before it receives, with the set's one cache,
// until every port has received so many packets.
func forward(s *Set, packets int) error {
	bufs := make([]*mbuf.Buf, 32)
	var moved uint64
	for idle := 0; idle < 2000; idle++ {
		least := uint64(1 << 63)
		for i, in := range s.Ports {
			out := s.Ports[(i+1)%len(s.Ports)]
			s.EmuPolls[i]()
			for q := range in.Queues() {
				rx, tx := in.RxQueue(q), out.TxQueue(q%out.Queues())
				if err := errors.Join(rx.SetCache(s.Caches[0]), tx.SetCache(s.Caches[0])); err != nil {
					return err
				}
				n := rx.Burst(bufs)
				s.Caches[0].Put(bufs[tx.Burst(bufs[:n]):n])
				least = min(least, rx.Stats().Packets)
			}
		}
		if least >= uint64(packets) {
			return nil
		}
		if least > moved {
			moved, idle = least, 0
		}
	}
	return fmt.Errorf("a queue stands still after %d packets", moved)
}

// TestNode: memory comes from the node of the PCI ports, if they are on one.
func TestNode(t *testing.T) {
	at := func(address string, node int) sysfstest.Function {
		f := sysfstest.VirtioNet(address, 0x1041)
		f.NUMANode = node
		return f
	}
	machine := sysfstest.New(t, at("0000:00:03.0", 1), at("0000:00:04.0", 1), at("0000:00:05.0", 0), at("0000:00:06.0", -1))
	for _, c := range []struct {
		ports []string
		want  int // -1 for any
	}{
		{[]string{"0000:00:03.0"}, 1},
		{[]string{"0000:00:03.0", "0000:00:04.0", "emu:gen"}, 1},
		{[]string{"vhost-user:s", "0000:00:05.0"}, 0},
		{[]string{"0000:00:03.0", "0000:00:05.0"}, -1},
		{[]string{"0000:00:06.0"}, -1},
		{[]string{"0000:00:03.0", "0000:00:06.0"}, -1},
		{[]string{"0000:00:07.0"}, -1},
		{[]string{"emu:gen"}, -1},
	} {
		for _, noHuge := range []bool{false, true} {
			cfg := Config{Specs: specs(t, c.ports...), NoHuge: noHuge, root: machine.Root}
			got := -1
			if node := cfg.memory().Node; node != nil {
				got = *node
			}
			if got != c.want {
				t.Errorf("%v: memory from node %d, want %d", c.ports, got, c.want)
			}
		}
	}
}

// TestNodeWithoutMemory: a node that has no memory to give is done without.
func TestNodeWithoutMemory(t *testing.T) {
	f := sysfstest.VirtioNet("0000:00:03.0", 0x1041)
	f.NUMANode, f.Driver = 1000, "vfio-pci"
	var got hugepages.Options
	s, err := Open(t.Context(), Config{Specs: specs(t, "0000:00:03.0"), Burst: 32, Pollers: 1, NoHuge: true, root: sysfstest.New(t, f).Root,
		Open: func(_ devargs.Spec, o devargs.Options) (*driver.Port, error) {
			got = o.Memory
			return devargs.Open(t.Context(), "emu:null", o)
		}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Node != nil {
		t.Errorf("the port is told to take memory from node %d", *got.Node)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestMemory: hardware gets hugepages or what was asked for, emulated ports
// whatever there is.
func TestMemory(t *testing.T) {
	for _, c := range []struct {
		ports  []string
		noHuge bool
		want   hugepages.Options
	}{
		{[]string{"0000:00:03.0"}, false, hugepages.Options{}},
		{[]string{"emu:gen", "0000:00:03.0"}, false, hugepages.Options{}},
		{[]string{"emu:gen", "emu:null"}, false, hugepages.Options{SmallPages: true}},
		{[]string{"emu:gen", "0000:00:03.0"}, true, hugepages.Options{PageSize: os.Getpagesize()}},
	} {
		cfg := Config{Specs: specs(t, c.ports...), NoHuge: c.noHuge}
		if got := cfg.memory(); got != c.want {
			t.Errorf("%v, no-huge %t: %+v, want %+v", c.ports, c.noHuge, got, c.want)
		}
	}
	cfg := Config{}
	if hint := cfg.hint(&hugepages.ShortageError{}); !strings.Contains(hint, "--no-huge") {
		t.Errorf("the hint does not name --no-huge: %q", hint)
	}
}
