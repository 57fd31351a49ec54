package inuse

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
)

// network reads this network namespace, once.
func (f *Finder) network() (*network, error) {
	if f.net == nil && f.netErr == nil {
		f.net, f.netErr = readNetwork()
	}
	return f.net, f.netErr
}

// netdev returns what an interface of this network namespace is used for.
func (f *Finder) netdev(name string) []Reason {
	n, err := f.network()
	if err != nil {
		return []Reason{because("what %s is used for cannot be found out: %v", name, err)}
	}
	link, ok := n.links[name]
	if !ok {
		return []Reason{because("%s cannot be looked into from this network namespace", name)}
	}
	var reasons []Reason
	uppers, err := f.uppers(link)
	if err != nil {
		reasons = append(reasons, because("what is stacked on %s cannot be found out: %v", name, err))
	}
	for _, server := range f.disksAndMounts().servers {
		if f.carries(link, uppers, connection{peer: server.address}) {
			reasons = append(reasons, Reason{Vital: true,
				Text: fmt.Sprintf("%s leads to the root file system (%s)", name, server.what)})
		}
	}
	if c, ok := f.ssh(); ok && f.carries(link, uppers, c) {
		reasons = append(reasons, Reason{session: true,
			Text: fmt.Sprintf("%s carries this SSH connection (from %s)", name, c.peer)})
	}
	for _, text := range n.reasons(link) {
		reasons = append(reasons, Reason{Text: text})
	}
	for _, upper := range uppers {
		if upper.direct && upper.name != n.master(link) {
			reasons = append(reasons, because("%s carries %s", name, upper.name))
		}
	}
	reasons = append(reasons, f.elsewhere(link)...)
	return append(reasons, f.packetSockets(link)...)
}

// carries reports whether a connection goes through an interface or through something that it is
// part of.
func (f *Finder) carries(link netlink.Link, uppers []upper, c connection) bool {
	for _, by := range f.net.carrying(c) {
		if by == link.Attrs().Name || by != "" && by == f.net.master(link) {
			return true
		}
		for _, upper := range uppers {
			if by == upper.name {
				return true
			}
		}
	}
	return false
}

// upper is an interface stacked on another, directly or with others between.
type upper struct {
	name   string
	direct bool
}

// uppers lists what is stacked on an interface in this network namespace. sysfs knows links between
// interfaces that netlink does not show, and the other way round.
func (f *Finder) uppers(link netlink.Link) ([]upper, error) {
	var all []upper
	first := link.Attrs().Name
	todo, seen := []string{first}, map[string]bool{first: true}
	for len(todo) > 0 {
		below := todo[0]
		todo = todo[1:]
		names, err := f.fs.Uppers(below)
		if err != nil {
			return all, err
		}
		if l, ok := f.net.links[below]; ok {
			names = append(names, f.net.stacked(l.Attrs().Index)...)
		}
		for _, n := range names {
			if !seen[n] {
				seen[n] = true
				all = append(all, upper{name: n, direct: below == first})
				todo = append(todo, n)
			}
		}
	}
	return all, nil
}

// elsewhere returns the interfaces of other network namespaces that are built on one.
func (f *Finder) elsewhere(link netlink.Link) []Reason {
	var reasons []Reason
	s := f.others()
	for _, space := range s.all {
		if space.ours < 0 {
			continue
		}
		for _, l := range space.links {
			if builtOn(l, link.Attrs().Index, space.ours) {
				reasons = append(reasons, because("%s carries %s (%s) in %s", link.Attrs().Name,
					l.Attrs().Name, l.Type(), space.where))
			}
		}
	}
	if s.err != nil {
		reasons = append(reasons, because("whether %s carries an interface of another network "+
			"namespace cannot be found out: %v", link.Attrs().Name, s.err))
	}
	return reasons
}

// hidden returns where the interface of a function is that has none in this network namespace.
func (f *Finder) hidden(info sysfs.Info) []Reason {
	for _, space := range f.others().all {
		for _, l := range space.links {
			if belongs(l, info) {
				return []Reason{because("its interface %s is in %s", l.Attrs().Name, space.where)}
			}
		}
	}
	if !info.Hidden() {
		return nil // not every driver makes an interface
	}
	return []Reason{because("its network driver is active but its interface cannot be seen: " +
		"it is in another network namespace")}
}

// belongs reports whether an interface is that of a function.
func belongs(link netlink.Link, info sysfs.Info) bool {
	a := link.Attrs()
	return a.ParentDevBus == "pci" && a.ParentDev == info.Address.String() ||
		a.ParentDevBus == "virtio" && a.ParentDev == info.Virtio && info.Virtio != ""
}

// packetSockets returns who has AF_PACKET sockets that are bound to an interface. The kernel's list
// has the index of the interface in the fifth column and the inode of the socket in the last.
func (f *Finder) packetSockets(link netlink.Link) []Reason {
	list, err := os.Open(f.file("/proc/thread-self/net/packet"))
	if os.IsNotExist(err) {
		return nil // a kernel without AF_PACKET
	}
	if err != nil {
		return []Reason{because("which packet sockets there are cannot be found out: %v", err)}
	}
	defer list.Close()
	name := link.Attrs().Name
	var owners []string
	anonymous := false
	lines := bufio.NewScanner(list)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 9 || fields[4] != strconv.Itoa(link.Attrs().Index) {
			continue
		}
		holding := f.scan().holding("socket:[" + fields[8] + "]")
		anonymous = anonymous || len(holding) == 0
		owners = append(owners, holding...)
	}
	slices.Sort(owners)
	var reasons []Reason
	for _, owner := range slices.Compact(owners) {
		reasons = append(reasons, because("%s has a packet socket on %s", owner, name))
	}
	if anonymous {
		reasons = append(reasons, because("a packet socket is bound to %s", name))
	}
	return reasons
}
