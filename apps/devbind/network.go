package main

import (
	"errors"
	"fmt"
	"net"

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
	return reasons
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

// carrying returns the interfaces that an SSH connection goes through: the one
// that has our address, the one that replies leave by, and the one that a
// link-local address names.
func (n *network) carrying(c sshConnection) []string {
	if c.zone != "" {
		return []string{c.zone}
	}
	var names []string
	// A client that cannot be reached any more leaves by no interface.
	routes, _ := netlink.RouteGet(c.client)
	for _, r := range routes {
		names = append(names, n.names[r.LinkIndex])
	}
	for index, addresses := range n.addresses {
		for _, a := range addresses {
			if a.IP.Equal(c.server) {
				names = append(names, n.names[index])
			}
		}
	}
	return names
}
