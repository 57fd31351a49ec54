package inuse

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// network is the state of this network namespace at one moment.
type network struct {
	links     map[string]netlink.Link
	names     map[int]string // by index
	addresses map[int][]netlink.Addr
	routes    map[int][]netlink.Route // unicast or added by an administrator, of all tables
}

// readNetwork reads interfaces, addresses and routes of both families.
func readNetwork() (*network, error) {
	n := &network{
		links: map[string]netlink.Link{}, names: map[int]string{},
		addresses: map[int][]netlink.Addr{}, routes: map[int][]netlink.Route{},
	}
	links, err := complete(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("listing interfaces: %w", err)
	}
	for _, l := range links {
		n.links[l.Attrs().Name] = l
		n.names[l.Attrs().Index] = l.Attrs().Name
	}
	addresses, err := complete(func() ([]netlink.Addr, error) {
		return netlink.AddrList(nil, netlink.FAMILY_ALL)
	})
	if err != nil {
		return nil, fmt.Errorf("listing addresses: %w", err)
	}
	for _, a := range addresses {
		n.addresses[a.LinkIndex] = append(n.addresses[a.LinkIndex], a)
	}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		everyTable := &netlink.Route{Table: unix.RT_TABLE_UNSPEC}
		routes, err := complete(func() ([]netlink.Route, error) {
			return netlink.RouteListFiltered(family, everyTable, netlink.RT_FILTER_TABLE)
		})
		if err != nil {
			return nil, fmt.Errorf("listing routes: %w", err)
		}
		for _, r := range routes {
			n.addRoute(r)
		}
	}
	return n, nil
}

// complete repeats a listing that a change interrupted, a few times.
func complete[T any](list func() ([]T, error)) (all []T, err error) {
	for range 5 {
		if all, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
	return all, err
}

// addRoute adds a route to the interfaces it leaves by. Local and broadcast routes
// that the kernel made are left out: they follow from addresses.
func (n *network) addRoute(r netlink.Route) {
	if r.Protocol == unix.RTPROT_KERNEL && r.Type != unix.RTN_UNICAST {
		return
	}
	if r.Dst != nil && automatic(r.Dst.IP) {
		return
	}
	if r.LinkIndex != 0 {
		n.routes[r.LinkIndex] = append(n.routes[r.LinkIndex], r)
	}
	for _, hop := range r.MultiPath {
		n.routes[hop.LinkIndex] = append(n.routes[hop.LinkIndex], r)
	}
}

// automatic reports whether an address is one that every IPv6 interface has as
// soon as it is up: link-local, or multicast.
func automatic(ip net.IP) bool {
	return ip.To4() == nil && (ip.IsLinkLocalUnicast() || ip.IsMulticast())
}

// reasons returns why an interface is in use, nil if it is not.
func (n *network) reasons(link netlink.Link) []string {
	var reasons []string
	name, index := link.Attrs().Name, link.Attrs().Index
	for _, a := range n.addresses[index] {
		if !automatic(a.IP) {
			reasons = append(reasons, fmt.Sprintf("%s has the address %s", name, a.IPNet))
		}
	}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		route, count := n.route(index, family)
		if count == 0 {
			continue
		}
		reason := fmt.Sprintf("%s has the %s route %s", name, ipVersion(family), route)
		if count > 1 {
			reason += fmt.Sprintf(" and %d more", count-1)
		}
		reasons = append(reasons, reason)
	}
	if master := n.master(link); master != "" {
		reasons = append(reasons, fmt.Sprintf("%s belongs to %s", name, master))
	}
	if xdp := link.Attrs().Xdp; xdp != nil && xdp.Attached {
		reasons = append(reasons, fmt.Sprintf("%s has an XDP program (id %d)", name, xdp.ProgId))
	}
	return append(reasons, filters(link)...)
}

// filters returns the reason for an interface whose packets traffic control handles.
func filters(link netlink.Link) []string {
	disciplines, err := complete(func() ([]netlink.Qdisc, error) { return netlink.QdiscList(link) })
	if err != nil {
		return []string{fmt.Sprintf("which filters %s has cannot be found out: %v", link.Attrs().Name, err)}
	}
	for _, d := range disciplines {
		if kind := d.Type(); kind == "clsact" || kind == "ingress" {
			return []string{fmt.Sprintf("%s has traffic control filters (%s)", link.Attrs().Name, kind)}
		}
	}
	return nil
}

func ipVersion(family int) string {
	if family == netlink.FAMILY_V6 {
		return "IPv6"
	}
	return "IPv4"
}

// route counts the routes of a family by an interface and names one, the
// default route if there is one.
func (n *network) route(index, family int) (name string, count int) {
	for _, r := range n.routes[index] {
		if r.Family != family {
			continue
		}
		count++
		ones := 0
		if r.Dst != nil {
			ones, _ = r.Dst.Mask.Size()
		}
		if ones == 0 {
			name = "default"
		} else if name == "" {
			name = r.Dst.String()
		}
	}
	return name, count
}

// master returns the bridge or bond that an interface belongs to, "" for none.
func (n *network) master(link netlink.Link) string {
	index := link.Attrs().MasterIndex
	if index == 0 {
		return ""
	}
	if name := n.names[index]; name != "" {
		return name
	}
	return fmt.Sprintf("interface %d", index)
}

// stacked returns the interfaces of this namespace that are built on one: VLANs, macvlans, tunnels
// and the like.
func (n *network) stacked(index int) []string {
	var names []string
	for name, link := range n.links {
		if builtOn(link, index, -1) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// builtOn reports whether a link is built on the interface with an index. namespace is the number
// by which the link's network namespace knows that of the interface, -1 if they are in the same.
func builtOn(link netlink.Link, index, namespace int) bool {
	a := link.Attrs()
	if tunnel, ok := link.(*netlink.Vxlan); ok && namespace == -1 && tunnel.VtepDevIndex == index {
		return true
	}
	// The ends of a veth pair name each other, and neither is built on the other.
	return a.ParentIndex == index && a.NetNsID == namespace && link.Type() != "veth"
}

// carrying returns the interfaces that a connection goes through: the one that has our address, the
// one that packets to the peer leave by, and the one that a link-local address names.
func (n *network) carrying(c connection) []string {
	if c.zone != "" {
		return []string{c.zone}
	}
	var names []string
	// A peer that cannot be reached any more is behind no interface.
	routes, _ := netlink.RouteGet(c.peer)
	for _, r := range routes {
		names = append(names, n.names[r.LinkIndex])
	}
	for index, addresses := range n.addresses {
		for _, a := range addresses {
			if a.IP.Equal(c.local) {
				names = append(names, n.names[index])
			}
		}
	}
	return names
}
