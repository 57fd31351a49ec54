package main

import (
	"fmt"

	"github.com/vishvananda/netlink"

	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
)

// usage finds out what uses functions. The network and the processes are read once,
// when they are first needed.
type usage struct {
	env     environment
	network *network
	failed  error // why there is no network
	holders map[string][]string
}

func newUsage(env environment) *usage { return &usage{env: env} }

// reasons returns in words why a function is in use, nil when it is not. What
// cannot be found out is a reason too, because the function may be in use.
func (u *usage) reasons(info sysfs.Info) []string {
	var reasons []string
	if info.Hidden() {
		reasons = append(reasons, "its network driver is active but its interface cannot be seen: "+
			"it is in another network namespace")
	}
	for _, name := range info.Netdevs {
		reasons = append(reasons, u.netdev(name)...)
	}
	nodes, err := u.env.fs.Nodes(info)
	if err != nil {
		reasons = append(reasons, fmt.Sprintf("which processes have it open cannot be found out: %v", err))
	}
	for _, node := range nodes {
		for _, process := range u.holding(node) {
			reasons = append(reasons, fmt.Sprintf("%s has %s open", process, node))
		}
	}
	return reasons
}

func (u *usage) netdev(name string) []string {
	if u.network == nil && u.failed == nil {
		u.network, u.failed = readNetwork()
	}
	if u.failed != nil {
		return []string{fmt.Sprintf("what %s is used for cannot be found out: %v", name, u.failed)}
	}
	link, ok := u.network.links[name]
	if !ok {
		return []string{fmt.Sprintf("%s cannot be looked into from this network namespace", name)}
	}
	reasons := u.network.reasons(link)
	uppers, err := u.uppers(name)
	if err != nil {
		reasons = append(reasons, fmt.Sprintf("what is stacked on %s cannot be found out: %v", name, err))
	}
	for _, upper := range uppers {
		if upper.direct && upper.name != u.network.master(link) {
			reasons = append(reasons, fmt.Sprintf("%s carries %s", name, upper.name))
		}
	}
	if peer, ok := findSSH(u.env); ok && u.carries(link, uppers, peer) {
		reasons = append(reasons, fmt.Sprintf("%s carries this SSH connection (from %s)", name, peer.client))
	}
	return reasons
}

// carries reports whether a connection goes through an interface or through
// something that it is part of.
func (u *usage) carries(link netlink.Link, uppers []upper, peer sshConnection) bool {
	for _, by := range u.network.carrying(peer) {
		if by == link.Attrs().Name || by != "" && by == u.network.master(link) {
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

func (u *usage) uppers(name string) ([]upper, error) {
	var all []upper
	todo, seen := []string{name}, map[string]bool{name: true}
	for len(todo) > 0 {
		below := todo[0]
		todo = todo[1:]
		names, err := u.env.fs.Uppers(below)
		if err != nil {
			return all, err
		}
		for _, n := range names {
			if !seen[n] {
				seen[n] = true
				all = append(all, upper{name: n, direct: below == name})
				todo = append(todo, n)
			}
		}
	}
	return all, nil
}

func (u *usage) holding(node string) []string {
	if u.holders == nil {
		u.holders = openNodes(u.env.fs.Root)
	}
	return u.holders[node]
}
