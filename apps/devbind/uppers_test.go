package main

import (
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/virtio-pmd/virtio-pmd/pci/sysfs/sysfstest"
)

// An interface that another one is built on is refused, and that one is named.
func TestRefusesWhatIsBuiltOn(t *testing.T) {
	upper := func(below netlink.Link) netlink.LinkAttrs {
		a := netlink.NewLinkAttrs()
		a.Name, a.ParentIndex = "upper", below.Attrs().Index
		return a
	}
	for name, build := range map[string]func(t *testing.T, eth0 netlink.Link){
		"macvlan": func(t *testing.T, eth0 netlink.Link) {
			must(t, netlink.LinkAdd(&netlink.Macvlan{LinkAttrs: upper(eth0), Mode: netlink.MACVLAN_MODE_BRIDGE}))
		},
		"bridge": func(t *testing.T, eth0 netlink.Link) {
			a := netlink.NewLinkAttrs()
			a.Name = "upper"
			must(t, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: a}))
			master(t, eth0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ownNetwork(t)
			eth0 := veth(t, "eth0")
			m := sysfstest.New(t, grouped(one, 1, "eth0"))
			build(t, eth0)
			unchanged(t, m.Root, func() {
				if got := devbind(t, m, "bind", one); got.status != 1 || strings.Count(got.stderr, "upper") != 1 {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

// master makes the interface upper the master of another.
func master(t *testing.T, link netlink.Link) {
	t.Helper()
	upper, err := netlink.LinkByName("upper")
	must(t, err)
	must(t, netlink.LinkSetMaster(link, upper))
}

// An interface is known by its other names as well, of which sysfs knows nothing.
func TestAlternativeNames(t *testing.T) {
	ownNetwork(t)
	eth0 := veth(t, "eth0")
	for _, name := range []string{"lan", "enx-an-alternative-name"} {
		must(t, netlink.LinkAddAltName(eth0, name))
		m := sysfstest.New(t, grouped(one, 1, "eth0"))
		want := one + ": virtio-pci -> vfio-pci\n"
		if got := devbind(t, m, "bind", name); got.status != 0 || got.stdout != want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	m := sysfstest.New(t, grouped(one, 1, "eth0"))
	if got := devbind(t, m, "bind", "wan"); got.status != 2 {
		t.Errorf("%+v", got)
	}
}
