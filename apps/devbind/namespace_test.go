package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/pci/sysfs/sysfstest"
)

// otherNetwork makes another network namespace and returns a path to it.
func otherNetwork(t *testing.T) (netns.NsHandle, string) {
	t.Helper()
	own, err := netns.Get()
	must(t, err)
	defer own.Close()
	other, err := netns.New()
	must(t, err)
	must(t, netns.Set(own))
	t.Cleanup(func() { other.Close() })
	return other, fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), int(other))
}

// symlink makes a symbolic link of the machine.
func symlink(t *testing.T, m *sysfstest.Machine, path, target string) {
	t.Helper()
	path = filepath.Join(m.Root, path)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.Symlink(target, path))
}

// macvlan builds an interface on another, and moves it to a namespace if that is not 0.
func macvlan(t *testing.T, below netlink.Link, name string, ns netns.NsHandle) {
	t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex = name, below.Attrs().Index
	link := &netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_BRIDGE}
	must(t, netlink.LinkAdd(link))
	if ns > 0 {
		must(t, netlink.LinkSetNsFd(link, int(ns)))
	}
}

// An interface of another network namespace is found however that namespace can be reached.
func TestRefusesWhatCarriesOneElsewhere(t *testing.T) {
	for name, c := range map[string]struct {
		reach func(t *testing.T, m *sysfstest.Machine, path string)
		where string
	}{
		"process": {func(t *testing.T, m *sysfstest.Machine, path string) {
			symlink(t, m, "/proc/4242/ns/net", path)
		}, "the network namespace of process 4242 (pod)"},
		"thread": {func(t *testing.T, m *sysfstest.Machine, path string) {
			symlink(t, m, "/proc/4242/ns/net", "/proc/thread-self/ns/net")
			symlink(t, m, "/proc/4242/task/4243/ns/net", path)
		}, "the network namespace of process 4242 (pod)"},
		"descriptor": {func(t *testing.T, m *sysfstest.Machine, path string) {
			symlink(t, m, "/proc/4242/fd/5", "net:[4026532001]")
			symlink(t, m, "/proc/4242/fd/net:[4026532001]", path)
		}, "the network namespace that process 4242 (pod) has open"},
		"mount": {func(t *testing.T, m *sysfstest.Machine, path string) {
			m.Put("/proc/self/mountinfo", "40 1 0:4 net:[4026532001] /run/netns/blue rw shared:1 - nsfs nsfs rw\n")
			symlink(t, m, "/run/netns/blue", path)
		}, "the network namespace /run/netns/blue"},
		"mount elsewhere": {func(t *testing.T, m *sysfstest.Machine, path string) {
			m.Put("/proc/4242/ns/mnt", "")
			m.Put("/proc/4242/mountinfo", "40 1 0:4 net:[4026532001] /run/netns/blue rw shared:1 - nsfs nsfs rw\n")
			symlink(t, m, "/proc/4242/root/run/netns/blue", path)
		}, "the network namespace /run/netns/blue in the mount namespace of process 4242 (pod)"},
	} {
		t.Run(name, func(t *testing.T) {
			ownNetwork(t)
			eth0 := veth(t, "eth0")
			other, path := otherNetwork(t)
			macvlan(t, eth0, "mv0", other)
			m := sysfstest.New(t, grouped(one, 1, "eth0"))
			m.Put("/proc/4242/comm", "pod\n")
			if got := devbind(t, m, "bind", "--dry-run", one); got.status != 0 {
				t.Errorf("with nothing that leads there: %+v", got)
			}
			c.reach(t, m, path)
			want := "eth0 carries mv0 (macvlan) in " + c.where
			unchanged(t, m.Root, func() {
				if got := devbind(t, m, "bind", one); got.status != 1 || strings.Count(got.stderr, want) != 1 {
					t.Errorf("%+v, want the reason %q", got, want)
				}
			})
		})
	}
}

// The same number of an interface in a third namespace means another interface.
func TestAnotherNamespacesInterfaceIsNoUse(t *testing.T) {
	ownNetwork(t)
	eth0 := veth(t, "eth0")
	other, path := otherNetwork(t)
	third, _ := otherNetwork(t)
	own, err := netns.Get()
	must(t, err)
	defer own.Close()
	must(t, netns.Set(third))
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.Index = "eth0", eth0.Attrs().Index
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "peer"}))
	below, err := netlink.LinkByName("eth0")
	must(t, err)
	macvlan(t, below, "mv0", other)
	must(t, netns.Set(own))

	m := sysfstest.New(t, grouped(one, 1, "eth0"))
	m.Put("/proc/4242/comm", "pod\n")
	symlink(t, m, "/proc/4242/ns/net", path)
	if got := devbind(t, m, "bind", one); got.status != 0 || got.stderr != "" {
		t.Errorf("%+v", got)
	}
	// Once the other namespace also has one of ours, it knows both by different numbers.
	m = sysfstest.New(t, grouped(two, 2, "eth0"))
	m.Put("/proc/4242/comm", "pod\n")
	symlink(t, m, "/proc/4242/ns/net", path)
	macvlan(t, eth0, "mv1", other)
	got := devbind(t, m, "bind", two)
	if got.status != 1 || !strings.Contains(got.stderr, "eth0 carries mv1") || strings.Contains(got.stderr, "mv0") {
		t.Errorf("%+v", got)
	}
}

// A namespace that cannot be looked into may have such an interface.
func TestRefusesWhatCannotBeFoundOut(t *testing.T) {
	ownNetwork(t)
	veth(t, "eth0")
	m := sysfstest.New(t, grouped(one, 1, "eth0"))
	m.Put("/proc/4242/comm", "pod\n")
	m.Put("/proc/4242/ns/net", "") // setns answers EINVAL
	got := devbind(t, m, "bind", one)
	if got.status != 1 || !strings.Contains(got.stderr, "of process 4242 (pod)") || !strings.Contains(got.stderr, "cannot be found out") {
		t.Errorf("%+v", got)
	}
}

// packetSocket opens a packet socket that is bound to an interface and returns its inode.
func packetSocket(t *testing.T, index int) uint64 {
	t.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	must(t, unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: index, Protocol: 0x0300}))
	var stat unix.Stat_t
	must(t, unix.Fstat(fd, &stat))
	return stat.Ino
}

func TestRefusesPacketSockets(t *testing.T) {
	ownNetwork(t)
	eth0, other := veth(t, "eth0"), veth(t, "other")
	m := sysfstest.New(t, grouped(one, 1, "eth0"))
	list := func() {
		t.Helper()
		b, err := os.ReadFile("/proc/thread-self/net/packet")
		must(t, err)
		m.Put("/proc/thread-self/net/packet", string(b))
	}
	packetSocket(t, 0) // all interfaces
	packetSocket(t, other.Attrs().Index)
	list()
	if got := devbind(t, m, "bind", one, "--dry-run"); got.status != 0 {
		t.Errorf("sockets on others: %+v", got)
	}
	inode := packetSocket(t, eth0.Attrs().Index)
	list()
	if got := devbind(t, m, "bind", one); got.status != 1 || !strings.Contains(got.stderr, "a packet socket is bound to eth0") {
		t.Errorf("a socket that no process has: %+v", got)
	}
	m.Put("/proc/812/comm", "tcpdump\n")
	symlink(t, m, "/proc/812/fd/3", fmt.Sprintf("socket:[%d]", inode))
	if got := devbind(t, m, "bind", one); got.status != 1 || !strings.Contains(got.stderr, "process 812 (tcpdump) has a packet socket on eth0") {
		t.Errorf("%+v", got)
	}
}
