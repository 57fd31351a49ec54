// Package netlab makes the network around a guest on the test's machine:
// network namespaces with a TAP interface each, and hosts in them that ping,
// talk TCP and send frames. It needs root. Everything exists only as open
// files of the test process and so goes with it, however that ends.
package netlab

import (
	"fmt"
	"net"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Namespace is a network namespace with one TAP interface.
type Namespace struct {
	// Name is for people.
	Name string
	// Address is that of the interface.
	Address *net.IPNet
	// Queues are the interface's queues, for QEMU to take.
	Queues []*os.File

	ns    netns.NsHandle
	index int
	ipv6  net.IP // of AddIPv6
}

// tap is the interface's name in every namespace.
const tap = "tap0"

// NewNamespace makes a namespace whose TAP interface has so many queues and
// the address cidr. Without queues there is no interface yet: see [Namespace.Configure].
func NewNamespace(name, cidr string, queues, mtu int) (*Namespace, error) {
	ip, network, err := net.ParseCIDR(cidr)
	if err != nil {
		return nil, err
	}
	n := &Namespace{Name: name, Address: &net.IPNet{IP: ip, Mask: network.Mask}, ns: netns.None()}
	if err := n.create(); err != nil {
		return nil, err
	}
	err = n.Do(func() error { return n.equip(queues, mtu) })
	if err != nil {
		n.Close()
		return nil, fmt.Errorf("netlab: namespace %s: %w", name, err)
	}
	return n, nil
}

// create makes the namespace, on a thread that ends with it.
func (n *Namespace) create() error {
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		var err error
		n.ns, err = netns.New()
		made <- err
	}()
	if err := <-made; err != nil {
		return fmt.Errorf("netlab: making a network namespace: %w (it takes root)", err)
	}
	return nil
}

// Do calls f on a thread inside the namespace. What f opens stays there; f
// must not start goroutines that open more.
func (n *Namespace) Do(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := n.Enter(); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

// Enter takes the calling thread into the namespace, for good: it is locked to a goroutine
// with which it ends.
func (n *Namespace) Enter() error {
	if err := netns.Set(n.ns); err != nil {
		return fmt.Errorf("netlab: entering namespace %s: %w", n.Name, err)
	}
	return nil
}

// equip sets the namespace up from inside.
func (n *Namespace) equip(queues, mtu int) error {
	// Only the test's own packets are to be seen.
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"),
		0); err != nil && !os.IsNotExist(err) {
		return err
	}
	// How much TCP sends in one large packet depends on the round-trip time, which is long
	// where programs that are short of CPU time forward, and on the congestion control: have it
	// send as much as it can.
	for name, value := range map[string]string{
		"tcp_congestion_control": "reno", "tcp_min_tso_segs": "44",
	} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil {
			return err
		}
	}
	for range queues {
		f, err := openTap(queues > 1)
		if err != nil {
			return err
		}
		n.Queues = append(n.Queues, f)
	}
	if queues == 0 {
		return nil
	}
	return n.settle(tap, mtu)
}

// Configure takes an interface that a program has made inside the namespace as the
// namespace's own: it gives it the address and sets it up.
func (n *Namespace) Configure(name string, mtu int) error {
	if err := n.Do(func() error { return n.settle(name, mtu) }); err != nil {
		return fmt.Errorf("netlab: namespace %s: interface %s: %w", n.Name, name, err)
	}
	return nil
}

// AddIPv6 gives the interface, which has none, an IPv6 address. It can be used at once.
func (n *Namespace) AddIPv6(cidr string) error {
	a, err := netlink.ParseAddr(cidr)
	if err != nil {
		return err
	}
	a.Flags = unix.IFA_F_NODAD
	return n.Do(func() error {
		l, err := netlink.LinkByIndex(n.index)
		if err != nil {
			return err
		}
		for _, setting := range []struct{ name, value string }{
			{"addr_gen_mode", "1"}, {"router_solicitations", "0"}, {"disable_ipv6", "0"},
		} {
			path := "/proc/sys/net/ipv6/conf/" + l.Attrs().Name + "/" + setting.name
			if err := os.WriteFile(path, []byte(setting.value), 0); err != nil {
				return fmt.Errorf("netlab: namespace %s: IPv6: %w", n.Name, err)
			}
		}
		n.ipv6 = a.IP
		return netlink.AddrAdd(l, a)
	})
}

// settle sets an interface up, from inside.
func (n *Namespace) settle(name string, mtu int) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	n.index = l.Attrs().Index
	if err := netlink.LinkSetMTU(l, mtu); err != nil {
		return err
	}
	if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: n.Address}); err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

// openTap opens one queue of the TAP interface. Packets carry a virtio-net
// header, as they do when QEMU opens the interface itself; which offloads are
// used with it is settled between QEMU and the guest's driver.
func openTap(several bool) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq(tap)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	flags := uint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if several {
		flags |= unix.IFF_MULTI_QUEUE
	}
	request.SetUint16(flags)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("TUNSETIFF: %w", err)
	}
	return os.NewFile(uintptr(fd), "tap"), nil
}

// MAC is the interface's address.
func (n *Namespace) MAC() (net.HardwareAddr, error) {
	var mac net.HardwareAddr
	err := n.Do(func() error {
		l, err := netlink.LinkByName(tap)
		if err == nil {
			mac = l.Attrs().HardwareAddr
		}
		return err
	})
	return mac, err
}

// Close closes the interface's queues and the namespace. Both are gone when
// the last process that shares them is.
func (n *Namespace) Close() {
	for _, q := range n.Queues {
		_ = q.Close()
	}
	if n.ns.IsOpen() {
		_ = n.ns.Close()
	}
}
