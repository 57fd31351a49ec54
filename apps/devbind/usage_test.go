package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/pci/sysfs/sysfstest"
)

func route(t *testing.T, link netlink.Link, destination string, table int) {
	t.Helper()
	_, network, err := net.ParseCIDR(destination)
	must(t, err)
	must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: network, Table: table, Scope: netlink.SCOPE_LINK}))
}

// Each of these alone makes a function one that is in use: bind is refused with
// that reason and changes nothing, and goes through with --force.
func TestRefusesWhatIsInUse(t *testing.T) {
	for name, c := range map[string]struct {
		use    func(t *testing.T, link netlink.Link)
		reason string
	}{
		"IPv4 address": {func(t *testing.T, link netlink.Link) { addAddress(t, link, "10.1.2.3/32") }, "eth0 has the address 10.1.2.3/32"},
		"IPv6 address": {func(t *testing.T, link netlink.Link) { addAddress(t, link, "2001:db8::7/128") }, "eth0 has the address 2001:db8::7/128"},
		"IPv4 route":   {func(t *testing.T, link netlink.Link) { route(t, link, "10.9.0.0/16", 0) }, "eth0 has the IPv4 route 10.9.0.0/16"},
		"IPv6 route":   {func(t *testing.T, link netlink.Link) { route(t, link, "2001:db8:1::/48", 0) }, "eth0 has the IPv6 route 2001:db8:1::/48"},
		"default route": {func(t *testing.T, link netlink.Link) {
			route(t, link, "0.0.0.0/0", 0)
			route(t, link, "10.9.0.0/16", 0)
		}, "eth0 has the IPv4 route default and 1 more"},
		"route of another table": {func(t *testing.T, link netlink.Link) { route(t, link, "10.9.0.0/16", 100) }, "eth0 has the IPv4 route 10.9.0.0/16"},
		"one of several hops": {func(t *testing.T, link netlink.Link) {
			_, network, _ := net.ParseCIDR("10.9.0.0/16")
			other := veth(t, "other")
			must(t, netlink.RouteAdd(&netlink.Route{Dst: network, MultiPath: []*netlink.NexthopInfo{
				{LinkIndex: other.Attrs().Index}, {LinkIndex: link.Attrs().Index},
			}}))
		}, "eth0 has the IPv4 route 10.9.0.0/16"},
		"master": {func(t *testing.T, link netlink.Link) {
			bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}
			must(t, netlink.LinkAdd(bridge))
			must(t, netlink.LinkSetMaster(link, bridge))
		}, "eth0 belongs to br0"},
		"macvlan": {func(t *testing.T, link netlink.Link) { macvlan(t, link, "mv0", 0) }, "eth0 carries mv0"},
		"VXLAN": {func(t *testing.T, link netlink.Link) {
			attrs := netlink.NewLinkAttrs()
			attrs.Name = "vx0"
			must(t, netlink.LinkAdd(&netlink.Vxlan{LinkAttrs: attrs, VxlanId: 7, VtepDevIndex: link.Attrs().Index, Port: 4789}))
		}, "eth0 carries vx0"},
		"XDP program": {func(t *testing.T, link netlink.Link) {
			must(t, netlink.LinkSetXdpFdWithFlags(link, passProgram(t), unix.XDP_FLAGS_SKB_MODE))
		}, "eth0 has an XDP program (id "},
		"filters": {func(t *testing.T, link netlink.Link) {
			attrs := netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Parent: netlink.HANDLE_CLSACT}
			must(t, netlink.QdiscAdd(&netlink.Clsact{QdiscAttrs: attrs}))
		}, "eth0 has traffic control filters (clsact)"},
		"gone to another namespace": {func(t *testing.T, link netlink.Link) { must(t, netlink.LinkDel(link)) }, "cannot be looked into"},
	} {
		t.Run(name, func(t *testing.T) {
			ownNetwork(t)
			c.use(t, veth(t, "eth0"))
			m := sysfstest.New(t, grouped(one, 1, "eth0"))
			for _, command := range []string{"bind", "unbind"} {
				unchanged(t, m.Root, func() {
					got := devbind(t, m, command, one)
					if got.status != 1 || got.stdout != "" || !strings.Contains(got.stderr, c.reason) || !strings.Contains(got.stderr, one) {
						t.Errorf("%s: %+v, want the reason %q", command, got, c.reason)
					}
				})
			}
			if got := devbind(t, m, "status"); got.status != 0 || !strings.Contains(got.stdout, c.reason) {
				t.Errorf("status: %+v", got)
			}
			got := devbind(t, m, "bind", one, "--force")
			if got.status != 0 || !strings.Contains(got.stderr, c.reason) || m.Driver(one) != "vfio-pci" {
				t.Errorf("--force: %+v, driver %s", got, m.Driver(one))
			}
		})
	}
}

// An interface that is up has a link-local address and its routes, and no more.
func TestLinkLocalIsNoUse(t *testing.T) {
	ownNetwork(t)
	link := veth(t, "eth0")
	addAddress(t, link, "fe80::1234/64")
	route(t, link, "ff02::/16", unix.RT_TABLE_LOCAL)
	m := sysfstest.New(t, grouped(one, 1, "eth0"))
	if got := devbind(t, m, "bind", one); got.status != 0 || got.stderr != "" || m.Driver(one) != "vfio-pci" {
		t.Errorf("%+v", got)
	}
}

func TestRefusesWhatCarriesAnother(t *testing.T) {
	ownNetwork(t)
	veth(t, "eth0")
	m := sysfstest.New(t, grouped(one, 1, "eth0"))
	m.Put("/sys/class/net/eth0/upper_eth0.5/ifindex", "9\n")
	if got := devbind(t, m, "bind", one); got.status != 1 || !strings.Contains(got.stderr, "eth0 carries eth0.5") {
		t.Errorf("%+v", got)
	}
}

func TestRefusesWhatIsInAnotherNamespace(t *testing.T) {
	m := sysfstest.New(t, grouped(one, 1)) // virtio_net is active, no interface to be seen
	if got := devbind(t, m, "bind", one); got.status != 1 || !strings.Contains(got.stderr, "another network namespace") {
		t.Errorf("%+v", got)
	}
}

func TestSSHConnection(t *testing.T) {
	for name, c := range map[string]struct {
		variable string
		carries  bool
	}{
		"our address":         {"192.0.2.9 5000 10.1.0.1 22", true},
		"way back":            {"10.1.0.77 5000 10.200.0.1 22", true},
		"another":             {"10.2.0.77 5000 10.2.0.1 22", false},
		"IPv6":                {"2001:db8::9 5000 2001:db8::1 22", true},
		"link-local":          {"fe80::9%eth0 5000 fe80::1%eth0 22", true},
		"link-local, another": {"fe80::9%other 5000 fe80::1%other 22", false},
		"through VLAN":        {"fe80::9%vlan 5000 fe80::1%vlan 22", true},
		"nonsense":            {"10.1.0.77", false},
		"none":                {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			ownNetwork(t)
			link, other := veth(t, "eth0"), veth(t, "other")
			addAddress(t, link, "10.1.0.1/24")
			addAddress(t, link, "2001:db8::1/64")
			addAddress(t, link, "fe80::1/64")
			addAddress(t, other, "10.2.0.1/24")
			addAddress(t, other, "fe80::1/64")
			m := sysfstest.New(t, grouped(one, 1, "eth0"))
			m.Put("/sys/class/net/eth0/upper_vlan/ifindex", "9\n")

			got := devbindIn(t, m, map[string]string{"SSH_CONNECTION": c.variable}, "bind", one)
			if got.status != 1 || strings.Contains(got.stderr, "SSH connection") != c.carries {
				t.Errorf("%+v", got)
			}
			if c.variable == "" {
				return
			}
			// sudo: the variable is two processes up.
			stat := "%d (a) b) S %d 1 1 0 -1 4194304\n"
			m.Put(fmt.Sprintf("/proc/%d/stat", os.Getppid()), fmt.Sprintf(stat, os.Getppid(), 4242))
			m.Put(fmt.Sprintf("/proc/%d/environ", os.Getppid()), "SHELL=/bin/sh\x00")
			m.Put("/proc/4242/stat", fmt.Sprintf(stat, 4242, 1))
			m.Put("/proc/4242/environ", "SHELL=/bin/sh\x00SSH_CONNECTION="+c.variable+"\x00")
			got = devbind(t, m, "bind", one)
			if got.status != 1 || strings.Contains(got.stderr, "SSH connection") != c.carries {
				t.Errorf("through sudo: %+v", got)
			}
		})
	}
}

func TestRefusesWhatAProcessHasOpen(t *testing.T) {
	f := grouped(one, 5)
	f.Driver, f.Override = "vfio-pci", "vfio-pci"
	m := sysfstest.New(t, f)
	m.Put("/proc/4242/comm", "l2fwd\n")
	fds := filepath.Join(m.Root, "/proc/4242/fd")
	must(t, os.MkdirAll(fds, 0o755))
	must(t, os.Symlink("/dev/null", fds+"/0"))
	must(t, os.Symlink("/dev/vfio/55", fds+"/7"))
	if got := devbind(t, m, "status"); strings.Contains(got.stdout, "l2fwd") {
		t.Errorf("another group: %+v", got)
	}
	must(t, os.Symlink("/dev/vfio/5", fds+"/8"))
	must(t, os.Symlink("/dev/vfio/5", fds+"/9"))
	unchanged(t, m.Root, func() {
		got := devbind(t, m, "restore", one)
		if got.status != 1 || strings.Count(got.stderr, "process 4242 (l2fwd) has /dev/vfio/5 open") != 1 {
			t.Errorf("%+v", got)
		}
	})
	if got := devbind(t, m, "restore", "--force", one); got.status != 0 || m.Driver(one) != "virtio-pci" {
		t.Errorf("--force: %+v", got)
	}
}
